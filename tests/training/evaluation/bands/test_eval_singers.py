"""`rtsep-train eval-singers` on two made singers over made backings."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from rtsep.kernels.errors import RtsepError
from rtsep.training.commands.evaluating.singers import command
from rtsep.training.databases.stem_folder import active_level_dbfs
from rtsep.training.evaluation.bands.singers import SINGERS_DBFS, meetings, scene
from rtsep.training.evaluation.bands.songs import find_songs
from rtsep.training.evaluation.stems import find_mixtures, pairs
from rtsep.training.report.bands.singers_folder import improvement

RATE = 16000
SECONDS = 9.0


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    singers, songs = tmp_path_factory.mktemp("singers"), tmp_path_factory.mktemp("songs")
    rng = np.random.default_rng(0)
    times = np.arange(round(SECONDS * RATE)) / RATE
    for part, hz in (("soprano", 440.0), ("alto", 311.0), ("tenor", 208.0)):
        phase = 2 * np.pi * hz * times + 0.8 * np.sin(2 * np.pi * 5.0 * times)
        voice = sum(np.sin(k * phase) / k**2 for k in range(1, 12))
        soundfile.write(singers / f"{part}1.wav", 0.1 * voice, RATE, subtype="FLOAT")
    for name in ("one", "two"):
        place = songs / name
        place.mkdir()
        hits = rng.standard_normal(len(times)) * np.exp(-(times % 0.5) / 0.03)
        soundfile.write(place / "drums.wav", 0.2 * hits, RATE, subtype="FLOAT")
        soundfile.write(place / "vocals.wav", np.full(len(times), 0.5), RATE, subtype="FLOAT")
    return singers, songs


def run(*arguments: object) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], env={"COLUMNS": "110"})


def test_every_song_meets_singers_in_turn_at_the_level_asked_for(folders: tuple[Path, Path]) -> None:
    singers, songs = folders
    groups = pairs(find_mixtures(singers, "same"))
    found = meetings(groups, find_songs(songs, ("drums",)), 2, (-6.0,), (43,))
    assert len(found) == 3 * 4  # ways, songs by groups
    names = [meeting.singers.name for meeting in found[:4]]
    assert len(set(names)) == 3  # three pairs in turn, and the first once more
    voices, backing, rate = scene(found[0])
    assert rate == RATE
    assert active_level_dbfs(voices.sum(axis=0), rate) == pytest.approx(SINGERS_DBFS, abs=0.01)
    assert active_level_dbfs(backing, rate) == pytest.approx(SINGERS_DBFS - 6.0, abs=0.01)
    assert abs(backing.mean()) < 1e-3  # the song's own vocals, a constant here, stay out


def test_singers_alone_are_the_bound(folders: tuple[Path, Path], tmp_path: Path) -> None:
    singers, songs = folders
    file = tmp_path / "found.json"
    result = run(singers, "--backing", songs, "--pairs", "--each", 1, "--backing-db", "0", "--json", file,
                 "--report", tmp_path / "report")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "--stems vocals --voices" in result.output
    rows = {row["way"]: row for row in json.loads(file.read_text())["results"]}
    assert list(rows) == ["choir", "cascade", "clean"]
    assert rows["clean"]["improvement_db"] > 10.0
    for way in ("choir", "cascade"):
        assert rows[way]["improvement_db"] < rows["clean"]["improvement_db"] - 1.0
        assert len(rows[way]["meetings"]) == 2
    low, high = rows["clean"]["interval_db"]
    assert low <= rows["clean"]["improvement_db"] <= high
    report = tmp_path / "report"
    assert json.loads((report / "report.json").read_text()) == json.loads(file.read_text())
    assert "improvement.png" in (report / "report.md").read_text()
    assert (report / "improvement.png").read_bytes().startswith(b"\x89PNG")


def test_a_plot_has_every_dot_and_mean_where_its_level_is() -> None:
    def row(level_db: float, way: str, dots: list[float]) -> dict[str, object]:
        songs = [{"song": str(k), "singers": "a", "improvement_db": dot} for k, dot in enumerate(dots)]
        mean = float(np.mean(dots))
        return {
            "backing_db": level_db, "latency_ms": 43, "way": way, "improvement_db": mean,
            "interval_db": [mean - 1.0, mean + 2.0], "meetings": songs,
        }  # fmt: skip

    rows = [row(0.0, "cascade", [1.0, 3.0]), row(-6.0, "cascade", [5.0]), row(-6.0, "clean", [9.0, 11.0])]
    (axes,) = improvement({"results": rows}).axes
    curves = {c.get_label(): c for c in axes.containers}
    assert [tuple(p) for p in curves["--stems vocals --voices"].lines[0].get_xydata()] == [
        (0.0, 5.0),
        (1.0, 2.0),
    ]
    ((at, mean),) = curves["--voices on the singers alone"].lines[0].get_xydata()
    assert (at, mean) == (pytest.approx(0.16), 10.0)
    dots = sorted(float(y) for line in axes.lines if line.get_marker() == "." for y in line.get_ydata())
    assert dots == [1.0, 3.0, 5.0, 9.0, 11.0]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["-6", "+0"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--backing-db", "loud"], "--backing-db 'loud' is no level"),
        (["--backing-db", "90"], "--backing-db '90' is no level"),
        (["--latency", "12"], "--latency '12' is not one of"),
        (["--model", "choir"], "choir"),
    ],
)
def test_singers_mistakes_are_one_line(folders: tuple[Path, Path], options: list[str], message: str) -> None:
    result = run(folders[0], "--backing", folders[1], "--pairs", "--each", 1, *options)
    assert isinstance(result.exception, RtsepError), result.output
    assert "\n" not in str(result.exception)
    with pytest.raises(RtsepError, match=message):
        raise result.exception
