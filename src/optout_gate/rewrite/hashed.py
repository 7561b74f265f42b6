"""A set of names as the guard carries it: a filter in place of names, so that a whole catalogue fits into a page's first script.

In plain text the hosts, cookies and keys of 1,300 vendors take 20 KB under Brotli, and an object of them takes the
browser longer to build than all the rest. A filter that answers "is it one of them?" needs no names. This one is a ribbon
filter (Dillinger and Walzer, arXiv:2103.02515): a name's hash gives a place, :data:`WIDTH` coefficients and a value of
:data:`BITS` bits; the rows that the coefficients choose, from that place on, make the value when they are XORed. A name
takes 18 bits, of which 17 are information, and nothing has to be read before the first question: a row is three
characters of the text.

The price: a name that is not in the set answers yes once in 2**17 = 131,072 times. A third party's host is asked
for label by label, two or three times, so one innocent host in 50,000 is taken for a denied one, a cookie (asked for with
some eight endings cut off) one in 16,000. It is the same one on every page and for every visitor of one catalogue. Names
that are known to be innocent are never taken: the seed is turned until none of them is.

The reader is in ``browser/guard.js``; a test in a browser holds the two together.
"""

from collections.abc import Collection
from dataclasses import dataclass

BITS = 17
"""Bits of a value, and of a row: 6 + 6 + 5, each part one character."""
WIDTH = 32
"""Rows that one name may choose among: a word of JavaScript's bit operators."""

_DIGITS = "".join("}" if code == ord("\\") else chr(code) for code in range(61, 125))
"""0 to 63: neither ``<`` nor a quote nor a backslash, so that a filter stands in JSON and in HTML as it is."""
_PARTS = ((11, 63), (5, 63), (0, 31))
"""Shift and mask of a row's three characters."""
_WORD = 0xFFFFFFFF
_TRIES = 8
"""Seeds for one size. With 6 % more rows than names, about one in three makes a filter of 3,000 names."""


@dataclass(frozen=True, slots=True)
class Hashed:
    """A set of names without the names.

    Attributes:
        rows: the rows, as ``guard.js`` reads them: the first characters of all, then the second, then the third.
        seed: what hashing starts from.
    """

    rows: str
    seed: int


def hashed(names: Collection[str], innocent: Collection[str] = ()) -> Hashed:
    """Return the filter of ``names``, to which none of the ``innocent`` belongs."""
    wanted = dict.fromkeys(names)
    others = [name for name in innocent if name not in wanted]
    turn = 0
    while True:
        seed = 0x811C9DC5 + turn & _WORD
        # The more names, the more room they need, and nothing is known of how much but by trying.
        size = WIDTH + len(wanted) * (106 + turn // _TRIES) // 100
        rows = _solved([_equation(name, seed, size) for name in wanted], size)
        if rows is not None and not any(_has(rows, name, seed) for name in others):
            return Hashed("".join(_DIGITS[row >> shift & mask] for shift, mask in _PARTS for row in rows), seed)
        turn += 1


def _equation(name: str, seed: int, size: int) -> tuple[int, int, int]:
    """Return the place of a name, its coefficients (the lowest belongs to the place, and is 1) and its value."""
    hash_ = _hash(name, seed)
    return hash_ % (size - WIDTH + 1), hash_ * 0x9E3779B1 & _WORD | 1, (hash_ * 0xC2B2AE35 & _WORD) >> 32 - BITS


def _hash(name: str, seed: int) -> int:
    """Return 32 bits of a name: FNV-1a over UTF-16 units with a last stir, as JavaScript's ``Math.imul`` does it."""
    value = seed
    units = name.encode("utf-16-le", "surrogatepass")
    for low, high in zip(units[::2], units[1::2], strict=True):
        value = (value ^ (high << 8 | low)) * 16777619 & _WORD
    value = (value ^ value >> 15) * 739982445 & _WORD
    return value ^ value >> 13


def _solved(equations: list[tuple[int, int, int]], size: int) -> list[int] | None:
    """Return rows that hold every equation, or None when two of them contradict each other."""
    pivots: list[tuple[int, int] | None] = [None] * size
    for place, coefficients, value in equations:
        while (pivot := pivots[place]) is not None:
            coefficients ^= pivot[0]
            value ^= pivot[1]
            if not coefficients:
                break
            shift = (coefficients & -coefficients).bit_length() - 1
            coefficients >>= shift
            place += shift
        else:
            pivots[place] = coefficients, value
            continue
        if value:
            return None
    rows = [0] * size
    for place in reversed(range(size)):
        if (pivot := pivots[place]) is not None:
            # The row itself is 0 yet.
            rows[place] = pivot[1] ^ _chosen(rows, place, pivot[0])
    return rows


def _chosen(rows: list[int], place: int, coefficients: int) -> int:
    """Return the XOR of the rows that the coefficients choose."""
    value = 0
    while coefficients:
        if coefficients & 1:
            value ^= rows[place]
        coefficients >>= 1
        place += 1
    return value


def _has(rows: list[int], name: str, seed: int) -> bool:
    place, coefficients, value = _equation(name, seed, len(rows))
    return _chosen(rows, place, coefficients) == value
