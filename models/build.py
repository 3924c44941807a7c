"""From a model's name or folder, and what is asked of it, to a model ready to step."""

from dataclasses import dataclass
from functools import cached_property

from rtsep.kernels.errors import ModelRefused
from rtsep.models.band.build import band_stems, build_band
from rtsep.models.band.model import BandModel
from rtsep.models.card import BAND, CHOIR
from rtsep.models.card_rules import require_offered
from rtsep.models.choir.both_ways import BothWaysChoir
from rtsep.models.choir.build import build_both_ways, build_choir, hears_both_ways
from rtsep.models.choir.given_pitches import F0Track
from rtsep.models.choir.model import voice_names
from rtsep.models.choir.parts.parts import Parts
from rtsep.models.choir.score.score import Score
from rtsep.models.framing import Framing
from rtsep.models.mask_model import RESIDUAL, MaskModel
from rtsep.models.mid_side import MidSideModel, mid_and_side
from rtsep.models.registry import DEFAULT_MODEL, Model, default_model, find_model, require_voices
from rtsep.models.runtimes.network_step import MakeStep
from rtsep.models.runtimes.onnx_step import OnnxStep
from rtsep.models.singers import VOCALS, SingersModel, with_singers

DEFAULT_VOICES = 4  # of a choir


@dataclass(frozen=True)
class ModelChoice:
    """Which model, and what of it. Cards are read here, weights are not.

    Attributes:
        model: name or folder; None for the shipped choir, or the shipped band where stems are named.
        voices: how many, highest first: of a choir (4 where left out), or of the singers in a band's vocals
            (where left out, the vocals stay one stem).
        stems: which of a band's, in this order; all where left out.
        add_ons: folders of decoders beside a band's own.
        score: what a choir sings: its parts are the voices.
        parts: of a choir, where they may cross without a score.

    Raises:
        ModelRefused: on `names` and on building, for anything that the model's family does not have.
    """

    model: str | None = None
    voices: int | None = None
    stems: tuple[str, ...] | None = None
    add_ons: tuple[str, ...] = ()
    score: Score | None = None
    parts: Parts | None = None

    @property
    def name(self) -> str:
        """Of the model."""
        return self.model or default_model(named_stems=bool(self.stems or self.add_ons))

    @cached_property
    def found(self) -> Model:
        """The model."""
        return find_model(self.name)

    @cached_property
    def found_add_ons(self) -> tuple[Model, ...]:
        """The add-ons."""
        return tuple(find_model(name) for name in self.add_ons)

    @property
    def voice_count(self) -> int:
        """Of a choir, or of the singers in a band; 0 where the vocals stay one stem."""
        if self.score is not None:
            return len(self.score.parts)
        if self.parts is not None:
            return len(self.parts.names)
        return self.voices or (DEFAULT_VOICES if self.found.card.family == CHOIR else 0)

    def names(self) -> tuple[str, ...]:
        """Names of the stems in order, the residual left out."""
        self._check()
        if self.found.card.family == CHOIR:
            named = self.parts.names if self.parts is not None else voice_names(self.voice_count)
            return named if self.score is None else self.score.parts
        stems = band_stems(self.found, self.stems, self.found_add_ons)
        return with_singers(stems, self.voices) if self.voices else stems

    def pitches(self, path: str) -> F0Track:
        """The contours of a file for all voices.

        Raises:
            ModelRefused: as `names`, or no voices.
            InputRefused: as of `F0Track.load`.
        """
        self.names()
        if not self.voice_count:
            raise ModelRefused(
                f"--f0 {path} is not for model {self.name}: its stems have no pitch",
                "leave it out, or say how many singers it is for with --voices",
            )
        return F0Track.load(path, self.voice_count)

    def _check(self) -> None:
        card = self.found.card
        if self.voices is not None:
            require_voices(self.voices)
        if self.score is not None:
            self._check_score(self.score)
        if self.parts is not None:
            self._check_parts(self.parts)
        if card.family == CHOIR:
            if self.stems is not None:
                raise ModelRefused(
                    f"--stems {','.join(self.stems)} is not for model {card.name}, whose family {CHOIR} has "
                    "voices, not named stems",
                    f"use --voices, or a --model of the family {BAND}",
                )
            if self.add_ons:
                raise ModelRefused(
                    f"--add-on {self.add_ons[0]} is not for model {card.name}, whose family {CHOIR} has no "
                    "decoders to add to",
                    f"leave it out, or use a --model of the family {BAND}",
                )
            return
        _check_stems(self.stems)
        if self.voices is not None and VOCALS not in band_stems(self.found, self.stems, self.found_add_ons):
            raise ModelRefused(
                f"--voices {self.voices} is not for these stems of model {card.name}: its family {BAND} has "
                f"voices in the stem {VOCALS} alone",
                f"leave it out, or add {VOCALS} to --stems",
            )

    def _check_score(self, score: Score) -> None:
        if self.found.card.family != CHOIR:
            raise ModelRefused(
                f"model {self.found.card.name} of the family {self.found.card.family} follows no score",
                "leave out --score, or separate a choir",
            )
        if self.voices is not None and self.voices != len(score.parts):
            raise ModelRefused(
                f"the score has {len(score.parts)} parts, --voices is {self.voices}",
                "leave --voices out: each part is a voice",
            )

    def _check_parts(self, parts: Parts) -> None:
        if self.found.card.family != CHOIR:
            raise ModelRefused(
                f"model {self.found.card.name} of the family {BAND} has no parts that cross",
                "leave out --order, --parts and --range, or separate a choir",
            )
        if self.score is not None:
            raise ModelRefused(
                "a score and --order part both say who sings what",
                "leave out --order, --parts and --range: the score has the parts",
            )
        if self.voices is not None and self.voices != len(parts.names):
            raise ModelRefused(
                f"{len(parts.names)} parts are named, --voices is {self.voices}", "leave --voices out"
            )


