"""``optout-gate lists``."""

import re
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import click

from optout_gate import __version__
from optout_gate.cli.output import checked_url, console, emit_json, fail
from optout_gate.trackers.lists import checksum, load
from optout_gate.trackers.purposes import DENIABLE, Purpose

MAX_LIST_BYTES = 32 * 1024 * 1024  # EasyList has some 2.5 MB
FETCH_TIMEOUT_S = 30.0

EXAMPLE = """
\b
Example:
  optout-gate lists add https://easylist.to/easylist/easyprivacy.txt --purpose analytics
"""


@click.group(epilog=EXAMPLE)
def lists() -> None:
    """Add filter lists in EasyList syntax."""


@lists.command(epilog=EXAMPLE)
@click.argument("url")
@click.option(
    "--purpose",
    type=click.Choice(sorted(purpose.value for purpose in DENIABLE)),
    default="advertising",
    show_default=True,
    help="What its matches are denied for.",
)
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("lists"),
    show_default=True,
    help="Where to keep it.",
)
@click.option("--sha256", "expected", help="Refuse anything that has not this checksum.")
@click.option("--json", "as_json", is_flag=True, help="Print what was kept as JSON.")
def add(url: str, purpose: str, folder: Path, expected: str | None, as_json: bool) -> None:
    """Fetch a list, keep it as a file, and print the lines that pin it in a configuration.

    The gate itself never fetches a list: what a site blocks changes when its operator says so.
    """
    url = checked_url(url)
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", urlsplit(url).path.rpartition("/")[2]).strip(".-") or "list.txt"
    content = _fetched(url)
    found = checksum(content)
    if expected is not None and expected.lower() != found:
        fail(f"{url} has the checksum {found}, not {expected}: it was not kept")
    if content.lstrip()[:1] == b"<":  # a page that says "sign in" or "not found" has lines that read as rules
        fail(f"{url} is a page, not a filter list: it was not kept")
    filter_list = load(content.decode("utf-8", "replace"), path=name, name="new", purpose=Purpose(purpose))
    if not filter_list.rules:
        fail(f"{url} holds no filter rules: it was not kept")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    except OSError as error:
        fail(f"{folder / name} cannot be written: {error.strerror}")
    if as_json:
        skipped = [{"line": line.number, "fault": line.fault, "text": line.text} for line in filter_list.skipped]
        pinned = {"path": str(folder / name), "purpose": purpose, "sha256": found}
        emit_json({**pinned, "rules": filter_list.rules, "skipped": skipped})
        return
    console.print(f"kept {folder / name}: {filter_list.rules:,} rules, {len(filter_list.skipped):,} lines not readable")
    for line in filter_list.skipped[:10]:
        console.print(f"  line {line.number}: {line.fault}: {line.text}", markup=False)
    console.print("Write this into the configuration; a file with another checksum is then refused:\n")
    click.echo(
        f"trackers:\n  filter_lists:\n    - path: {folder / name}\n      purpose: {purpose}\n      sha256: {found}\n"
    )


def _fetched(url: str) -> bytes:
    request = Request(url, headers={"User-Agent": f"optout-gate/{__version__}"})
    try:
        with urlopen(request, timeout=FETCH_TIMEOUT_S) as answer:
            content: bytes = answer.read(MAX_LIST_BYTES + 1)
    except HTTPError as error:
        with error:  # it is the answer, too, and holds the connection
            fail(f"{url} cannot be fetched: {error.code} {error.reason}")
    except (URLError, OSError, HTTPException, ValueError) as error:
        fail(f"{url} cannot be fetched: {error}")
    if len(content) > MAX_LIST_BYTES:
        fail(f"{url} is larger than {MAX_LIST_BYTES:,} bytes")
    return content
