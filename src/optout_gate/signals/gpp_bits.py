"""Numbers out of, and into, the bits of a GPP string.

Source: InteractiveAdvertisingBureau/Global-Privacy-Platform, *Core/Consent String Specification.md*. Bits are
written six to a character in the base64url alphabet. The specification pads to a multiple of six; the IAB's own
library pads to eight *and then* to six, and so do the strings sites carry. Padding is zeros either way, so
reading needs no distinction; writing follows the library, because vendors' decoders are built on it.
"""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_VALUES = {character: format(number, "06b") for number, character in enumerate(_ALPHABET)} | {
    "+": format(62, "06b"),  # the specification's table prints the alphabet that is not safe in URLs
    "/": format(63, "06b"),
}


def bits_of(text: str) -> str | None:
    """Return the bits of base64url ``text`` as a string of 0 and 1, or None when it holds another character."""
    try:
        return "".join([_VALUES[character] for character in text.rstrip("=")])
    except KeyError:
        return None


def text_of_bits(bits: str) -> str:
    """Return ``bits`` in base64url, padded as the IAB's library pads: to 8, then to 6."""
    bits += "0" * (-len(bits) % 8)
    bits += "0" * (-len(bits) % 6)
    return "".join(_ALPHABET[int(bits[start : start + 6], 2)] for start in range(0, len(bits), 6))


def integer(bits: str, start: int, width: int) -> int | None:
    """Return the number of ``width`` bits at ``start``, or None when the bits end before it does."""
    field = bits[start : start + width]
    return int(field, 2) if len(field) == width else None


def fibonacci(bits: str, start: int) -> tuple[int, int] | None:
    """Return the Fibonacci-coded number at ``start`` and where it ends, or None when none ends there.

    Codes of more than 32 bits (numbers beyond three million) are refused: no section id is that large.
    """
    end = bits.find("11", start, start + 32)
    if end < 0:
        return None
    number, this, following = 0, 1, 2
    for bit in bits[start : end + 1]:
        if bit == "1":
            number += this
        this, following = following, this + following
    return number, end + 2


def fibonacci_bits(number: int) -> str:
    """Return the Fibonacci code of ``number``, which is at least 1."""
    terms = [1, 2]
    while terms[-1] <= number:
        terms.append(terms[-1] + terms[-2])
    code = []
    for term in reversed(terms[:-1]):
        code.append("1" if term <= number else "0")
        number -= term if term <= number else 0
    return "".join(reversed(code)).rstrip("0") + "1"


def id_range(bits: str, start: int, limit: int) -> list[int]:
    """Return the first ``limit`` ids of the Fibonacci range at ``start``; fewer when the bits end or do not fit."""
    ids: list[int] = []
    items = integer(bits, start, 12) or 0
    position, last = start + 12, 0
    for _ in range(min(items, limit)):
        group = integer(bits, position, 1)
        first = fibonacci(bits, position + 1)
        if group is None or first is None:
            break
        low, position = last + first[0], first[1]
        last = low
        if group:
            length = fibonacci(bits, position)
            if length is None:
                break
            last, position = low + length[0], length[1]
        ids.extend(range(low, min(last, low + limit) + 1))
        if len(ids) >= limit:
            break
    return ids[:limit]


def id_range_bits(ids: list[int]) -> str:
    """Return the Fibonacci range of ``ids``, which are positive, in rising order and without repeats."""
    groups: list[list[int]] = []
    for number in ids:
        if groups and groups[-1][-1] == number - 1:
            groups[-1].append(number)
        else:
            groups.append([number])
    bits, last = format(len(groups), "012b"), 0
    for group in groups:
        bits += ("1" if len(group) > 1 else "0") + fibonacci_bits(group[0] - last)
        if len(group) > 1:
            bits += fibonacci_bits(group[-1] - group[0])
        last = group[-1]
    return bits
