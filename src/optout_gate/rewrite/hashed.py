"""A set of names as the guard carries it: hashes in place of names, so that a whole catalogue fits into a page's first script.

In plain text the hosts, cookies and keys of 1,300 vendors take 20 KB under Brotli, and an object of them takes the
browser longer to build than all the rest. A table that answers "is it one of them?" needs no names: each becomes a hash
in a range of :data:`SPREAD` places for each name, and what is written are the gaps between the sorted hashes. A gap
takes some 18.5 bits, of which 18.4 are information; the digits' characters are left to Brotli and gzip.

The price: a name that is not in the set answers yes once in :data:`SPREAD` = 131,072 times. A third party's host is asked
for label by label, two or three times, so one innocent host in 50,000 is taken for a denied one, a cookie (asked for with
some eight endings cut off) one in 16,000. It is the same one on every page and for every visitor of one catalogue. Names
that are known to be innocent are never taken: the seed is turned until none of them is.

The reader is in ``browser/guard.js``; a test in a browser holds the two together.
"""

from collections.abc import Collection
from dataclasses import dataclass
from itertools import count, pairwise

SPREAD = 1 << 17

_DIGITS = "".join("}" if code == ord("\\") else chr(code) for code in range(61, 125))
"""0 to 63: neither ``<`` nor a quote nor a backslash, so that a table stands in JSON and in HTML as it is."""
_WORD = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Hashed:
    """A set of names without the names.

    Attributes:
        table: the gaps, as ``guard.js`` reads them.
        size: how many there are.
        range: hashes are below this.
        seed: what hashing starts from.
    """

    table: str
    size: int
    range: int
    seed: int


def hashed(names: Collection[str], innocent: Collection[str] = ()) -> Hashed:
    """Return the table of ``names``, to which none of the ``innocent`` belongs."""
    places = max(1, len(set(names))) * SPREAD
    others = set(innocent) - set(names)
    for seed in count(0x811C9DC5):
        found = {place(name, seed, places) for name in names}
        if all(place(name, seed, places) not in found for name in others):
            break
    high, low = "", ""
    for before, after in pairwise([0, *sorted(found)]):
        gap, rest = divmod(after - before, 64 * 64)
        high += _DIGITS[63] * (gap // 63) + _DIGITS[gap % 63]
        low += _DIGITS[rest // 64] + _DIGITS[rest % 64]
    return Hashed(high + low, len(found), places, seed)


def place(name: str, seed: int, places: int) -> int:
    """Return the place of a name: FNV-1a over UTF-16 units with a last stir, as JavaScript's ``Math.imul`` does it."""
    value = seed
    units = name.encode("utf-16-le", "surrogatepass")
    for low, high in zip(units[::2], units[1::2], strict=True):
        value = (value ^ (high << 8 | low)) * 16777619 & _WORD
    value = (value ^ value >> 15) * 739982445 & _WORD
    return (value ^ value >> 13) % places
