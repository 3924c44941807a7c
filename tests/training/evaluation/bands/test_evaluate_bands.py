"""`rtsep eval --stems` on small made songs: what ideal masks, equal shares and fixed filters must reach."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from rtsep.kernels.errors import RtsepError
from rtsep.training.commands.evaluate import command
from rtsep.training.databases.stem_folder import active_level_dbfs
from rtsep.training.evaluation.bands.leaks import applause, count_in, output_levels
from rtsep.training.evaluation.bands.songs import BALANCED_DBFS, Stems, balanced, find_songs
from rtsep.training.measures import protocol
from rtsep.training.measures.bootstrap import mean_interval
from rtsep.training.measures.bss_eval import bss_eval
from rtsep.training.report.bands.tables import sheets

RATE = 22050
SECONDS = 9
STEMS = "vocals,drums,bass,other"


def made_song(seed: int) -> dict[str, np.ndarray]:
    """A low tone, a chord, a wavering voice, and hits of noise that are 14 dB below."""
    rng = np.random.default_rng(seed)
    t = np.arange(RATE * SECONDS) / RATE
    voice_hz = 500.0 + 20.0 * seed
    hits = rng.standard_normal(len(t)) * np.exp(-(t % 0.25) / 0.02)
    return {
        "bass": 0.2 * np.sin(2 * np.pi * 80.0 * t),
        "drums": 0.08 * hits,
        "other": 0.1 * sum(np.sin(2 * np.pi * f * t) for f in (1000.0, 1250.0, 1500.0)),
        "vocals": 0.2 * np.sin(2 * np.pi * voice_hz * t + 3.0 * np.sin(2 * np.pi * 5.0 * t)),
    }


@pytest.fixture(scope="module")
def songs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("songs")
    for seed in (1, 2):
        place = folder / f"song{seed}"
        place.mkdir()
        for name, audio in made_song(seed).items():
            if (seed, name) != (2, "vocals"):  # the second song is instrumental
                soundfile.write(place / f"{name}.wav", audio, RATE, subtype="FLOAT")
        soundfile.write(place / "vox_1.wav", np.ones(RATE * SECONDS), RATE)  # no stem: stays out
    return folder


def run(*arguments: str | Path | int) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], env={"COLUMNS": "120"})


@pytest.fixture(scope="module")
def report(songs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict:
    place = tmp_path_factory.mktemp("report")
    result = run(
        songs, "--stems", STEMS, "--latency", 43, "--leaks", "--stereo", "--json", place / "found.json",
        "--report", place,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    for text in ("best fixed filter", "±", "mid-side", "songs: vocals 1, drums 2", "drums alone"):
        assert text in result.output
    assert json.loads((place / "report.json").read_text()) == json.loads((place / "found.json").read_text())
    markdown = (place / "report.md").read_text()
    for name in ("over_latency.png", "by_song.png"):
        assert name in markdown
        assert (place / name).stat().st_size > 10_000
    return json.loads((place / "found.json").read_text())


def gain(report: dict, system: str, mix: str, stem: str) -> float:
    (row,) = [r for r in report["results"] if (r["system"], r["mix"]) == (system, mix)]
    return row["stems"][stem]["improvement_db"]


@pytest.mark.parametrize("mix", ["raw", "balanced"])
@pytest.mark.parametrize("stem", STEMS.split(","))
def test_order_of_ceilings_and_rivals(report: dict, mix: str, stem: str) -> None:
    # a gain changes no SI-SDR
    assert gain(report, "mixture", mix, stem) == pytest.approx(0.0, abs=1e-9)
    assert gain(report, "constant", mix, stem) == pytest.approx(0.0, abs=1e-6)
    assert gain(report, "ideal", mix, stem) > gain(report, "fixed-filter", mix, stem) + 0.5
    assert gain(report, "ideal-phase", mix, stem) > gain(report, "ideal", mix, stem)


def test_fixed_filters_are_those_that_fit(report: dict) -> None:
    rows = {r["mix"]: r["stems"] for r in report["results"] if r["system"] == "fixed-filter"}
    # a bass of 80 Hz under everything from 300 Hz on: taken out almost whole
    assert rows["raw"]["bass"]["choice"].startswith("low-pass")
    assert rows["raw"]["bass"]["improvement_db"] > 15.0
    assert rows["raw"]["other"]["choice"] == "high-pass 700 Hz"


def test_medians_find_hits(report: dict) -> None:
    assert gain(report, "hpss", "balanced", "drums") > 6.0


def test_frames_that_count(report: dict) -> None:
    (row,) = [r for r in report["results"] if (r["system"], r["mix"]) == ("mixture", "raw")]
    # 9 s: one whole excerpt of 4 s after the first
    assert [s["frames"] for s in row["stems"]["bass"]["songs"]] == [4, 4]
    assert [s["name"] for s in row["stems"]["vocals"]["songs"]] == ["song1"]


def test_leaks_of_every_kind_of_input(report: dict) -> None:
    rows = {row["input"]: row["outputs_db"] for row in report["leaks"] if row["system"] == "hpss"}
    assert set(rows) == {"drums alone", "vocals alone", "silence", "applause, made", "count-in, made"}
    assert rows["silence"] == {"drums": None, "residual": None}
    assert rows["drums alone"]["drums"] > rows["vocals alone"]["drums"] + 6.0


def test_energy_rule_is_the_same_at_every_rate() -> None:
    """A stem 32 dB under the mixture's peak is too quiet, one 31 dB under is not (RMS 0.025)."""
    for rate in (16000, 44100):
        t = np.arange(8 * rate) / rate
        loud = np.where(t < 8, np.cos(2 * np.pi * 200.0 * t), 0.0)
        kept = []
        for rms in (0.024, 0.026):
            quiet = np.sqrt(2.0) * rms * np.sin(2 * np.pi * 3000.0 * t)
            stems = np.stack([quiet, loud - quiet]).astype(np.float32)
            kept.append(protocol.score(stems, stems, rate).kept[0])
        assert not kept[0].any()
        assert kept[1].all()


