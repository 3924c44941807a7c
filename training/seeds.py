"""Random numbers by name: every draw has a generator of its own, and no two draws share one.

Two draws from one generator are one draw: while the preset of a batch and the kind of its second row came out
of the same numbers, that row was a random mix at every short preset and never at a long one. Seeding by a
plain tuple does not keep draws apart either: NumPy fills short tuples up with zeros, so that
`SeedSequence((s, 1))` equals `SeedSequence((s, 1, 0))`. A spawn key is taken whole, its length included.
"""

import numpy as np

_WORD = 2**32  # of a spawn key: larger numbers would take two places and could meet another key


def seed_sequence(seed: int, name: str, *numbers: int) -> np.random.SeedSequence:
    """What a generator grows from.

    Args:
        seed: of the run, 0 or more.
        name: what is drawn; another name gives other numbers.
        numbers: which draw of that name: step, row, item, each 0 .. 2^32 - 1.

    Raises:
        ValueError: a number outside its bounds.
    """
    if not all(0 <= number < _WORD for number in numbers):
        raise ValueError(f"numbers {numbers} of draw {name!r} must lie in 0 .. 2^32 - 1")
    letters = name.encode()
    # the name's length goes first: no name and number can be read as another name and number
    key = (len(letters), *letters, *(int(number) for number in numbers))
    return np.random.SeedSequence(int(seed), spawn_key=key)


def generator(seed: int, name: str, *numbers: int) -> np.random.Generator:
    """Random numbers for one draw; arguments and errors as of `seed_sequence`."""
    return np.random.default_rng(seed_sequence(seed, name, *numbers))


def torch_seed(seed: int, name: str, *numbers: int) -> int:
    """For `torch.manual_seed`: 0 .. 2^63 - 1; arguments and errors as of `seed_sequence`."""
    return int(seed_sequence(seed, name, *numbers).generate_state(1, np.uint64)[0] >> np.uint64(1))
