"""YAML files that people write, read so that every mistake can be pointed at.

Both the configuration and the catalogue of trackers are such files. A document is composed into nodes first, so
that every key and value keeps its line and column; pydantic then says what is wrong, and this module says where,
what was expected, and which valid name comes nearest. All problems of a file are told at once.

Plain scalars follow YAML 1.2's core schema: ``off`` and ``no`` are words, not booleans, so ``mode: off`` is what
it looks like.
"""

import difflib
import re
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from optout_gate.errors import MEANT, ConfigError, Problem

Path = tuple[int | str, ...]
"""Keys and indexes from the document's root to a value."""

Model = TypeVar("Model", bound=BaseModel)

MAX_NODES = 500_000  # the full catalogue has some 30,000; an alias bomb has billions
MAX_DEPTH = 32

_UNPRINTABLE = re.compile(r"[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # YAML 1.2 §5.1
_SIGNS: Mapping[str, str] = {  # what begins a value by mistake, and what to do about it
    "*": "a value that begins with '*' stands in quotes, as in \"*.example.com\"",
    "@": "a value that begins with '@' stands in quotes",
    "`": "a value that begins with '`' stands in quotes",
    "%": "a value that begins with '%' stands in quotes",
    "\t": "a tab; lines are indented with spaces",
}

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]+\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_WORDS: Mapping[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


@dataclass(slots=True)
class Document:
    """A parsed file: plain data, and where each part of it stands.

    Attributes:
        file: the path as the operator wrote it.
        data: dictionaries, lists and scalars.
        marks: line and column, from 1, of every value; under ``path + (KEY,)`` those of a mapping's keys.
    """

    file: str
    data: Any = None
    marks: dict[Path, tuple[int, int]] = field(default_factory=dict)

    def problem(self, path: Iterable[int | str], text: str) -> Problem:
        """Return a problem at ``path``, or at the nearest thing around it that stands in the file."""
        where = tuple(path)
        while where and where not in self.marks:
            where = where[:-1]
        line, column = self.marks.get(where, (0, 0))
        return Problem(self.file, line, column, text)

    def line(self, *path: int | str) -> int:
        """Return the line of the value at ``path``, 0 when it is not in the file."""
        return self.marks.get(path, (0, 0))[0]


def parse(text: str, file: str) -> Document:
    """Return the document in ``text``.

    Raises:
        ConfigError: it is not YAML, says a key twice, nests too deep or is too large.
    """
    document = Document(file)
    try:
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        is_alias = error.context == "while scanning an alias"  # its mark is behind the sign
        mark = (error.context_mark if is_alias else error.problem_mark) or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
        words = ", ".join(part for part in (error.context, error.problem) if part)
        if mark and (is_alias or "cannot start any token" in (error.problem or "")):
            words = _SIGNS.get(text[mark.index : mark.index + 1], words)
        raise ConfigError([Problem(file, line, column, f"not valid YAML: {words}")]) from None
    except yaml.reader.ReaderError as error:
        at = next((found.start() for found in _UNPRINTABLE.finditer(text)), 0)
        words = f"the character {text[at]!r} may not stand in YAML" if text[at:] else str(error)
        raise ConfigError([Problem(file, *place_of(text, at), f"not valid YAML: {words}")]) from None
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError([Problem(file, 0, 0, f"not valid YAML: {error}")]) from None
    if node is None:
        return document
    problems: list[Problem] = []
    budget = [MAX_NODES]

    def build(node: yaml.Node, path: Path) -> Any:
        place = (node.start_mark.line + 1, node.start_mark.column + 1)
        document.marks.setdefault(path, place)
        budget[0] -= 1
        if budget[0] < 0 or len(path) > MAX_DEPTH:
            limit = f"{MAX_DEPTH} levels deep" if len(path) > MAX_DEPTH else f"{MAX_NODES:,} values"
            raise ConfigError([Problem(file, *place, f"more than {limit}: refused")])
        if isinstance(node, yaml.ScalarNode):
            return _scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return [build(item, (*path, index)) for index, item in enumerate(node.value)]
        mapping: dict[str, Any] = {}
        for key_node, value_node in node.value:
            key_place = (key_node.start_mark.line + 1, key_node.start_mark.column + 1)
            if not isinstance(key_node, yaml.ScalarNode):
                problems.append(Problem(file, *key_place, "a key must be a plain word"))
                continue
            key = str(key_node.value)
            if key in mapping:
                first = document.marks[(*path, key)]
                problems.append(Problem(file, *key_place, f"key {key!r} stands twice, first in line {first[0]}"))
                continue
            document.marks[(*path, key)] = key_place
            mapping[key] = build(value_node, (*path, key))
            document.marks[(*path, key, VALUE)] = (
                value_node.start_mark.line + 1,
                value_node.start_mark.column + 1,
            )
        return mapping

    document.data = build(node, ())
    if problems:
        raise ConfigError(problems)
    return document


def place_of(text: str, at: int) -> tuple[int, int]:
    """Return line and column, from 1, of the character at index ``at``."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)


VALUE = "\0value"
"""Last step of a path that means a key's value where the path without it means the key."""


def _scalar(node: yaml.ScalarNode) -> Any:
    text = node.value
    if node.style:  # quoted or a block: text, whatever it looks like
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text


def validate(model: type[Model], document: Document) -> Model:
    """Return ``document`` as ``model``.

    Raises:
        ConfigError: naming every problem with its line, column, what was expected and the nearest valid name.
    """
    try:
        return model.model_validate(document.data)
    except ValidationError as error:
        told = error.errors()
        places = [each["loc"] for each in told]
        # A list whose entries are wrong is also told as too short, since none of them is left: once is enough.
        echoes = [
            each
            for each in told
            if each["type"] == "too_short"
            and any(place[: len(each["loc"])] == each["loc"] != place for place in places)
        ]
        # A list where true or false may stand as well is told for its entries alone.
        echoes += [
            each
            for each in told
            if each["type"] == "bool_type"
            and isinstance(each["input"], list)
            and any(place != each["loc"] and place[: len(each["loc"]) - 1] == each["loc"][:-1] for place in places)
        ]
        raise ConfigError([_problem(model, document, each) for each in told if each not in echoes]) from None


def did_you_mean(word: object, names: Iterable[str]) -> str:
    """Return ``; did you mean 'NAME'?`` for the name nearest to ``word``, or an empty string."""
    near = difflib.get_close_matches(str(word).lower(), list(names), n=1, cutoff=0.6)
    return f"; {MEANT}{near[0]!r}?" if near else ""


def _problem(model: type[BaseModel], document: Document, error: ErrorDetails) -> Problem:
    path = tuple(step for step in error["loc"] if step != "[key]")
    value = error["input"]
    expected = str(error.get("ctx", {}).get("expected", ""))
    match error["type"]:
        case "extra_forbidden":
            names = _fields(model, path[:-1])
            text = f"unknown key {path[-1]!r}; expected one of {', '.join(names)}{did_you_mean(path[-1], names)}"
            return document.problem(path, text)
        case "missing":
            return document.problem(path[:-1], f"the key {path[-1]!r} is missing")
        case "enum" | "literal_error":
            names = re.findall(r"'([^']*)'", expected)
            text = f"{_shown(value)} is not known here; expected {expected}{did_you_mean(value, names)}"
        case "value_error" | "assertion_error":
            text = str(error["ctx"]["error"])
        case "model_type" | "dict_type" | "model_attributes_type":
            text = f"expected keys and values, found {_shown(value)}"
        case "too_short":
            text = "expected at least one entry, found an empty list"
        case kind if kind.endswith("_type") or kind.endswith("_parsing"):
            kinds = {
                "string": "text",
                "tuple": "a list",
                "int": "a whole number",
                "float": "a number",
                "bool": "true or false",
                "date": "a date, as in 2026-11-23",
                "date_from_datetime": "a date, as in 2026-11-23",
            }
            wanted = kind.rpartition("_")[0]
            text = f"expected {kinds.get(wanted, 'a ' + wanted)}, found {_shown(value)}"
        case _:
            text = f"{error['msg'][0].lower()}{error['msg'][1:]}, found {_shown(value)}"
    if (*path, VALUE) in document.marks and error["type"] != "missing":
        path = (*path, VALUE)
    return document.problem(path, text)


def _shown(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "keys and values"
    if isinstance(value, list):
        return "a list"
    shown = repr(value)
    return shown if len(shown) <= 60 else shown[:57] + "..."


def _fields(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys that a mapping at ``path`` of a ``model`` may have."""
    kind: Any = model
    for step in path:
        kind = _inner(kind, step)
    return list(kind.model_fields) if _is_model(kind) else []


def _inner(kind: Any, step: int | str) -> Any:
    if _is_model(kind):
        found = kind.model_fields.get(step)
        return _unwrapped(found.annotation) if found else None
    arguments = typing.get_args(kind)
    return _unwrapped(arguments[-1 if isinstance(step, str) else 0]) if arguments else None


def _unwrapped(kind: Any) -> Any:
    """Return what an ``X | None`` or ``Annotated[X, ...]`` is about."""
    if typing.get_origin(kind) is typing.Annotated:
        return _unwrapped(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        choices = [choice for choice in typing.get_args(kind) if choice is not type(None)]
        return _unwrapped(next((choice for choice in choices if _is_model(choice)), choices[0]))
    return kind


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