def test_balanced_stems_have_one_level() -> None:
    made = made_song(1)
    made["drums"][: RATE * 5] = 0.0  # loudness counts where a stem sounds
    stems = Stems(tuple(made), np.stack(list(made.values())).astype(np.float32), RATE)
    levels = [active_level_dbfs(audio, RATE) for audio in balanced(stems).audio]
    np.testing.assert_allclose(levels, BALANCED_DBFS, atol=0.01)


def test_mixture_is_the_stems_and_the_rest_and_nothing_else(songs: Path, tmp_path: Path) -> None:
    found = find_songs(songs, ("bass",))
    assert [song.name for song in found] == ["song1", "song2"]
    stems = found[0].read()
    assert stems.names == ("vocals", "drums", "bass", "other")
    np.testing.assert_allclose(stems.mixture, sum(made_song(1).values()), atol=1e-6)
    (tmp_path / "a").mkdir()
    for name in ("guitar", "rest", "mixture"):
        soundfile.write(tmp_path / "a" / f"{name}.wav", np.full(100, 0.25), RATE)
    assert find_songs(tmp_path, ("guitar",))[0].read().names == ("guitar", "rest")


def test_an_output_that_a_system_lacks_is_not_called_silent(report: dict) -> None:
    row = {"title": "all", "latency_ms": 43, "input": "silence", "outputs_db": {"drums": None, "bass": -3.0}}
    other = {"title": "half", "latency_ms": 43, "input": "silence", "outputs_db": {"drums": -1.0}}
    sheet = sheets(report | {"leaks": [row, other], "stereo": []})[-1]
    assert [cells[2:] for cells in sheet.rows] == [("-inf", "-3.0"), ("-1.0", "-")]


def test_output_levels() -> None:
    signal = np.ones(100, np.float32)
    assert output_levels([(signal, {"x": 0.1 * signal})]) == pytest.approx(
        {"x": -20.0, "residual": 20 * np.log10(0.9)}, abs=1e-4
    )


def test_made_sounds_are_what_they_say() -> None:
    for sound in (applause(), count_in()):
        assert np.max(np.abs(sound)) == pytest.approx(0.3)
    levels = np.abs(count_in())
    onsets = np.flatnonzero((levels > 0.1) & (np.concatenate([[0.0], levels[:-1]]) <= 0.1))
    starts = onsets[np.diff(onsets, prepend=-44100) > 4410]
    np.testing.assert_allclose(np.diff(starts), 22050, atol=2)


