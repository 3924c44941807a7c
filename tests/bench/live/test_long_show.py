"""What a long show is judged by: percentiles of a histogram, and a take separated again."""

import json
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner
from helpers.web_desk import WebDesk, own_runtime_folder, until

from rtsep.bench.live.long_show import main
from rtsep.bench.live.osc_flood import packets
from rtsep.bench.live.web_clients import Pages
from rtsep.bench.live.windows import Histogram, joined, ratio_of_pairs
from rtsep.bench.take_check import replay
from rtsep.rt.live.meters import OCTAVES, STEPS_PER_OCTAVE, HopHistogram
from rtsep.rt.separator import Separator
from rtsep.rt.takes.take_log import TakeLog

RATE = 16000


def test_a_window_has_the_hops_between_two_snapshots() -> None:
    rng = np.random.default_rng(0)
    early, late = rng.lognormal(7.0, 0.3, 500), rng.lognormal(6.0, 0.5, 5000)
    times = HopHistogram({})
    for us in early:
        times.add(us * 1e-6)
    before = times.publish()
    times = HopHistogram(before)  # another hop loop goes on
    for us in late:
        times.add(us * 1e-6)
    found = Histogram.of(times.publish()).since(Histogram.of(before))
    assert found.hops == len(late)
    for share in (0.5, 0.99, 0.999):
        assert found.percentile_us(share) == pytest.approx(np.quantile(late, share), rel=0.025)
    assert found.percentile_us(1.0) == pytest.approx(late.max(), rel=0.025)


def test_times_outside_all_buckets_are_counted() -> None:
    times = HopHistogram({})
    for seconds in (0.0, 1e-9, 1e3):
        times.add(seconds)
    assert Histogram.of(times.publish()).hops == 3


def test_a_histogram_is_a_file_for_plotters(tmp_path: Path) -> None:
    times = HopHistogram({})
    for seconds in (1e-3, 1e-3, 1e-3, 4e-3):
        times.add(seconds)
    Histogram.of(times.publish()).write(tmp_path / "hops.hgrm")
    text = (tmp_path / "hops.hgrm").read_text()
    assert "TotalCount     =        4" in text


def test_a_flood_moves_faders_and_is_partly_refused() -> None:
    found = packets(("voice-1", "residual"))
    kinds = [sum(one.startswith(begin) for one in found) for begin in (b"/rtsep/nobody", b"this")]
    assert kinds == [len(found) // 10] * 2
    assert sum(b"/residual/gain" in one for one in found) > 0.3 * len(found)


@pytest.mark.parametrize("skipped", [(), (7, 8, 30)])
def test_a_take_is_separated_again_with_the_hops_it_skipped(tmp_path: Path, skipped: tuple[int, ...]) -> None:
    separator = Separator.load("choir-comb", voices=2, samplerate=RATE)
    hop, delay = separator.hop, separator.hop_latency_samples
    mixture = 0.1 * np.random.default_rng(1).standard_normal((40 * hop, 1)).astype(np.float32)
    stems = np.zeros((len(separator.stems), 40, hop, 1), np.float32)
    out = np.zeros((len(separator.stems), hop, 1), np.float32)
    for k in range(40):
        step = separator.skip_hop if k in skipped else separator.process_hop
        step(mixture[k * hop : (k + 1) * hop], out)
        stems[:, k] = out
    aligned = stems.reshape(len(stems), -1)[:, delay:]
    names = ["input", *separator.stems]
    log = TakeLog("finished", "", names, "wav", RATE, 1, 0, frames=aligned.shape[1])
    log.parts.append({"folder": ".", "first_frame": 0, "frames": aligned.shape[1], "bytes": {}})
    for k in skipped:
        log.add_event("skipped-hop", k * hop - delay, hop)
    log.save(tmp_path)
    for name, signal in zip(names, [mixture[:, 0], *aligned], strict=True):
        soundfile.write(tmp_path / f"{name}.wav", signal, RATE, "FLOAT")
    separator.reset()
    found = replay(tmp_path, separator)
    assert (found.different, found.compared, found.skipped_hops) == (0, aligned.shape[1], len(skipped))
    log.events.clear()
    log.save(tmp_path)
    separator.reset()
    assert (replay(tmp_path, separator).different > 0) is bool(skipped)


def test_too_few_windows_are_refused() -> None:
    for minutes, window in (("1", "300"), ("1", "15")):
        result = CliRunner().invoke(main, ["--minutes", minutes, "--window", window])
        assert result.exit_code == 2
        assert "give one at least" in result.output


def test_a_ratio_of_pairs_is_not_moved_by_what_both_of_a_pair_have_in_common() -> None:
    rng = np.random.default_rng(2)
    machine, own = rng.lognormal(7.0, 0.5, 40), rng.lognormal(0.0, 0.02, 40)
    found = ratio_of_pairs(machine.tolist(), (1.03 * own * machine).tolist())
    assert found["pairs"] == 40
    assert found["ratio"] == pytest.approx(1.03, abs=0.01)
    assert found["lowest"] < 1.03 < found["highest"] < found["lowest"] + 0.03


def test_histograms_are_joined() -> None:
    counts = np.arange(STEPS_PER_OCTAVE * OCTAVES), np.ones(STEPS_PER_OCTAVE * OCTAVES, np.int64)
    assert joined([Histogram(one) for one in counts]).counts.tolist() == (counts[0] + counts[1]).tolist()


def test_pages_are_open_when_they_draw_and_closed_at_rate_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_runtime_folder(monkeypatch, tmp_path)
    desk = WebDesk()

    def clients() -> int:
        with urllib.request.urlopen(f"{web.url}api/status") as answer:
            return int(json.loads(answer.read())["web"]["clients"])

    with desk.served() as web, Pages(web.url, 3) as pages:
        assert clients() == 0
        pages.draw(30.0)
        until(lambda: clients() == 3)
        until(lambda: pages.draw(30.0) > 0.0)  # frames have come
        pages.draw(0.0)
        until(lambda: clients() == 0)
        assert pages.draw(0.0) == 0.0
