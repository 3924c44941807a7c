"""A band model's folder, made once: exporting networks takes seconds."""

from pathlib import Path

import pytest
from helpers.tiny_band import write_add_on, write_band


@pytest.fixture(scope="session")
def band(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole model with four stems."""
    return write_band(tmp_path_factory.mktemp("models") / "tiny-band")


@pytest.fixture(scope="session")
def guitar(band: Path) -> Path:
    """An add-on for it."""
    return write_add_on(band.parent / "tiny-guitar", band)
