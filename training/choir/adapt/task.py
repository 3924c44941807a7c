"""Learning from a better-informed teacher: on stage a network has a few ms of what comes, its teacher has the
whole recording.

Half of what is learnt is the rehearsal itself, with the pitches as tracked at the preset's latency and the
teacher's voices as targets: what to make of a tracker's mistakes. The other half are remixes, where parts and
pitches are known: what these voices in this room sound like.
"""

from torch import nn

from rtsep.models.networks.source_filter_net import SourceFilterNet
from rtsep.training.choir.adapt.judge import Judge, Verdict
from rtsep.training.choir.adapt.rehearsal import Rehearsal
from rtsep.training.choir.adapt.remix import LABEL_SAMPLES, remix
from rtsep.training.choir.levels.batches import SCORED_S, WARM_S, LevelBatch
from rtsep.training.choir.levels.mask_loss import MaskLoss
from rtsep.training.choir.levels.stream import LevelStream, excerpts, hop_pitches, level_stream
from rtsep.training.loop.task import Carried, Draw, Loss
from rtsep.training.measures.protocol import SAMPLERATE
from rtsep.training.seeds import generator

REMIXES = 3
AS_SUNG = 0.5  # share of excerpts


class AdaptTask:
    """A levels network and the rehearsal it adapts to.

    Args:
        net: with the rehearsal's number of voices.
        rehearsal: to learn from, but for its held-out end.
        latencies_ms: presets to learn in turn.
        seed: of the remixes.

    Raises:
        RtsepError: too little singing to judge by.

    Attributes:
        verdict: of the last validation, against the network as it came.
    """

    def __init__(
        self, net: SourceFilterNet, rehearsal: Rehearsal, latencies_ms: tuple[int, ...], seed: int
    ) -> None:
        self.net = net
        self._latencies = latencies_ms
        self._loss = MaskLoss(net, latencies_ms)
        end = rehearsal.learnt_samples
        rng = generator(seed, "remixes to learn from")
        remixes = [
            remix(rehearsal.forward[:, :end], rehearsal.forward_hz[:, : end // LABEL_SAMPLES], rng)
            for _ in range(REMIXES)
        ]
        self._sung: dict[int, LevelStream] = {}
        self._remixed: dict[int, list[LevelStream]] = {}
        for ms in latencies_ms:
            tracked_hz = rehearsal.pitches_hz[ms]
            self._sung[ms] = level_stream(rehearsal.mixture, rehearsal.agreed, tracked_hz, ms)
            self._remixed[ms] = [
                level_stream(stems.sum(axis=0), stems, hop_pitches(f0_hz, stems.shape[1], ms), ms)
                for stems, f0_hz in remixes
            ]
        self._learnt_samples = end
        self._judge = Judge(rehearsal, self._sung, seed)
        self._before = self._judge.scores(self._loss)
        self._judge.compare(self._before, self._before)  # refuses what cannot be judged, before any learning
        self.verdict: Verdict | None = None

    @property
    def module(self) -> nn.Module:
        """The network."""
        return self.net

    def carried(self, streams: int) -> Carried:
        """Nothing: every excerpt warms up by itself."""
        return ()

    def batch(self, draw: Draw) -> LevelBatch:
        """Excerpts of one preset."""
        ms = self._latencies[draw.step % len(self._latencies)]
        hops = int((WARM_S + SCORED_S[ms]) * SAMPLERATE / self._sung[ms].hop)
        chosen = []
        for row in draw.streams:
            rng = draw.rng("excerpt", row)
            remixed = self._remixed[ms][int(rng.integers(REMIXES))]
            stream = self._sung[ms] if rng.random() < AS_SUNG else remixed
            learnt = min(stream.hops, self._learnt_samples // stream.hop)
            chosen.append((stream, int(rng.integers(learnt - hops + 1))))
        return excerpts(chosen, hops)

    def loss(self, module: nn.Module, batch: LevelBatch, carried: Carried) -> Loss:
        """That of training through masks."""
        return self._loss.loss(batch)

    def validate(self, module: nn.Module) -> dict[str, float]:
        """The gain on the held-out part, dB."""
        self.verdict = self._judge.compare(self._before, self._judge.scores(self._loss))
        return {"score": self.verdict.gain_db}
