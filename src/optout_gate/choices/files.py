"""Choices as CSV: what came in by web form, phone or an authorised agent, and what the gate keeps.

A header names the columns, in any order: ``consumer`` (the identifier, as the site's gateway or cookie says it) or
``pseudonym`` (64 hex digits, as an export has it), and where wanted ``choice`` (``out``, the default, or ``in``), ``at`` (RFC
3339 or a day) and ``source``. An export has all but ``consumer``, which the gate does not know. A file is taken
whole or not at all, and taking it again changes nothing, so a nightly job may send the same file for ever.
"""

import csv
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

from optout_gate.choices.moment import MomentError, moment, written
from optout_gate.choices.standing import MAX_IDENTIFIER_BYTES, PSEUDONYM_BYTES, Source, Standing, pseudonym
from optout_gate.documents import did_you_mean
from optout_gate.errors import ConfigError, Problem

COLUMNS = ("consumer", "pseudonym", "choice", "at", "source")
EXPORTED = ("pseudonym", "choice", "at", "source")
MAX_PROBLEMS = 50  # a wrong column is wrong in every line

Choice = tuple[bytes, Standing]
"""A pseudonym and what is to stand under it."""


class _Wrong(ValueError):
    """What is wrong with one field; the text says it."""


def read(text: TextIO, *, file: str, key: bytes, now_ms: int) -> list[Choice]:
    """Return the choices in a CSV file.

    Raises:
        ConfigError: with every line that is wrong.
    """
    lines = csv.reader(text, strict=True)
    choices: list[Choice] = []
    problems: list[Problem] = []
    try:
        columns = [name.strip().lower() for name in next(lines, [])]
        problems += [Problem(file, 1, 1, words) for words in _wrong_columns(columns)]
        if not problems:
            for fields in lines:
                if not any(fields):
                    continue
                try:
                    choices.append(_choice(columns, fields, key=key, now_ms=now_ms))
                except (_Wrong, MomentError) as error:
                    problems.append(Problem(file, lines.line_num, 1, str(error)))
                    if len(problems) == MAX_PROBLEMS:
                        break
    except csv.Error as error:
        problems.append(Problem(file, lines.line_num, 1, f"not CSV: {error}"))
    except UnicodeDecodeError:
        problems.append(Problem(file, lines.line_num + 1, 1, "not UTF-8 text"))
    if problems:
        raise ConfigError(problems)
    return choices


def _wrong_columns(columns: list[str]) -> Iterator[str]:
    if ("consumer" in columns) == ("pseudonym" in columns):
        yield f"the first line names the columns: one of 'consumer' and 'pseudonym', and any of {', '.join(COLUMNS[2:])}"
        return
    for name in columns:
        if name not in COLUMNS:
            yield f"unknown column {name!r}{did_you_mean(name, COLUMNS)}"
        elif columns.count(name) > 1:
            yield f"the column {name!r} stands twice"
            return


def _choice(columns: list[str], fields: list[str], *, key: bytes, now_ms: int) -> Choice:
    if len(fields) != len(columns):
        raise _Wrong(f"expected {len(columns)} fields, found {len(fields)}")
    row = {name: field.strip() for name, field in zip(columns, fields, strict=True)}
    choice = row.get("choice", "").lower() or "out"
    if choice not in ("out", "in"):
        raise _Wrong(f"choice is 'out' or 'in', found {choice!r}")
    source = row.get("source", "").lower() or Source.IMPORT.value
    if source not in tuple(Source):
        raise _Wrong(
            f"there is no source {source!r}; expected one of {', '.join(Source)}{did_you_mean(source, map(str, Source))}"
        )
    at_ms = moment(row["at"], now_ms=now_ms) if row.get("at") else now_ms
    return _name(row, key), Standing(choice == "out", at_ms, Source(source))


def _name(row: dict[str, str], key: bytes) -> bytes:
    if "pseudonym" in row:
        try:
            name = bytes.fromhex(row["pseudonym"])
        except ValueError:
            name = b""
        if len(name) != PSEUDONYM_BYTES:
            raise _Wrong(f"expected {2 * PSEUDONYM_BYTES} hex digits as pseudonym")
        return name
    identifier = row["consumer"].encode()
    if not 0 < len(identifier) <= MAX_IDENTIFIER_BYTES:
        raise _Wrong(f"expected a consumer of 1 to {MAX_IDENTIFIER_BYTES:,} bytes")
    return pseudonym(identifier, key=key)


def write(choices: Iterable[Choice], text: Any) -> int:
    """Write choices as CSV to anything with a ``write``; return how many there were."""
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(EXPORTED)
    count = 0
    for name, standing in choices:
        choice = "out" if standing.out else "in"
        writer.writerow((name.hex(), choice, written(standing.at_ms), standing.source.value))
        count += 1
    return count
