"""The guard's place in a page that is written in XML (XHTML, by its media type).

A browser's XML parser forgives nothing: what is put in has to leave the page well-formed, and an element is a script only
in the namespace of HTML, which the page may have given any prefix. So the guard brings its namespace with it, and stands
first in the head where the root is an ``html`` with one, else first in the root itself, an ``svg`` among them: a script
runs there just as well, and takes itself out again.

No entity matters up to there: a document type with declarations of its own never gets this far (it goes out contained),
and the names that browsers know by the public ids of XHTML stand for characters, never for markup.
"""

import re
from typing import NamedTuple

XHTML = "http://www.w3.org/1999/xhtml"
SVG = "http://www.w3.org/2000/svg"

_NAME = r"[^\s/>=<!?&'\":]++"
_ATTRIBUTES = r"(?:\s++[^\s/>=<'\"]++\s*+=\s*+(?:\"[^\"<]*+\"|'[^'<]*+'))*+"
_BEFORE = re.compile(r"(?:\s|<!--.*?-->|<\?.*?\?>)*+", re.DOTALL)
_DOCTYPE = re.compile(r"<!DOCTYPE(?:[^>\[\"']|\"[^\"]*+\"|'[^']*+')*+>")
_TAG = re.compile(
    rf"<(?:(?P<prefix>{_NAME}):)?(?P<name>{_NAME})(?P<attributes>{_ATTRIBUTES})\s*+(?P<closed>/?)>", re.DOTALL
)
_NAMESPACE = re.compile(rf"\sxmlns(?::(?P<prefix>{_NAME}))?\s*=\s*[\"'](?P<uri>[^\"']*)[\"']")


class Place(NamedTuple):
    """Where the guard goes.

    Attributes:
        at: the character in front of which it goes; None where it has none.
        is_document: the root is HTML's.
        is_open: more of the page may change that.
    """

    at: int | None
    is_document: bool
    is_open: bool


def place(text: str, start: int) -> Place:
    """Return where the guard goes in a page whose markup begins at ``start``, behind a byte order mark."""
    at = _past(text, start)
    doctype = _DOCTYPE.match(text, at)
    root = _TAG.match(text, at if doctype is None else _past(text, doctype.end()))
    if root is None:
        return Place(None, False, True)
    declared = _NAMESPACE.finditer(root["attributes"])
    kind = next((found["uri"] for found in declared if found["prefix"] == root["prefix"]), "")
    is_document = (root["name"], kind) == ("html", XHTML)
    if root["closed"] or not (is_document or (root["name"], kind) == ("svg", SVG)):
        return Place(None, is_document, False)  # a feed, say: browsers show what they know no look of as a tree
    if not is_document:
        return Place(root.end(), False, False)
    head = _TAG.match(text, _past(text, root.end()))
    if head is None:
        return Place(root.end(), True, True)
    is_head = (head["prefix"], head["name"], head["closed"]) == (root["prefix"], "head", "")
    return Place(head.end() if is_head else root.end(), True, False)


def _past(text: str, at: int) -> int:
    """Return where white space, comments and instructions end."""
    found = _BEFORE.match(text, at)
    return found.end() if found is not None else at
