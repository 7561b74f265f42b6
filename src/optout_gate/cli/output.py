"""How commands speak: tables and colour in a terminal, JSON where a program reads, errors in one shape.

With ``--json`` errors are JSON too, and where the answer would have been: ``{"errors": [{"file", "line", "column",
"message", "hint"}]}`` on standard output, whatever is wrong, with the same exit code as in words.

Who reads may be gone (``| head -1``), the disk behind ``>`` full, and the terminal's encoding without the signs that
tables are drawn with. None of that is a mistake of the gate's, so none of it is told by a traceback.
"""

import errno
import io
import json
import os
import string
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar
from urllib.parse import quote, urlsplit, urlunsplit

import click
from rich.console import Console

from optout_gate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from rich.table import Table

P = ParamSpec("P")
R = TypeVar("R")

BAD_USAGE = 2
_JSON = "optout_gate.cli.json"  # the name under which a context keeps it
READER_GONE = 141  # what a shell says of a program that SIGPIPE ended; 1 would say that the check failed

CONFIG_FILE = click.Path(path_type=Path, readable=False)
"""A configuration file, as an option or argument. Whether it can be read is told where every other mistake in it is."""


class _Console(Console):
    def on_broken_pipe(self) -> None:
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))  # rich would leave with 1


_in_a_terminal = sys.stdout is not None and sys.stdout.isatty()
console = _Console(highlight=False, width=None if _in_a_terminal else 160)
errors = _Console(stderr=True, highlight=False)


@contextmanager
def speaking() -> Iterator[None]:
    """Let a command speak, and end it in words where standard output does not take them."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        try:
            yield
        except click.ClickException as error:  # usage, which click would tell people
            if not _read_by_a_program():
                raise
            fail(error.format_message(), error.exit_code)
        finally:
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        if error.filename is not None or error.errno not in (errno.EPIPE, errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        _forget(sys.stdout)
        if error.errno == errno.EPIPE:
            sys.exit(READER_GONE)
        fail(f"standard output cannot be written: {error.strerror}")


def _forget(stream: IO[str]) -> None:
    """Let go what ``stream`` still holds, which the interpreter would try to write as it ends."""
    with open(os.devnull, "wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())


def show(table: "Table") -> None:
    """Print a table. Where a word is wider than its column it goes on in the next line: a name cut short names nothing."""
    for column in table.columns:
        column.overflow = "fold"
    console.print(table)


def emit_json(value: Any) -> None:
    """Print ``value`` as JSON."""
    in_unicode = (getattr(sys.stdout, "encoding", None) or "utf-8").lower().startswith("utf")
    click.echo(json.dumps(value, indent=2, ensure_ascii=not in_unicode))


def note_arguments(ctx: click.Context, arguments: Sequence[str]) -> None:
    """Keep whether a program reads: errors are told before the options of a command are read, too."""
    ctx.meta[_JSON] = "--json" in arguments


def _read_by_a_program() -> bool:
    ctx = click.get_current_context(silent=True)
    return ctx is not None and bool(ctx.meta.get(_JSON))


def fail(text: str, code: int = BAD_USAGE, *, file: str | None = None) -> NoReturn:
    """Print an error, ``file`` being what it is in, and leave."""
    if _read_by_a_program():
        emit_json({"errors": [Problem(file or "", 0, 0, text).as_json()]})
    else:
        place = f"{file}: " if file is not None else ""
        errors.print(f"[bold red]error:[/] {_plain(place + text)}", soft_wrap=True)
    sys.exit(code)


def checked_url(text: str) -> str:
    """Return the address of a website as it is asked for, signs beyond ASCII written as browsers write them.

    Where it is none, the command ends with that.
    """
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
        host = parts.netloc if parts.netloc.isascii() else parts.netloc.encode("idna").decode()
    except ValueError:  # a port that is no number, a bracket that is not closed, a host that no name server could know
        good, host = False, ""
    if not good or " " in host:
        fail(f"expected http://HOST/PATH or https://HOST/PATH, found {text!r}")
    return urlunsplit(parts._replace(netloc=host, path=_quoted(parts.path), query=_quoted(parts.query)))


def _quoted(text: str) -> str:
    return quote(text, safe=string.punctuation)


def checked_address(value: str | None, flag: str) -> str | None:
    """Return an address that a flag gave.

    Raises:
        ConfigError: it is none; told under the flag's name.
    """
    from optout_gate.policy.config import split_address

    if value is not None:
        try:
            split_address(value)
        except ValueError as error:
            raise ConfigError([Problem(flag, 0, 0, str(error))]) from None
    return value


def config_errors_told(command: Callable[P, R]) -> Callable[P, R]:
    """Return ``command`` with configuration errors printed, one line each, and exit code 2."""

    @wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except ConfigError as error:
            if _read_by_a_program():
                emit_json({"errors": [problem.as_json() for problem in error.problems]})
                sys.exit(BAD_USAGE)
            for problem in error.problems:
                errors.print(_plain(str(problem)), soft_wrap=True, style="red")
            count = len(error.problems)
            errors.print(f"[bold red]{count} problem{'s' if count > 1 else ''}[/]")
            sys.exit(BAD_USAGE)

    return told


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