def test_interval_of_the_mean() -> None:
    values = np.random.default_rng(0).normal(5.0, 2.0, 40)
    low, high = mean_interval(values)
    # the bootstrap's interval comes near the normal one
    assert low == pytest.approx(values.mean() - 1.96 * values.std() / np.sqrt(40), abs=0.1)
    assert high == pytest.approx(values.mean() + 1.96 * values.std() / np.sqrt(40), abs=0.1)
    assert mean_interval([3.0]) == (3.0, 3.0)


def test_bss_eval_tells_interference_from_distortion() -> None:
    rng = np.random.default_rng(0)
    a, b, noise = rng.standard_normal((3, 8000))
    estimates = np.stack([a + 0.1 * b, b + 0.1 * noise])
    leaky, noisy = bss_eval(np.stack([a, b]), estimates, 4000, taps=16)
    assert leaky.sir_db == pytest.approx(20.0, abs=1.0)
    assert leaky.sar_db > 30.0
    assert noisy.sar_db == pytest.approx(20.0, abs=1.0)
    assert noisy.sir_db > 30.0


def test_bss_eval_of_the_filters_that_were_chosen(songs: Path, tmp_path: Path) -> None:
    """A system that chooses per stem is scored by its choices, as one that has one estimate per stem."""
    file = tmp_path / "bss.json"
    systems = "mixture,fixed-filter,ideal"
    options = (
        "--latency",
        43,
        "--mix",
        "raw",
        "--systems",
        systems,
        "--bss",
        "--bss-taps",
        4,
        "--json",
        file,
    )
    result = run(songs, "--stems", STEMS, *options)
    assert result.exit_code == 0, result.output
    rows = {row["system"]: row["stems"] for row in json.loads(file.read_text())["results"]}
    sdr = {
        system: {stem: entry["bss"]["median_over_songs"]["SDR"] for stem, entry in stems.items()}
        for system, stems in rows.items()
    }
    assert all(set(found) == set(STEMS.split(",")) for found in sdr.values())
    assert [song["name"] for song in rows["fixed-filter"]["bass"]["bss"]["songs"]] == ["song1", "song2"]
    assert sdr["fixed-filter"]["bass"] > sdr["mixture"]["bass"] + 10.0  # a low-pass under everything else
    assert sdr["ideal"]["drums"] > sdr["fixed-filter"]["drums"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{empty}", "--stems", "vocals"], "holds no song with a stem named vocals"),
        (["{songs}", "--stems", ","], "--stems names nothing"),
        (["{songs}", "--stems", "bass", "--mix", "loud"], "--mix 'loud' is not one of raw, balanced"),
        (["{songs}", "--stems", "bass", "--systems", "choir"], "model choir is of family choir"),
        (["{songs}", "--stems", "bass", "--voices", "3"], "--voices is for choirs"),
        (["{songs}", "--leaks"], "--leaks is for bands"),
        (["{songs}", "--stereo"], "--stereo is for bands"),
        (["{songs}", "--stems", "bass", "--sounds", "{empty}"], "--sounds is for --leaks"),
        (["{songs}", "--stems", "bass", "--leaks", "--sounds", "{empty}"], "holds no audio file"),
        (["{rates}", "--stems", "bass,drums"], "bass.wav has 8000 Hz|drums.wav .* 8000 Hz"),
        (["{short}", "--stems", "bass"], "short: the stems last 5.0 s"),
    ],
)
def test_mistakes_are_one_line(songs: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    places = {name: tmp_path / name for name in ("empty", "rates", "short")}
    for place in places.values():
        place.mkdir()
    soundfile.write(places["rates"] / "bass.wav", np.full(90000, 0.1), 8000)
    soundfile.write(places["rates"] / "drums.wav", np.full(90000, 0.1), RATE)
    soundfile.write(places["short"] / "bass.wav", np.full(5 * RATE, 0.1), RATE)
    result = run(*(a.format(songs=songs, **places) for a in arguments), "--latency", "43")
    assert isinstance(result.exception, RtsepError), result.output
    assert "\n" not in str(result.exception)
    with pytest.raises(RtsepError, match=message):
        raise result.exception
