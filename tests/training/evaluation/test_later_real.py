"""Patience pays on a real quartet; needs recordings, which are not part of the project."""

import os
from pathlib import Path

import pytest

from rtsep.training.evaluation.stems import find_mixtures, read_mixture
from rtsep.training.evaluation.systems import find_system, separate
from rtsep.training.measures.protocol import SAMPLERATE, score, summarise

DATA = Path(os.environ.get("RTSEP_DATA", Path(__file__).resolve().parents[3] / ".." / "shared" / "data"))
QUARTETS = DATA / "csd_nino_dios"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not QUARTETS.exists(), reason=f"RTSEP_DATA ({DATA}) lacks csd_nino_dios"),
]


def test_pitches_that_are_decided_later_are_better() -> None:
    stems = read_mixture(find_mixtures(QUARTETS, "same")[1])[:, : 40 * SAMPLERATE]
    tracked = find_system("choir-tracked")

    def mean_db(latency_ms: int) -> float:
        found = summarise(score(stems, separate(tracked, stems, latency_ms, None).voices)).mean_db
        assert found is not None
        return found

    now, later, much_later = (mean_db(latency_ms) for latency_ms in (43, 143, 543))
    assert later > now + 0.4
    assert much_later > later + 0.1
