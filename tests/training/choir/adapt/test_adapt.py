"""Adaptation to a rehearsal: remixes that keep sound and pitch together, a judge that knows better from
worse, no model that is no better."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner
from helpers.model_folder import write_model
from helpers.tiny_band import write_band
from helpers.weights_only import without_onnx
from hypothesis import given
from hypothesis import strategies as st

from rtsep.kernels.errors import RtsepError
from rtsep.models.card import LEVELS
from rtsep.models.networks.export import load_weights
from rtsep.models.networks.source_filter_net import SourceFilterNet
from rtsep.models.registry import CARD_FILE, Model, find_model
from rtsep.rt.audio.test_signals import synthetic_choir
from rtsep.rt.hop.presets import Preset
from rtsep.rt.separator import Separator
from rtsep.training.choir.adapt.adapt import adapt, levels_network
from rtsep.training.choir.adapt.judge import AS_SUNG, REMIXED, Judge, Verdict
from rtsep.training.choir.adapt.rehearsal import SHORTEST_S, Rehearsal, listen, load_mixture, load_rehearsal
from rtsep.training.choir.adapt.remix import LABEL_SAMPLES, remix
from rtsep.training.choir.adapt.task import AdaptTask
from rtsep.training.choir.levels.mask_loss import MaskLoss
from rtsep.training.choir.levels.stream import excerpts, level_stream
from rtsep.training.commands import adapt as adapt_cli
from rtsep.training.evaluation.streaming import stream
from rtsep.training.files.card_file import write_card
from rtsep.training.files.model_files import write_network
from rtsep.training.loop.task import Draw
from rtsep.training.measures.protocol import SAMPLERATE

pytestmark = pytest.mark.slow

LATENCY_MS = 43  # the longest hop: least work
BETTER = Verdict(
    {(AS_SUNG, 43): 0.2, (REMIXED, 43): 0.1}, {AS_SUNG: 0.1, REMIXED: 0.05}, {AS_SUNG: 8, REMIXED: 16}
)


def small_net(share: float = 0.9) -> SourceFilterNet:
    """Levels as read off the mixture, like the adaptive comb's: no training, and yet it separates."""
    torch.manual_seed(1)
    net = SourceFilterNet(voices=4, hidden=8)
    net.lean_on_the_mixture(share)
    return net


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("choir") / "rehearsal.wav"
    soundfile.write(path, synthetic_choir(24000, SHORTEST_S + 1, channels=2, voices=2), 24000)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Model:
    """A small model with a levels network at 43 ms."""
    folder = write_model(tmp_path_factory.mktemp("models") / "small", [])
    network = write_network(
        small_net(), folder, "levels", role=LEVELS, architecture="source-filter",
        config={"voices": 4, "hidden": 8}, latency_presets_ms=(LATENCY_MS,), seed=1, recipe="test",
    )  # fmt: skip
    write_card(replace(find_model(str(folder)).card, networks=(network,)), folder / CARD_FILE)
    return find_model(str(folder))


@pytest.fixture(scope="module")
def rehearsal(recording: Path, model: Model) -> Rehearsal:
    return load_rehearsal(recording, str(model.folder), 2, (LATENCY_MS,))


@given(st.integers(1, 4), st.integers(2, 50), st.integers(0, LABEL_SAMPLES - 1), st.integers(0, 2**32))
def test_remixed_voices_keep_their_sound_and_pitch_together(
    voices: int, labels: int, rest: int, seed: int
) -> None:
    # every 5 ms hold their own number, in the sound and as the pitch
    numbers = 1.0 + np.arange(voices * labels).reshape(voices, labels)
    sound = np.repeat(numbers, LABEL_SAMPLES, axis=1).astype(np.float32)
    sound = np.pad(sound, ((0, 0), (0, rest)))
    mixed, f0_hz = remix(sound, numbers, np.random.default_rng(seed))
    assert mixed.shape == (voices, labels * LABEL_SAMPLES)
    ratio = mixed / np.repeat(f0_hz, LABEL_SAMPLES, axis=1)
    np.testing.assert_allclose(ratio, np.broadcast_to(ratio[:, :1], ratio.shape), rtol=1e-5)
    assert np.all(np.abs(20 * np.log10(ratio)) <= 3.01)
    np.testing.assert_array_equal(np.sort(f0_hz, axis=1), numbers)
    np.testing.assert_array_equal(f0_hz[0], numbers[0])


