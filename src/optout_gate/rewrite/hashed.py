"""A set of names as the guard carries it: a filter in place of names, so that a whole catalogue fits into a page's first script.

In plain text the hosts, cookies and keys of 1,300 vendors take 20 KB under Brotli, and an object of them takes the
browser longer to build than all the rest. A filter that answers "is it one of them?" needs no names. This one is a system of
linear equations, solved (Dietzfelbinger and Pagh, arXiv:0803.3693): a name's hash gives a value of :data:`BITS` bits and draws
:data:`DRAWS` rows, which make the value when they are XORed. With five draws nearly as many names as there are rows find a
solution, so a name takes 17.2 bits, of which 17 are information. Nothing has to be read before the first question: a row is
three characters of the text.

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
DRAWS = 5
"""Rows that a name draws. Three need 9 % more rows than names, four 2.4 %, five 0.8 %."""

_DIGITS = "".join("}" if code == ord("\\") else chr(code) for code in range(61, 125))
"""0 to 63: neither ``<`` nor a quote nor a backslash, so that a filter stands in JSON and in HTML as it is."""
_PARTS = ((11, 63), (5, 63), (0, 31))
"""Shift and mask of a row's three characters."""
_WORD = 0xFFFFFFFF
_TRIES = 8
"""Seeds for one size. With 1 % more rows than names nearly every one makes a filter of 3,000 names."""


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
        # How much more room than names they need is known for many of them, and for few only by trying.
        more = 1 + turn // _TRIES
        size = len(wanted) * (100 + more) // 100 + 8 * more
        rows = _solved([_equation(name, seed, size) for name in wanted], size)
        if rows is not None and not any(_has(rows, name, seed) for name in others):
            return Hashed("".join(_DIGITS[row >> shift & mask] for shift, mask in _PARTS for row in rows), seed)
        turn += 1


def _equation(name: str, seed: int, size: int) -> tuple[int, int]:
    """Return the rows that a name draws, one bit each (a row drawn twice is none), and its value."""
    hash_ = _hash(name, seed)
    value, drawn = hash_ >> 32 - BITS, 0
    for _ in range(DRAWS):
        hash_ = (hash_ ^ hash_ >> 15) * 739982445 & _WORD
        drawn ^= 1 << hash_ % size
    return drawn, value


def _hash(name: str, seed: int) -> int:
    """Return 32 bits of a name: FNV-1a over UTF-16 units, as JavaScript's ``Math.imul`` does it."""
    value = seed
    units = name.encode("utf-16-le", "surrogatepass")
    for low, high in zip(units[::2], units[1::2], strict=True):
        value = (value ^ (high << 8 | low)) * 16777619 & _WORD
    return value


def _solved(equations: list[tuple[int, int]], size: int) -> list[int] | None:
    """Return rows that hold every equation, or None when two of them contradict each other.

    Gauss's elimination on integers as long as the filter: 3,000 names take a twelfth of a second.
    """
    pivots: list[tuple[int, int] | None] = [None] * size  # by the last row that an equation has
    for drawn, value in equations:
        while drawn:
            last = drawn.bit_length() - 1
            if (pivot := pivots[last]) is None:
                pivots[last] = drawn, value
                break
            drawn ^= pivot[0]
            value ^= pivot[1]
        else:
            if value:
                return None
    # Each bit of all rows is one integer, so that the XOR of a bit over many rows is a count of bits.
    bits = [0] * BITS
    for last, pivot in enumerate(pivots):
        if pivot is not None:
            for bit, column in enumerate(bits):
                bits[bit] |= ((pivot[1] >> bit ^ (pivot[0] & column).bit_count()) & 1) << last
    return [sum((column >> row & 1) << bit for bit, column in enumerate(bits)) for row in range(size)]


def _has(rows: list[int], name: str, seed: int) -> bool:
    drawn, value = _equation(name, seed, len(rows))
    while drawn:
        value ^= rows[(drawn & -drawn).bit_length() - 1]
        drawn &= drawn - 1
    return not value
