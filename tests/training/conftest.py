"""Donors for the renderer's tests, made once."""

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def bank_folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, ...]:
    from helpers.voicebank_fixture import write_voicebank

    pytest.importorskip("pyworld", reason="the choir renderer needs pyworld (extra `test`)")
    root = tmp_path_factory.mktemp("voicebanks")
    facts = 'licence = "CC0"\ncredit = "nobody"\n'
    return (write_voicebank(root / "low", 150.0, facts), write_voicebank(root / "high", 330.0))


@pytest.fixture(scope="session")
def bank_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")
