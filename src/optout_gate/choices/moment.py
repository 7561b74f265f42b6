"""When a choice was made, as files and programs write it: RFC 3339, or a day alone.

A day alone is its first moment in UTC: when only the day is known, a choice made on the page that day is the later one.
A moment in the future is refused, since nothing could be later than it and the choice could never be changed.
"""

from datetime import UTC, datetime
from typing import Any

MAX_AHEAD_MS = 5 * 60 * 1000  # clocks differ


class MomentError(ValueError):
    """Not a moment, or one that has not come."""


def moment(value: Any, *, now_ms: int) -> int:
    """Return a moment in milliseconds since 1970.

    Raises:
        MomentError: with what was expected.
    """
    try:
        at = datetime.fromisoformat(value.strip())
    except (AttributeError, ValueError):
        raise MomentError(f"expected 2026-01-31 or 2026-01-31T12:00:00Z, found {str(value)[:40]!r}") from None
    at_ms = round((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)
    if at_ms > now_ms + MAX_AHEAD_MS:
        raise MomentError(f"{value!r} is in the future")
    if at_ms < 0:
        raise MomentError(f"{value!r} is before 1970")
    return at_ms


def written(at_ms: int) -> str:
    """Return a moment as RFC 3339 has it, in UTC."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
