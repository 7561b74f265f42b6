"""``optout-gate choices``."""

import asyncio
import sys
import time
from collections.abc import Callable, Coroutine
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import click

from optout_gate.choices import files
from optout_gate.choices.standing import StoreError, pseudonym
from optout_gate.choices.stores import open_ledger
from optout_gate.cli.output import CONFIG_FILE, config_errors_told, console, emit_json, fail
from optout_gate.policy.load import Loaded, load_file

P = ParamSpec("P")
R = TypeVar("R")

STORE_FAILED = 1
EXAMPLE = """
\b
Example:
  optout-gate choices import phone-and-mail.csv --config site.yaml
  optout-gate choices export --config site.yaml > choices.csv
  printf '%s' "$ACCOUNT" | optout-gate choices forget - --config site.yaml
"""

_config = click.option(
    "--config", type=CONFIG_FILE, envvar="OPTOUT_GATE_CONFIG", required=True, help="Configuration file."
)

_json = click.option("--json", "as_json", is_flag=True, help="Print what was done as JSON.")


@click.group(epilog=EXAMPLE)
def choices() -> None:
    """Standing opt-outs of known consumers: bring in a file, write one, forget somebody."""


def _told(command: Callable[P, R]) -> Callable[P, R]:
    """Return ``command`` with a store that does not answer told, and exit code 1."""

    @wraps(command)
    def told(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return command(*args, **kwargs)
        except StoreError as error:
            fail(str(error), STORE_FAILED)

    return config_errors_told(told)


@choices.command("import", epilog=EXAMPLE)
@click.argument("file", type=click.File("r", encoding="utf-8-sig"))
@_config
@_json
@click.option("--dry-run", is_flag=True, help="Read the file, say what is wrong with it, keep nothing.")
@_told
def import_(file: Any, config: Path, dry_run: bool, as_json: bool) -> None:
    """Let the choices in FILE (CSV; - is standard input) count.

    The first line names the columns: consumer, and where wanted choice (out, in), at (a day or moment) and source.
    A later choice wins over an earlier one, so the same file may come again. Nothing is kept of a file with a mistake.
    """
    loaded, key = _known(config)
    found = files.read(file, file=file.name, key=key, now_ms=time.time_ns() // 1_000_000)
    if not dry_run:
        _run(open_ledger(loaded.config.choices, loaded.beside.folder).apply_all(found))
    outs = sum(standing.out for _, standing in found)
    if as_json:
        emit_json({"kept": not dry_run, "opt_outs": outs, "opt_ins": len(found) - outs})
    else:
        console.print(f"{'read' if dry_run else 'taken'}: {outs} opt-outs, {len(found) - outs} opt-ins")


@choices.command(epilog=EXAMPLE)
@_config
@_told
def export(config: Path) -> None:
    """Write every choice as CSV: pseudonym, choice, at, source. Identifiers are not kept, so there are none."""
    loaded, _ = _known(config)
    found = _run(open_ledger(loaded.config.choices, loaded.beside.folder).everything())
    files.write(found, sys.stdout)


@choices.command(epilog=EXAMPLE)
@click.argument("consumers", nargs=-1, required=True)
@_config
@_json
@_told
def forget(consumers: tuple[str, ...], config: Path, as_json: bool) -> None:
    """Remove what stands for CONSUMERS; - reads one a line, which keeps them out of the shell's history.

    Exit code 1 when nothing stood for any of them. A browser that still says no opts its visitor out again.
    """
    loaded, key = _known(config)
    names = [name.strip() for each in consumers for name in (sys.stdin if each == "-" else (each,)) if name.strip()]
    ledger = open_ledger(loaded.config.choices, loaded.beside.folder)
    count = _run(ledger.forget_all([pseudonym(name.encode("utf-8", "surrogateescape"), key=key) for name in names]))
    if as_json:
        emit_json({"asked": len(names), "forgotten": count})
    else:
        console.print(f"forgotten: {count} of {len(names)}")
    if not count:
        sys.exit(1)


def _known(config: Path) -> tuple[Loaded, bytes]:
    """Return the configuration and its key, or leave when it knows no consumers."""
    loaded = load_file(config)
    if loaded.beside.consumer_key is None:
        fail(f"{config} has no 'consumers': there is nobody to keep choices for")
    return loaded, loaded.beside.consumer_key


def _run(work: Coroutine[Any, Any, R]) -> R:
    return asyncio.run(work)