def _check_stems(stems: tuple[str, ...] | None) -> None:
    if stems is None:
        return
    if not stems or not all(stems):
        raise ModelRefused("--stems has an empty name", "separate the names by single commas")
    if RESIDUAL in stems:
        raise ModelRefused(f"--stems names the {RESIDUAL}, which is always there", "leave it out")
    for stem in stems:
        if stems.count(stem) > 1:
            raise ModelRefused(f"--stems names {stem!r} {stems.count(stem)} times", "name each stem once")


def build_model(
    model: str | None = None,
    *,
    voices: int | None = None,
    stems: tuple[str, ...] | None = None,
    add_ons: tuple[str, ...] = (),
    framing: Framing,
    channels: int = 1,
    f0: F0Track | None = None,
    score: Score | None = None,
    parts: Parts | None = None,
    later_hops: int = 0,
    make_step: MakeStep = OnnxStep,
) -> MaskModel:
    """Builds what `ModelChoice(model, voices, stems, add_ons)` chooses.

    Args:
        model, voices, stems, add_ons: see `ModelChoice`.
        framing: the spectrum's layout.
        channels: of the spectrum. Two channels of a band get masks for mid and side at 21 ms and more,
            else all channels one mask.
        f0: pitches of the voices to follow; without them they are tracked.
        score: what a choir sings; each part steers the stem of its name.
        parts: of a choir, where they may cross.
        later_hops: how many hops after a frame its pitches are decided, see `LaterTracker`.
        make_step: what runs the networks, see `backends.step_maker`.

    Raises:
        ModelRefused: an unknown name, a damaged file, something that the model's family does not have, a
            sample rate or latency that its card does not offer, or another number of given pitches than of
            voices.
    """
    choice = ModelChoice(model, voices, stems, add_ons, score, parts)
    choice.names()
    if choice.found.card.family == CHOIR:
        return build_choir(
            choice.name,
            voices=choice.voice_count,
            framing=framing,
            f0=f0,
            make_step=make_step,
            score=score,
            parts=parts,
            later_hops=later_hops,
        )
    if later_hops:
        card = choice.found.card
        presets = ", ".join(map(str, card.latency_presets_ms))
        raise ModelRefused(
            f"model {card.name} works at {presets} ms, its family {card.family} decides nothing later",
            f"choose --latency among {presets}",
        )
    if f0 is not None and not voices:
        raise ModelRefused(
            f"the stems of model {choice.found.card.name} have no pitch to be given",
            "leave --f0 out, or say how many singers it is for with --voices",
        )
    for part in (choice.found, *choice.found_add_ons):
        require_offered(part.card, framing)

    def one() -> BandModel:
        return build_band(
            choice.found, stems=stems, add_ons=choice.found_add_ons, framing=framing, make_step=make_step
        )

    band = MidSideModel(one(), one()) if mid_and_side(channels, framing) else one()
    if not voices:
        return band
    choir = build_choir(DEFAULT_MODEL, voices=voices, framing=framing, f0=f0, make_step=make_step)
    return SingersModel(band, choir, channels, framing.bins)


def why_not_both_ways(choice: ModelChoice, framing: Framing, f0: F0Track | None) -> str:
    """Why a file cannot be heard from both ends; empty where it can.

    Raises:
        ModelRefused: as of `ModelChoice`.
    """
    choice.names()
    card = choice.found.card
    if card.family != CHOIR:
        return f"model {card.name} is of the family {card.family}, and only a {CHOIR} is heard from both ends"
    if f0 is None and not hears_both_ways(choice.found, framing):
        return f"model {card.name} has no network for pitches that could hear from both ends"
    return ""


def build_file_model(
    choice: ModelChoice, *, framing: Framing, f0: F0Track | None, make_step: MakeStep = OnnxStep
) -> BothWaysChoir:
    """What a file that ends is separated by, where `why_not_both_ways` has no reason against it.

    Raises:
        ModelRefused: as of `build_model`.
    """
    return build_both_ways(
        choice.name,
        voices=choice.voice_count,
        framing=framing,
        f0=f0,
        make_step=make_step,
        score=choice.score,
    )


def require_gpu_family(choice: ModelChoice, backend: str) -> None:
    """Raises ModelRefused for a model whose hop does not run on a GPU.

    Raises:
        ModelRefused: a band.
    """
    if choice.found.card.family != CHOIR:
        raise ModelRefused(
            f"--backend {backend} does not run model {choice.found.card.name}: its family "
            f"{choice.found.card.family} runs on the processor",
            "use --backend cpu or openvino",
        )
