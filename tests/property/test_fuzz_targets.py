"""What ``make fuzz`` tries for as long as one likes, at a bounded size: the same functions, seeds and mutations of them.

``fuzz/http_targets.py`` and ``fuzz/gate_targets.py`` say what each promises.
"""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fuzz

EXAMPLES = {"request": 500, "response": 1000, "relay": 100, "signals": 500, "page": 400, "sheet": 400}

EDIT = st.tuples(st.integers(0, 1023), st.integers(0, 6), st.binary(max_size=6))
"""Where, how many bytes go, and what comes instead."""


def edited(seed: bytes, edits: list[tuple[int, int, bytes]], *, longest: int = 1024) -> bytes:
    data = bytearray(seed[:longest])
    for place, removed, put in edits:
        place %= len(data) + 1
        data[place : place + removed] = put
    return bytes(data)


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_every_seed_keeps_the_promise(name: str) -> None:
    tried = fuzz.target(name)
    seeds = list(fuzz.seeds(name))
    assert seeds
    for seed in seeds:
        tried(seed)


@pytest.mark.parametrize("name", fuzz.TARGETS)
def test_no_mutation_of_a_seed_breaks_it(name: str) -> None:
    tried, seeds = fuzz.target(name), list(fuzz.seeds(name))
    inputs = st.builds(edited, st.sampled_from(seeds), st.lists(EDIT, max_size=8)) | st.binary(max_size=200)

    # The same inputs every time: what is new is for ``make fuzz`` to find, not for whoever runs the tests next.
    def keeps(data: bytes) -> None:
        tried(data)

    bounded = settings(
        max_examples=EXAMPLES[name], deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    bounded(given(inputs)(keeps))()
