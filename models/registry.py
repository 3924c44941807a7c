"""Which models there are: those of the package by name, and those a user brings as a folder."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from rtsep.kernels.errors import RtsepError
from rtsep.models.card import ModelCard, read_card

CARD_FOLDER = Path(__file__).parent / "cards"
WEIGHTS_FOLDER = Path(__file__).parent / "weights"
CARD_FILE = "card.json"  # of a model that is a folder
DEFAULT_MODEL = "choir"
DEFAULT_BAND = "band"  # where stems are named


@dataclass(frozen=True)
class Model:
    """A card and the files it names.

    Attributes:
        card: what it is.
        card_file: where the card is.
        folder: where the card's files are.
        remedy: what to do about a damaged file.
    """

    card: ModelCard
    card_file: Path
    folder: Path
    remedy: str

    def read(self, file_name: str) -> bytes:
        """Content of a file that the card names, after comparing it with the card.

        Raises:
            RtsepError: the file is missing or another one than the card describes.
        """
        path = self.folder / file_name
        (expected,) = {n.files[file_name] for n in self.card.networks if file_name in n.files}
        try:
            content = path.read_bytes()
        except OSError as error:
            raise RtsepError(
                f"model {self.card.name}: {path} cannot be read ({error.strerror})", self.remedy
            ) from error
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            raise RtsepError(
                f"model {self.card.name}: {path} ({len(content)} bytes) has SHA-256 {found[:12]}..., "
                f"the card says {expected[:12]}...",
                self.remedy,
            )
        return content

    def verify(self) -> None:
        """Compares every file with the card.

        Raises:
            RtsepError: a file is missing or another one than the card describes.
        """
        for network in self.card.networks:
            for file_name in network.files:
                self.read(file_name)

    def sha256(self) -> str:
        """Of the card, which holds those of all files: the model's identity."""
        return hashlib.sha256(self.card_file.read_bytes()).hexdigest()


@cache
def shipped_models() -> dict[str, Model]:
    """The package's own models by name, in the order of their names."""
    files = sorted(CARD_FOLDER.glob("*.json"), key=lambda path: path.stem)
    found = [Model(read_card(file), file, WEIGHTS_FOLDER, "install rtsep again") for file in files]
    return {model.card.name: model for model in found}


def default_model(named_stems: bool) -> str:
    """The shipped model to use where none is named.

    Args:
        named_stems: whether stems are asked for by name.

    Raises:
        RtsepError: no model with named stems is shipped.
    """
    if not named_stems:
        return DEFAULT_MODEL
    if DEFAULT_BAND not in shipped_models():
        raise RtsepError(
            "named stems need a model of the family band, and this rtsep brings none",
            "name one with --model FOLDER",
        )
    return DEFAULT_BAND


def find_model(name: str) -> Model:
    """A shipped model by its name, or the model in a folder by its path; its files are not looked at yet.

    Raises:
        RtsepError: neither, or a card that cannot be used.
    """
    if name in shipped_models():
        return shipped_models()[name]
    folder = Path(name)
    if not folder.is_dir():
        raise RtsepError(
            f"model {name!r} is not one of {', '.join(shipped_models())}, nor a folder with a {CARD_FILE}",
            "see `rtsep models`",
        )
    file = folder / CARD_FILE
    return Model(read_card(file), file, folder, "copy the model's folder again from where it came")
