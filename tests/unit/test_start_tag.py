"""What is written down about one tag does to the next the same as doing it would have done."""

from collections.abc import Callable
from typing import Any

import lolhtml
import pytest

from optout_gate.rewrite.start_tag import StartTag, edit

TWICE = '<img SRC="/a" src="/b" alt = x data-x title>'


def put_through(handle: Callable[[Any], None]) -> bytes:
    class Handler:
        def element(self, element: Any) -> None:
            handle(element)

    out: list[bytes] = []
    rewriter = lolhtml.HTMLRewriter(out.append)  # type: ignore[arg-type]  # it is given bytes
    rewriter.on("img", Handler())
    rewriter.write(TWICE.encode())
    rewriter.end()
    return b"".join(out)


def set_one(element: Any) -> None:
    element.set_attribute("src", "/c")
    element.set_attribute("new", element.get_attribute("src") or "")


def take_one(element: Any) -> None:
    element.remove_attribute("src")
    element.set_attribute("alt", element.get_attribute("src") or "")


def take_every(element: Any) -> None:
    while element.has_attribute("src"):
        element.remove_attribute("src")
    element.remove_attribute("missing")
    element.set_attribute("src", "/d")


@pytest.mark.parametrize("change", [set_one, take_one, take_every])
def test_a_tag_changed_from_what_was_written_down_is_as_one_changed_at_once(change: Callable[[Any], None]) -> None:
    def by_writing_down(element: Any) -> None:
        tag = StartTag(element.tag_name, tuple(element.attributes))
        change(tag)
        edit(element, tag.edits)

    assert put_through(by_writing_down) == put_through(change) != TWICE.encode()
