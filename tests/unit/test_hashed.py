"""The guard's table of hashes: whoever is in it is found, whoever is known to be innocent is not, nearly nobody else is."""

from optout_gate.rewrite.hashed import SPREAD, Hashed, hashed, place

NAMES = [f"host{number}.example" for number in range(2000)]


def read(table: Hashed) -> set[int]:
    """Return the places in a table, read as ``guard.js`` reads them."""
    digits = [(92 if character == "}" else ord(character)) - 61 for character in table.table]
    high, low = iter(digits[: -2 * table.size]), iter(digits[-2 * table.size :])
    places, at = set(), 0
    for _ in range(table.size):
        digit = next(high)
        at += digit * 4096
        while digit == 63:
            digit = next(high)
            at += digit * 4096
        at += next(low) * 64 + next(low)
        places.add(at)
    return places


def has(table: Hashed, name: str) -> bool:
    return place(name, table.seed, table.range) in read(table)


def test_every_name_is_found_and_names_are_many_bits_apart() -> None:
    table = hashed(NAMES)
    places = read(table)
    assert places == {place(name, table.seed, table.range) for name in NAMES}
    assert max(places) < table.range == len(NAMES) * SPREAD
    assert len(table.table) < 4 * len(NAMES)


def test_nearly_no_other_name_is_taken_for_one() -> None:
    table = hashed(NAMES)
    places = read(table)
    others = 200_000
    taken = sum(place(f"other{number}.test", table.seed, table.range) in places for number in range(others))
    assert taken <= 10  # 1.5 are to be expected; more than 10 comes once in a million seeds


def test_an_innocent_name_that_would_be_taken_turns_the_seed() -> None:
    table = hashed(NAMES)
    places = read(table)
    number = next(n for n in range(10**7) if place(f"n{n}.test", table.seed, table.range) in places)
    turned = hashed(NAMES, [f"n{number}.test", NAMES[0]])
    assert turned.seed != table.seed
    assert not has(turned, f"n{number}.test")
    assert has(turned, NAMES[0])  # denied and innocent at once: denied


def test_a_table_stands_in_json_and_in_html_as_it_is() -> None:
    assert not set(hashed(NAMES).table) & set("<>&'\"\\") - {">"}
    assert hashed([]) == Hashed("", 0, SPREAD, hashed([]).seed)


def test_hashing_is_that_of_utf_16_units() -> None:
    # FNV-1a of one unit, with the last stir, done by hand with integers of any size.
    value = (0x811C9DC5 ^ 0xE9) * 16777619 % 2**32
    value = (value ^ value // 2**15) * 739982445 % 2**32
    assert place("\u00e9", 0x811C9DC5, 2**32) == value ^ value // 2**13
    assert place("\U0001f600", 1, 2**32) != place("\u00e9", 1, 2**32)