def test_the_mixture_is_the_mean_of_its_channels_at_16_khz(recording: Path) -> None:
    mixture, sha256 = load_mixture(recording)
    assert sha256 == hashlib.sha256(recording.read_bytes()).hexdigest()
    assert mixture.size == round((SHORTEST_S + 1) * SAMPLERATE)
    audio, _ = soundfile.read(recording)
    middle = slice(SAMPLERATE, -SAMPLERATE)
    assert np.std(mixture[middle]) == pytest.approx(np.std(audio.mean(axis=1)), rel=0.02)


def test_listening_gives_what_the_stage_gives_in_its_place(model: Model) -> None:
    mixture = synthetic_choir(SAMPLERATE, 3.0, voices=2)[:, 0]
    voices, f0_hz, sounding = listen(mixture, str(model.folder), 2, LATENCY_MS)
    separator = Separator.load(str(model.folder), voices=2, samplerate=SAMPLERATE, latency_ms=LATENCY_MS)
    expected, _ = stream(separator, mixture)
    whole = (len(f0_hz) - 1) * separator.hop
    np.testing.assert_allclose(voices[:, :whole], expected[:, :whole], atol=1e-6)
    assert (f0_hz[20:] > 0).mean() > 0.8
    assert sounding > 0.8


def test_the_training_path_hears_what_the_stage_hears(rehearsal: Rehearsal) -> None:
    """From the same pitches come the same voices: the judge judges what will be played."""
    heard = level_stream(rehearsal.mixture, rehearsal.forward, rehearsal.pitches_hz[LATENCY_MS], LATENCY_MS)
    hops = 200
    loss = MaskLoss(small_net().with_voices(2), (LATENCY_MS,))
    with torch.no_grad():
        found = loss.estimates(excerpts([(heard, 0)], hops))[0].numpy()
    np.testing.assert_allclose(found, rehearsal.forward[:, : found.shape[1]], atol=2e-3)


