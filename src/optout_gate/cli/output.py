"""How commands speak: tables and colour in a terminal, JSON where a program reads, errors in one shape."""

import json
import sys
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, NoReturn, ParamSpec, TypeVar

import click
from rich.console import Console

from optout_gate.errors import ConfigError, Problem

if TYPE_CHECKING:
    from rich.table import Table

P = ParamSpec("P")
R = TypeVar("R")

BAD_USAGE = 2

console = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
errors = Console(stderr=True, highlight=False)


def show(table: "Table") -> None:
    """Print a table. Where a word is wider than its column it goes on in the next line: a name cut short names nothing."""
    for column in table.columns:
        column.overflow = "fold"
    console.print(table)


def emit_json(value: Any) -> None:
    """Print ``value`` as JSON."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False))


def fail(text: str, code: int = BAD_USAGE) -> NoReturn:
    """Print an error and leave."""
    errors.print(f"[bold red]error:[/] {_plain(text)}", soft_wrap=True)
    sys.exit(code)


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
            for problem in error.problems:
                errors.print(_plain(str(problem)), soft_wrap=True, style="red")
            count = len(error.problems)
            errors.print(f"[bold red]{count} problem{'s' if count > 1 else ''}[/]")
            sys.exit(BAD_USAGE)

    return told


def _plain(text: str) -> str:
    return text.replace("[", r"\[")
