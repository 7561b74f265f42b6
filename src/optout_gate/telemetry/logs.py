"""Log lines: readable in a terminal, JSON where a program reads them.

The gate logs events of its own, never requests: no query, cookie, address or user agent reaches a line, and none is
kept. ``ts`` is UTC, RFC 3339.
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Literal

Form = Literal["text", "json"]
FORMS: tuple[Form, ...] = ("text", "json")


class JsonLines(logging.Formatter):
    """One JSON object a record: ``ts``, ``level``, ``logger``, ``event`` and, for an exception, ``error``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as one line; line breaks within are escaped."""
        line = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


_TEXT = logging.Formatter("%(asctime)s %(levelname)s %(message)s", datefmt="%Y-%m-%dT%H:%M:%S%z")


def _says_something(record: logging.LogRecord) -> bool:
    """Return False for uvicorn's traceback of a WebSocket frame that is not UTF-8: who sends one is answered 1007."""
    return not (record.exc_info and record.exc_info[0] is UnicodeDecodeError)


def configure_logging(form: Form = "text") -> None:
    """Send log lines to standard error; uvicorn's own only from warnings up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else _TEXT)
    root = logging.getLogger("optout_gate")
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    root.propagate = False
    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).handlers[:] = [handler]
        logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger(name).propagate = False
        logging.getLogger(name).filters[:] = [_says_something]
