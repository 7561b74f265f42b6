"""Log lines by structlog: readable in a terminal, JSON where a program reads them.

The gate logs events of its own, and requests only when asked to (:class:`RequestLog`). No query, cookie, address or user
agent of a visitor reaches a line, and none is kept: what a line may hold is named here, one word at a time. The traps are
structlog's console, which draws exceptions with the values of local variables unless it is told otherwise, and the words
of exceptions (:mod:`optout_gate.telemetry.mistakes`). ``ts`` is UTC, RFC 3339.
"""

import logging
import os
import sys
from collections import Counter
from collections.abc import Callable
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor

from optout_gate.report import Report
from optout_gate.telemetry.mistakes import Mistakes, without_words

Form = Literal["text", "json"]
FORMS: tuple[Form, ...] = ("text", "json")

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
"""Methods by name; any other word is a visitor's own and goes as ``_OTHER``."""

_REQUESTS = "optout_gate.requests"
_SHARED: list[Processor] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
]


def formatter(form: Form, *, colours: bool = False) -> logging.Formatter:
    """Return what writes a record as one line of ``form``; in JSON line breaks within are escaped."""
    own: list[Processor]
    if form == "json":
        exceptions = structlog.processors.ExceptionRenderer(_traceback)
        own = [exceptions, structlog.processors.JSONRenderer(ensure_ascii=False)]
    else:
        own = [
            _for_people,
            structlog.dev.ConsoleRenderer(
                0, colors=colours, sort_keys=False, timestamp_key="ts", exception_formatter=_draw_traceback
            ),
        ]
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_SHARED, processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *own]
    )


def _traceback(exc_info: ExcInfo) -> str:
    return without_words(exc_info[1])


def _draw_traceback(to: TextIO, exc_info: ExcInfo) -> None:
    to.write("\n" + _traceback(exc_info))


def _for_people(logger: object, name: str, event: EventDict) -> EventDict:
    """Return a line's words without its logger, and lists without brackets."""
    del event["logger"]
    for word, value in event.items():
        if isinstance(value, dict):
            event[word] = ",".join(f"{key}:{count}" for key, count in value.items())
        elif isinstance(value, list):
            event[word] = ",".join(value)
    return event


class _ForJournal(logging.Formatter):
    """Puts before each line how grave it is, as journald reads it (sd-daemon(3)): ``journalctl -p warning`` finds it."""

    def __init__(self, lines: logging.Formatter) -> None:
        super().__init__()
        self._lines = lines

    def format(self, record: logging.LogRecord) -> str:
        grave = next((number for level, number in _PRIORITIES if record.levelno >= level), 7)
        return "\n".join(f"<{grave}>{line}" for line in self._lines.format(record).split("\n"))


_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
"""Levels, and syslog's numbers for them."""


def _is_journal(stream: TextIO) -> bool:
    """Return whether ``stream`` is the one to the journal that systemd names in ``JOURNAL_STREAM`` (systemd.exec(5))."""
    named = os.environ.get("JOURNAL_STREAM")
    if named is None:
        return False
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{found.st_dev}:{found.st_ino}"


def _says_something(record: logging.LogRecord) -> bool:
    """Return False for uvicorn's traceback of a WebSocket frame that is not UTF-8: who sends one is answered 1007."""
    return not (record.exc_info and record.exc_info[0] is UnicodeDecodeError)


def configure_logging(form: Form = "text") -> None:
    """Send log lines to standard error; uvicorn's own only from warnings up."""
    handler = logging.StreamHandler(sys.stderr)
    lines = formatter(form, colours=sys.stderr.isatty())
    handler.setFormatter(_ForJournal(lines) if _is_journal(sys.stderr) else lines)
    handler.addFilter(Mistakes())
    root = logging.getLogger("optout_gate")
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    root.propagate = False
    for name in ("uvicorn", "uvicorn.error", "asyncio"):
        logging.getLogger(name).handlers[:] = [handler]
        logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger(name).propagate = False
        logging.getLogger(name).filters[:] = [_says_something]


def count_mistakes(count: Callable[[], None]) -> None:
    """Have ``count`` called for each exception that is logged in this process, told or not."""
    for handler in logging.getLogger("optout_gate").handlers:
        for each in handler.filters:
            if isinstance(each, Mistakes):
                each.count = count


class RequestLog:
    """One line a request: what was asked in one word, what was decided on whose word, and what became of it."""

    def __init__(self) -> None:
        self._log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
            logging.getLogger(_REQUESTS),
            processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
            wrapper_class=structlog.stdlib.BoundLogger,
        )

    def exchange(self, report: Report, *, method: str, status: int, seconds: float) -> None:
        """Write a request that went to the origin. ``status`` is 0 where the visitor left before an answer began."""
        decision = report.decision
        words: dict[str, object] = {"outcome": report.outcome.value, "signal": decision.signal}
        if decision.opted_out:
            words["denied"] = sorted(purpose.value for purpose in decision.denied)
            words["vendors"] = vendor_counts(report)
        if report.error is not None:
            words["error"] = report.error
        self._write(report.site, method, status, seconds, words)

    def own_page(self, page: str, *, method: str, status: int, seconds: float) -> None:
        """Write a request that one of the gate's own pages answered; ``page`` as in its metric."""
        self._write(None, method, status, seconds, {"outcome": "own_page", "page": page})

    def refused(self, reason: str, *, method: str, status: int) -> None:
        """Write a request that the gate refused before any origin saw it."""
        self._write(None, method, status, 0.0, {"outcome": "refused", "reason": reason})

    def _write(self, site: str | None, method: str, status: int, seconds: float, words: dict[str, object]) -> None:
        where = {"site": site} if site is not None else {}
        method = method if method in METHODS else "_OTHER"
        self._log.info("request", **where, method=method, status=status, **words, ms=round(seconds * 1000, 1))


def vendor_counts(report: Report) -> dict[str, int]:
    """Return how much was taken out of the response, and of the request on its way to the origin, by vendor."""
    counts: Counter[str] = Counter()
    for way in (report.removals, report.outgoing):
        for (vendor, _, _), count in way.counts.items():
            counts[vendor] += count
    return dict(counts.most_common())
