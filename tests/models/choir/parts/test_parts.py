"""Names and ranges of parts, and what is refused."""

import pytest

from rtsep import ModelRefused, Parts


def test_letters_and_names_are_parts() -> None:
    parts = Parts.parse("S,alto,T,t", {"tenor-2": "Bb2-F#4"})
    assert parts.names == ("soprano", "alto", "tenor-1", "tenor-2")
    assert parts.ranges[0] == (57.0, 84.0)
    assert parts.ranges[3] == (46.0, 66.0)


def test_voices_have_ranges_where_they_are_given() -> None:
    parts = Parts.parse(None, {"voice-1": "C4-A5"}, voices=2)
    assert parts.ranges == ((60.0, 81.0), None)
    bounds = parts.bounds
    assert bounds is not None
    assert bounds[1, 0] < 0
    assert bounds[1, 1] > 127
    assert Parts.parse(None, {}).bounds is None
    assert len(Parts.parse(None, {}).names) == 4


@pytest.mark.parametrize(
    ("parts", "ranges", "voices", "words"),
    [
        ("S,X", {}, None, "'x' is no part; choose from S soprano"),
        ("S,A,T,B,B", {}, None, "names 5 parts, more than the 4 voices"),
        ("S,A", {}, 3, "names 2 parts, --voices is 3"),
        ("S,A", {"bass": "C2-C4"}, None, "names 'bass', which is no part; the parts are soprano, alto"),
        (None, {"voice-3": "C2-C4"}, 2, "no part; the parts are voice-1, voice-2"),
        (None, {"voice-1": "A5-C4"}, 2, "runs backwards; give C4-A5"),
        (None, {"voice-1": "C4"}, 2, "is no range; give lowest-highest"),
        (None, {"voice-1": "H4-C5"}, 2, "'H4' is not a note"),
        (None, {"voice-1": "C7-E7"}, 2, "outside C2-C6"),
    ],
)
def test_mistakes_are_told_in_one_line(
    parts: str | None, ranges: dict[str, str], voices: int | None, words: str
) -> None:
    with pytest.raises(ModelRefused) as refused:
        Parts.parse(parts, ranges, voices)
    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