def test_where_nobody_sings_no_voice_is_heard_and_nothing_breaks() -> None:
    silence = np.zeros(2 * SAMPLERATE, np.float32)
    noise = 0.01 * np.random.default_rng(1).standard_normal(silence.size).astype(np.float32)
    hop = Preset(SAMPLERATE, LATENCY_MS).hop
    heard = level_stream(noise, np.stack([silence, silence]), np.zeros((silence.size // hop, 2)), LATENCY_MS)
    net = small_net().with_voices(2)
    loss = MaskLoss(net, (LATENCY_MS,))
    batch = excerpts([(heard, 0)], heard.hops)
    assert float(loss.estimates(batch).detach().abs().max()) < 1e-6  # of noise at -40 dBFS
    loss.loss(batch).loss.backward()
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in net.parameters())


def test_nothing_is_learnt_from_the_held_out_part(rehearsal: Rehearsal) -> None:
    task = AdaptTask(small_net().with_voices(2), rehearsal, (LATENCY_MS,), seed=1)
    (sung,), (remixes,) = task._sung.values(), task._remixed.values()
    learnt = rehearsal.mixture[: rehearsal.learnt_samples]
    assert 0.7 < learnt.size / rehearsal.mixture.size < 0.85
    for remixed in remixes:
        assert remixed.mixture.numel() <= learnt.size
    ends = []
    for step in range(50):
        batch = task.batch(Draw(1, step, 0, 1))
        place = np.flatnonzero((sung.mixture == batch.mixture[0, 0]).numpy())
        ends += [
            int(n) + batch.mixture.shape[1]
            for n in place
            if torch.equal(sung.mixture[n : n + 9], batch.mixture[0, :9])
        ]
    assert len(ends) > 10
    assert max(ends) <= learnt.size


def test_the_judge_tells_better_from_worse(rehearsal: Rehearsal) -> None:
    good, bad = small_net().with_voices(2), small_net().with_voices(2)
    with torch.no_grad():
        bad.partial_out.bias += torch.tensor([0.0, 0.0, 6.0])  # blind trust in envelopes that lag behind
        bad.between.bias[1:] += 3.0  # and noise in everything
    heard = {LATENCY_MS: level_stream(
        rehearsal.mixture, rehearsal.agreed, rehearsal.pitches_hz[LATENCY_MS], LATENCY_MS
    )}  # fmt: skip
    judge = Judge(rehearsal, heard, seed=1)
    of_good, of_bad = (judge.scores(MaskLoss(net, (LATENCY_MS,))) for net in (good, bad))
    assert judge.compare(of_bad, of_good).is_certain
    assert not judge.compare(of_good, of_bad).is_certain
    assert not judge.compare(of_good, of_good).is_certain
    assert judge.compare(of_bad, of_good).gain_db == pytest.approx(-judge.compare(of_good, of_bad).gain_db)


@pytest.mark.parametrize(
    ("as_sung", "remixed", "certain"),
    [
        ((0.1, 0.12, 0.09, 0.11), (0.2, 0.1, 0.3, 0.2), True),
        ((0.5, -0.4, 0.3, -0.3), (0.2, 0.1, 0.3, 0.2), False),  # on average only
        ((0.1, 0.12, 0.09, 0.11), (-0.1, -0.1, -0.2, -0.1), False),  # one question is answered no
    ],
)
def test_a_gain_counts_if_both_questions_are_answered_yes(
    rehearsal: Rehearsal, as_sung: tuple[float, ...], remixed: tuple[float, ...], certain: bool
) -> None:
    judge = Judge(rehearsal, {}, seed=1)
    before = {(q, LATENCY_MS): np.full((2, 8), 5.0) for q in (AS_SUNG, REMIXED)}
    for key in before:
        before[key][1, 3] = np.nan
    after = {
        (q, LATENCY_MS): before[q, LATENCY_MS] + np.tile(gains, 2)
        for q, gains in ((AS_SUNG, as_sung), (REMIXED, remixed))
    }
    found = judge.compare(before, after)
    assert found.is_certain is certain
    assert found.gains_db[AS_SUNG, LATENCY_MS] == pytest.approx(np.mean(as_sung))
    assert found.seconds == {AS_SUNG: 8, REMIXED: 8}


@pytest.mark.parametrize(
    ("gains_db", "least_db", "certain"),
    [
        ((0.2, 0.1, 0.2, 0.1), (0.1, 0.05), True),
        ((0.5, -0.1, 0.2, 0.1), (0.1, 0.05), False),  # as sung, one preset pays for the other
        ((0.2, 0.1, 0.5, -0.1), (0.1, 0.05), False),  # remixed, likewise
        ((0.2, 0.1, 0.2, 0.1), (-0.01, 0.05), False),  # as sung, by chance
        ((0.2, 0.1, 0.2, 0.1), (0.1, 0.0), False),
    ],
)
def test_no_preset_pays_for_another(
    gains_db: tuple[float, ...], least_db: tuple[float, ...], certain: bool
) -> None:
    keys = [(question, ms) for question in (AS_SUNG, REMIXED) for ms in (21, 43)]
    verdict = Verdict(
        dict(zip(keys, gains_db, strict=True)),
        dict(zip((AS_SUNG, REMIXED), least_db, strict=True)),
        {AS_SUNG: 8, REMIXED: 16},
    )
    assert verdict.is_certain is certain


def test_too_few_seconds_with_singing_are_refused(rehearsal: Rehearsal) -> None:
    scores = {(q, LATENCY_MS): np.full((2, 8), np.nan) for q in (AS_SUNG, REMIXED)}
    with pytest.raises(RtsepError, match="0 of the rehearsal's last 8 seconds"):
        Judge(rehearsal, {}, seed=1).compare(scores, scores)


def test_learning_is_repeatable_and_leaves_the_old_network_alone(
    rehearsal: Rehearsal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rtsep.training.choir.adapt.adapt.STEPS_PER_PRESET", 6)
    monkeypatch.setattr("rtsep.training.choir.adapt.adapt.STREAMS", 2)
    old = small_net()
    kept = {name: tensor.clone() for name, tensor in old.state_dict().items()}
    new, verdict = adapt(old, rehearsal, (LATENCY_MS,), seed=3)
    again, verdict_again = adapt(old, rehearsal, (LATENCY_MS,), seed=3)
    assert new.voices == old.voices
    assert verdict == verdict_again
    for name, tensor in kept.items():
        assert torch.equal(tensor, old.state_dict()[name])
        assert torch.equal(new.state_dict()[name], again.state_dict()[name])
    assert any(not torch.equal(tensor, new.state_dict()[name]) for name, tensor in kept.items())


def run(recording: Path, *arguments: object) -> tuple[int, str]:
    result = CliRunner().invoke(
        adapt_cli.command, [str(a) for a in (recording, "--voices", 2, *arguments)], catch_exceptions=False
    )
    return result.exit_code, result.stderr


def test_the_model_names_what_it_was_made_from_whatever_the_files_are_by_then(
    model: Model, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = tmp_path / "parent"
    shutil.copytree(model.folder, parent)
    mine = tmp_path / "mine.wav"
    shutil.copy(recording, mine)
    card, sound = ((hashlib.sha256(file.read_bytes()).hexdigest()) for file in (parent / CARD_FILE, mine))

    def replaced(net: SourceFilterNet, *_: object) -> tuple[SourceFilterNet, Verdict]:
        for file in (parent / CARD_FILE, mine):
            file.write_bytes(b"another one by now")
        return net, BETTER

    monkeypatch.setattr(adapt_cli, "adapt", replaced)
    without_onnx(monkeypatch)
    code, errors = run(mine, "--model", parent, "--out", tmp_path / "ours")
    assert code == 0, errors
    made = find_model(str(tmp_path / "ours")).card
    assert made.parent_sha256 == card
    assert sound in made.training_data[-1]


def test_a_better_model_is_a_folder_for_the_stage(
    model: Model, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def learnt(net: SourceFilterNet, *_: object) -> tuple[SourceFilterNet, Verdict]:
        with torch.no_grad():
            net.between.bias[1:] += 1.0
        return net, BETTER

    monkeypatch.setattr(adapt_cli, "adapt", learnt)
    files = {file: file.read_bytes() for file in model.folder.iterdir()}
    out = tmp_path / "ours"
    code, errors = run(recording, "--model", model.folder, "--out", out)
    assert code == 0, errors
    made = find_model(str(out))
    made.verify()
    (new,), (old,) = made.card.networks, model.card.networks
    assert new.latency_presets_ms == old.latency_presets_ms
    assert new.onnx_sha256 != old.onnx_sha256
    assert made.card.parent_sha256 == model.sha256
    assert new.seed == 1
    assert "as sung +0.20 dB at 43 ms" in made.card.measured_quality[0]
    assert "rehearsal.wav" in made.card.training_data[-1]
    assert {file: file.read_bytes() for file in model.folder.iterdir()} == files
    mixture = synthetic_choir(SAMPLERATE, 2.0, voices=2)[:, 0]

    def stems(folder: Path, latency_ms: int) -> np.ndarray:
        loaded = Separator.load(str(folder), voices=2, samplerate=SAMPLERATE, latency_ms=latency_ms)
        return loaded.process(mixture)

    np.testing.assert_array_equal(stems(out, 11), stems(model.folder, 11))
    assert np.any(stems(out, LATENCY_MS) != stems(model.folder, LATENCY_MS))
    _, net = levels_network(made)  # to adapt once more
    load_weights(net, out / new.weights)


def test_no_gain_no_model(
    model: Model, recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step of no length learns nothing: the judge must say so."""
    monkeypatch.setattr("rtsep.training.choir.adapt.adapt.STEPS_PER_PRESET", 1)
    monkeypatch.setattr("rtsep.training.choir.adapt.adapt.STREAMS", 1)
    monkeypatch.setattr("rtsep.training.choir.adapt.adapt.LEARNING_RATE", 1e-30)
    code, errors = run(recording, "--model", model.folder, "--out", tmp_path / "ours")
    assert code == adapt_cli.EXIT_NO_BETTER
    (line,) = [line for line in errors.splitlines() if line.startswith("rtsep:")]
    assert "no certain gain" in line
    assert f"--model {model.folder}" in line
    assert not list(tmp_path.iterdir())


def test_mistakes_are_refused_before_any_learning(model: Model, recording: Path, tmp_path: Path) -> None:
    long = round(SHORTEST_S * 16000)
    for name, sound in {
        "short.wav": np.full(16000, 0.1),
        "silent.wav": np.zeros(long),
        "broken.wav": np.append(np.full(long, 0.1), np.nan),
        "noise.wav": 0.01 * np.random.default_rng(1).standard_normal(long),
    }.items():
        soundfile.write(tmp_path / name, sound, 16000, subtype="FLOAT")
    (tmp_path / "text.wav").write_text("no audio")
    new = ("--model", model.folder, "--out", tmp_path / "new")
    cases = [
        ((tmp_path / "short.wav", *new), "lasts 1.0 s, at least 40 s"),
        ((tmp_path / "silent.wav", *new), "is silent"),
        ((tmp_path / "broken.wav", *new), "holds NaN or Inf"),
        ((tmp_path / "noise.wav", "--model", "choir", *new[2:]), "somebody sings in"),
        ((tmp_path / "text.wav", *new), r"text\.wav cannot be read"),
        ((tmp_path / "none.wav", *new), r"none\.wav cannot be read"),
        ((recording, "--model", model.folder, "--out", tmp_path), "exists"),
        ((recording, "--model", model.folder, "--out", tmp_path / "no" / "new"), "is not a folder"),
        ((recording, "--model", model.folder, "--out", Path("/proc/new")), "cannot be written"),
        ((recording, "--model", "choir-fixed", "--out", tmp_path / "new"), "has no source-filter network"),
        (
            (recording, "--model", write_band(tmp_path / "band"), "--out", tmp_path / "new"),
            "of the family band",
        ),
        ((recording, "--model", "no-model", "--out", tmp_path / "new"), "no-model"),
    ]
    for arguments, words in cases:
        with pytest.raises(RtsepError, match=words):
            run(*arguments)
    assert not (tmp_path / "new").exists()
