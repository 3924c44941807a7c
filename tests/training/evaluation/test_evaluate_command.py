"""`rtsep eval` on a tiny folder of its own: layouts, table, JSON, mistakes."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from rtsep.kernels.errors import RtsepError
from rtsep.training.commands.evaluate import command
from rtsep.training.evaluation.stems import PARTS, find_mixtures, pairs, read_stem

F0_HZ = {"soprano": 440.0, "alto": 330.0, "tenor": 196.0, "bass": 110.0}


def sung(f0_hz: float, seconds: float, samplerate: int) -> np.ndarray:
    t = np.arange(int(seconds * samplerate)) / samplerate
    phase = 2 * np.pi * f0_hz * t + 0.2 * np.sin(2 * np.pi * 5.5 * t)
    return 0.1 * sum(np.sin(k * phase) / k for k in range(1, 15))


@pytest.fixture(scope="module")
def choir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("choir")
    for part, f0_hz in F0_HZ.items():
        for singer in (1, 2):
            detune = 2 ** ((singer - 1) / 12)
            soundfile.write(folder / f"{part}{singer}.wav", sung(f0_hz * detune, 8.5, 16000), 16000)
    return folder


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(command, [str(a) for a in arguments], env={"COLUMNS": "120"})


@pytest.mark.parametrize(
    ("quartets", "in_pairs", "count"),
    [("same", False, 2), ("all", False, 16), ("same", True, 12), ("all", True, 24)],
)
def test_mixtures_of_a_folder(choir: Path, quartets: str, in_pairs: bool, count: int) -> None:
    mixtures = find_mixtures(choir, quartets)
    voices = 2 if in_pairs else 4
    if in_pairs:
        mixtures = pairs(mixtures)
    assert len(mixtures) == count
    assert len({m.name for m in mixtures}) == count
    assert all(len(m.files) == voices for m in mixtures)
    ranks = [[PARTS.index(f.stem[:-1]) for f in m.files] for m in mixtures]
    assert all(r == sorted(r) for r in ranks)


def test_mixtures_of_a_list_and_of_a_plain_folder(choir: Path, tmp_path: Path) -> None:
    listing = tmp_path / "list.txt"
    listing.write_text("# duo\nsoprano1, bass2.wav\n\n alto1 tenor1 # end\n")
    assert [[f.name for f in m.files] for m in find_mixtures(choir, str(listing))] == [
        ["soprano1.wav", "bass2.wav"],
        ["alto1.wav", "tenor1.wav"],
    ]
    for name in ("b", "a", "c"):
        soundfile.write(tmp_path / f"{name}.flac", np.zeros(100), 16000)
    assert [[f.stem for f in m.files] for m in find_mixtures(tmp_path, "same")] == [["a", "b", "c"]]


def test_other_rates_and_stereo_stay_aligned(tmp_path: Path) -> None:
    low, high = sung(220.0, 1.0, 16000), sung(220.0, 1.0, 48000)
    soundfile.write(tmp_path / "x.wav", np.stack([high, high], axis=1), 48000, subtype="FLOAT")
    stem = read_stem(tmp_path / "x.wav")
    assert len(stem) == 16000
    np.testing.assert_allclose(stem[500:-500], low[500:-500], atol=1e-3)


def test_table_and_json(choir: Path, tmp_path: Path) -> None:
    report_file = tmp_path / "report.json"
    systems = "mixture,nmf,choir-comb-tracked,choir-fixed-given,ideal,ideal-power,ideal-centred"
    arguments = (
        choir, "--latency", "43", "--systems", systems, "--cache", tmp_path / "f0", "--seeds", "5",
        "--json", report_file,
    )  # fmt: skip
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    for text in ("682 samples", "ideal mask", "choir-fixed, given F0", "soprano", "tracked F0", "published"):
        assert text in result.output
    first = report_file.read_bytes()
    report = json.loads(first)
    assert report["seeds"]["asked"] == 5
    assert report["seeds"]["run"] == 1
    assert report["voices"] == list(PARTS)
    assert [m["excerpts"] for m in report["mixtures"]] == [1, 1]
    assert report["versions"]["numpy"] == np.__version__
    mean = {(r["system"], r["latency_ms"]): r["overall"]["mean_db"] for r in report["results"]}
    assert mean["mixture", None] < mean["choir-fixed-given", 43] < mean["ideal", 43]
    assert mean["mixture", None] < mean["choir-fixed-given", 43] < mean["ideal-power", 43]
    assert mean["mixture", None] + 5 < mean["nmf", None] < mean["ideal-centred", None]
    tracked = {f["system"]: f for f in report["f0"]}
    assert set(tracked) == {"choir-comb-tracked"}
    for truth in ("swift-f0", "agreed"):
        assert [voice["recall"] > 0.9 for voice in tracked["choir-comb-tracked"][truth]] == [True] * 4
    # another process, the same bytes
    assert run(*arguments, "--jobs", "2").exit_code == 0
    assert report_file.read_bytes() == first


def test_more_latency_lets_ideal_masks_separate_more(choir: Path, tmp_path: Path) -> None:
    report_file = tmp_path / "report.json"
    result = run(choir, "--latency", "21,43", "--systems", "ideal", "--json", report_file)
    assert result.exit_code == 0, result.output
    assert "342 samples" in result.output
    rows = json.loads(report_file.read_text())["results"]
    assert [row["latency_ms"] for row in rows] == [21, 43]
    assert rows[0]["overall"]["mean_db"] < rows[1]["overall"]["mean_db"]


def test_strict_and_pairs(choir: Path, tmp_path: Path) -> None:
    report_file = tmp_path / "report.json"
    result = run(
        choir, "--pairs", "--voices", "2", "--latency", "43", "--strict", "--f0", "given",
        "--systems", "mixture,choir-fixed-given", "--cache", tmp_path, "--json", report_file,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    report = json.loads(report_file.read_text())
    assert report["settings"]["strict"]
    assert report["voices"] == list(PARTS)
    mixture, fixed = report["results"]
    assert mixture["overall"]["frames"] == 12 * 2 * 4
    assert fixed["overall"]["mean_db"] > mixture["overall"]["mean_db"] + 6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{choir}/none"], "is not a folder"),
        (["{empty}"], "holds no audio file"),
        (["{choir}", "--latency", "12"], "--latency '12' is not one of 5, 11, 21, 43"),
        (["{choir}", "--latency", ","], "--latency names nothing"),
        (["{choir}", "--f0", "guessed"], "--f0 'guessed' is not one of tracked, given"),
        (["{choir}", "--systems", "magic"], "--systems 'magic' is not one of mixture, nmf"),
        (["{choir}", "--systems", "choir-fixed-given", "--f0", "tracked"], "leaves no system"),
        (["{choir}", "--voices", "3"], "--voices 3, but .* has 4 stems"),
        (["{choir}", "--quartets", "{empty}/none.txt"], r"cannot be read \(No such file"),
        (["{choir}", "--json", "{empty}/no/report.json"], "is not a folder"),
        (["{broken}"], "voice.wav cannot be read"),
        (["{short}"], "the stems last 5.0 s, the protocol needs at least 8 s"),
        (["{many}"], "has 5 voices, outside 1..4"),
        (["{choir}", "{short}"], "mixtures of 1 and 4 voices cannot share a table"),
    ],
)
def test_mistakes_are_one_line(choir: Path, tmp_path: Path, arguments: list[str], message: str) -> None:
    folders = {name: tmp_path / name for name in ("empty", "broken", "short", "many")}
    for folder in folders.values():
        folder.mkdir()
    (folders["broken"] / "voice.wav").write_bytes(b"RIFFnothing")
    soundfile.write(folders["short"] / "voice.wav", np.zeros(80000), 16000)
    for name in "abcde":
        soundfile.write(folders["many"] / f"{name}.wav", np.zeros(160000), 16000)
    result = run(*(a.format(choir=choir, **folders) for a in arguments), "--cache", tmp_path)
    assert isinstance(result.exception, RtsepError)
    assert "\n" not in str(result.exception)
    assert "; " in str(result.exception)
    with pytest.raises(RtsepError, match=message):
        raise result.exception
