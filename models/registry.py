"""Which models there are: those of the package by name, and those a user brings as a folder."""

import hashlib
import os
import stat
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rtsep.kernels.assignments import MAX_VOICES
from rtsep.kernels.errors import ModelRefused
from rtsep.models.card import CHOIR, ModelCard, read_card
from rtsep.models.card_rules import require_offered, shown
from rtsep.models.framing import Framing

CARD_FOLDER = Path(__file__).parent / "cards"
WEIGHTS_FOLDER = Path(__file__).parent / "weights"
CARD_FILE = "card.json"  # of a model that is a folder
DEFAULT_MODEL = "choir"
DEFAULT_BAND = "band"  # where stems are named
MAX_NETWORK_BYTES = 1 << 31  # of an ONNX file: its format ends there


@dataclass(frozen=True)
class Model:
    """A card and the files it names.

    Attributes:
        card: what it is.
        sha256: of the bytes that the card was read from. It holds those of all files, so it is the model's
            identity; empty for a card that no file holds.
        folder: where the card's files are.
        remedy: what to do about a damaged file.
    """

    card: ModelCard
    sha256: str
    folder: Path
    remedy: str

    def read(self, file_name: str) -> bytes:
        """Content of a file that the card names, after comparing it with the card.

        Raises:
            ModelRefused: the file is missing or another one than the card describes.
        """
        path = self.folder / file_name
        (expected,) = {n.files[file_name] for n in self.card.networks if file_name in n.files}
        try:
            content = _read_regular(path)
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ModelRefused(
                f"model {self.card.name}: {path} cannot be read ({reason})", self.remedy
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            raise ModelRefused(
                f"model {self.card.name}: {path} ({len(content)} bytes) has SHA-256 {found[:12]}..., "
                f"the card says {expected[:12]}...",
                self.remedy,
            )
        return content

    def verify(self) -> None:
        """Compares every file with the card.

        Raises:
            ModelRefused: a file is missing or another one than the card describes.
        """
        for network in self.card.networks:
            for file_name in network.files:
                self.read(file_name)


def _read_regular(path: Path) -> bytes:
    """Raises ValueError for what is no file, or larger than a network can be."""
    found = os.stat(path)
    if not stat.S_ISREG(found.st_mode):  # opening a pipe would wait for its writer
        raise ValueError("not a file")
    if found.st_size > MAX_NETWORK_BYTES:
        raise ValueError(f"{found.st_size} bytes is more than {MAX_NETWORK_BYTES}")
    return path.read_bytes()


@cache
def shipped_models() -> dict[str, Model]:
    """The package's own models by name, in the order of their names."""
    files = sorted(CARD_FOLDER.glob("*.json"), key=lambda path: path.stem)
    found = [Model(*read_card(file), WEIGHTS_FOLDER, "install rtsep again") for file in files]
    return {model.card.name: model for model in found}


def default_model(named_stems: bool) -> str:
    """The shipped model to use where none is named.

    Args:
        named_stems: whether stems are asked for by name.

    Raises:
        ModelRefused: no model with named stems is shipped.
    """
    if not named_stems:
        return DEFAULT_MODEL
    if DEFAULT_BAND not in shipped_models():
        raise ModelRefused(
            "named stems need a model of the family band, and this rtsep brings none",
            "name one with --model FOLDER",
        )
    return DEFAULT_BAND


def find_model(name: str) -> Model:
    """A shipped model by its name, or the model in a folder by its path; its files are not looked at yet.

    Raises:
        ModelRefused: neither, or a card that cannot be used.
    """
    if name in shipped_models():
        return shipped_models()[name]
    folder = Path(name)
    if not _is_folder(folder):
        raise ModelRefused(
            f"model {shown(name)} is not one of {', '.join(shipped_models())}, "
            f"nor a folder with a {CARD_FILE}",
            "see `rtsep models`",
        )
    file = folder / CARD_FILE
    return Model(*read_card(file), folder, "copy the model's folder again from where it came")


def require_voices(voices: int) -> None:
    """Raises ModelRefused for a number of voices outside 1..4."""
    if not 1 <= voices <= MAX_VOICES:
        raise ModelRefused(f"{voices} voices is outside 1..{MAX_VOICES}", "ask for --voices 1 to 4")


def find_choir(name: str, voices: int, framing: Framing) -> Model:
    """A model of the family choir that offers what is asked of it.

    Raises:
        ModelRefused: an unknown name, another family, a number of voices outside 1..4, or a sample rate,
            latency or number of voices that its card does not offer.
    """
    require_voices(voices)
    model = find_model(name)
    card = model.card
    if card.family != CHOIR:
        raise ModelRefused(
            f"model {card.name} is of the family {card.family}, which follows no pitches",
            f"choose a model of the family {CHOIR}: see rtsep models",
        )
    require_offered(card, framing)
    if voices > len(card.stems):
        raise ModelRefused(
            f"model {card.name} gives up to {len(card.stems)} voices, not {voices}",
            f"ask for --voices {len(card.stems)} or fewer",
        )
    return model


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that no file can have
        return False
