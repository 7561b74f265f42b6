"""The log of the gate's own mistakes: exceptions that nobody expected, where they came from, and how often.

The trap is an exception's words. They are made of whatever was at hand, and that is a request: ``ValueError: invalid
literal for int(): 'mary@example.com'``. A traceback therefore names types and places, and no words but the operating
system's. A mistake that one page brings about comes with each request for that page: a place is told once in ten seconds,
and every time is counted.
"""

import logging
import traceback
from collections.abc import Callable, Iterator

from optout_gate.telemetry.outcomes import Seldom


def without_words(error: BaseException) -> str:
    """Return an exception's traceback, and those of what led to it, with their types in place of their words."""
    return "".join(_told(error)).rstrip("\n")


def _told(error: BaseException) -> Iterator[str]:
    before = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if before is not None:
        yield from _told(before)
        yield "\nwhich led to:\n\n"
    if error.__traceback__ is not None:
        yield "Traceback (most recent call last):\n"
        yield from traceback.format_tb(error.__traceback__)
    system = f": {error.strerror}" if isinstance(error, OSError) and error.strerror else ""
    yield f"{type(error).__module__}.{type(error).__qualname__}{system}\n".removeprefix("builtins.")
    if isinstance(error, BaseExceptionGroup):
        for number, each in enumerate(error.exceptions, 1):
            yield f"\n{number} of {len(error.exceptions)} in it:\n\n"
            yield from _told(each)


class Mistakes(logging.Filter):
    """Lets through one line about a mistake in ten seconds, and all that are about none."""

    def __init__(self) -> None:
        super().__init__()
        self.count: Callable[[], None] | None = None
        self._seldom = Seldom()

    def filter(self, record: logging.LogRecord) -> bool:
        """Count a record that carries an exception, and return whether it is due."""
        if not record.exc_info or (error := record.exc_info[1]) is None:
            return True
        if self.count is not None:
            self.count()
        more = self._seldom.due((record.name, type(error), _place(error)))
        if more is None:
            return False
        # asyncio's own words hold transports and the arguments of callbacks: addresses, and what was received.
        words = "a mistake in a callback" if record.name == "asyncio" else record.getMessage().rstrip()
        record.msg, record.args = f"{words}{more}", ()
        return True


def _place(error: BaseException) -> tuple[str, int]:
    """Return file and line where an exception was raised."""
    at = error.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return (at.tb_frame.f_code.co_filename, at.tb_lineno) if at is not None else ("", 0)
