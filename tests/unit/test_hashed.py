"""The guard's filter of names: whoever is in it is found, whoever is known to be innocent is not, nearly nobody else is."""

from functools import cache

import pytest

from optout_gate.rewrite.hashed import BITS, DRAWS, Hashed, hashed

NAMES = [f"host{number}.example" for number in range(2000)]
WORD = 2**32


def fnv(name: str, seed: int) -> int:
    """Return the hash of a name, by the words of its definition, in integers of any size."""
    value = seed
    octets = name.encode("utf-16-le")
    for at in range(0, len(octets), 2):
        value = (value ^ int.from_bytes(octets[at : at + 2], "little")) * 16777619 % WORD
    return value


@cache
def digits_of(rows: str) -> list[int]:
    return [31 if character == "}" else ord(character) - 61 for character in rows]


def has(filter_: Hashed, name: str) -> bool:
    """Ask a filter as ``guard.js`` asks it: out of the text, a row at a time."""
    size = len(filter_.rows) // 3
    digits = digits_of(filter_.rows)
    hash_ = fnv(name, filter_.seed)
    value = hash_ >> 32 - BITS
    for _ in range(DRAWS):
        hash_ = (hash_ ^ hash_ // 2**15) * 739982445 % WORD
        high, middle, low = (digits[hash_ % size + part * size] for part in range(3))
        value ^= high << 11 | middle << 5 | low
    return value == 0


@pytest.mark.parametrize("number", [0, 1, 2, 31, 32, 33, 500, 2000])
def test_every_name_is_found_whatever_their_number(number: int) -> None:
    filter_ = hashed(NAMES[:number])
    assert all(has(filter_, name) for name in NAMES[:number])
    assert len(filter_.rows) <= 3 * (16 + number * 1.02)


def test_nearly_no_other_name_is_taken_for_one() -> None:
    filter_ = hashed(NAMES)
    taken = sum(has(filter_, f"other{number}.test") for number in range(100_000))
    assert taken <= 8  # 0.8 are to be expected; more than 8 comes once in a million seeds


def test_an_innocent_name_that_would_be_taken_turns_the_seed() -> None:
    filter_ = hashed(NAMES[:50])
    number = next(n for n in range(10**7) if has(filter_, f"n{n}.test"))
    turned = hashed(NAMES[:50], [f"n{number}.test", NAMES[0]])
    assert turned.seed != filter_.seed
    assert not has(turned, f"n{number}.test")
    assert has(turned, NAMES[0])  # denied and innocent at once: denied


def test_names_beyond_ascii_are_found_by_their_utf_16_units() -> None:
    names = ["\u00e9", "\U0001f600", "\ud800"]
    filter_ = hashed(names[:2])
    assert has(filter_, names[0])
    assert has(filter_, names[1])
    assert hashed(names).seed  # half a character is a unit, too


def test_a_filter_stands_in_json_and_in_html_as_it_is() -> None:
    assert not set(hashed(NAMES).rows) & set("<&'\"\\")


def test_a_name_said_twice_is_one() -> None:
    assert hashed([*NAMES, *NAMES]) == hashed(NAMES)


def test_equal_sets_in_another_order_are_equal_filters() -> None:
    assert hashed(NAMES[::-1]) == hashed(NAMES)
