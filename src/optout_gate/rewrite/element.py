"""An element or a text as readers of pages hand it on: lol-html's own, or one of the gate's with the same methods.

Three things are an :class:`Element`: lol-html's, a tag that the gate's own scanner read, and, as far as its attributes go, a
start tag that is written down for the memory (:mod:`optout_gate.rewrite.start_tag`). Attribute values are as they stand in the
page; :mod:`optout_gate.rewrite.attributes` knows what they mean.
"""

from collections.abc import Sequence
from typing import Any, Protocol

import lolhtml

HTML_NAMESPACE = "http://www.w3.org/1999/xhtml"


class _Markup:
    """lol-html's word for content that is markup. It asks for ``value``, which an enum's member is slow to answer."""

    value = lolhtml.ContentType.HTML.value


MARKUP = _Markup()


class Tag(Protocol):
    """A start tag, to be read and changed in place."""

    @property
    def tag_name(self) -> str:
        """Its name, in lower case."""
        ...

    def get_attribute(self, name: str) -> str | None:
        """Return the value of the first attribute of that name, or None."""
        ...

    def has_attribute(self, name: str) -> bool:
        """Return True where there is an attribute of that name."""
        ...

    def set_attribute(self, name: str, value: str) -> None:
        """Give the first attribute of that name another value, or add one."""
        ...

    def remove_attribute(self, name: str) -> None:
        """Take the first attribute of that name away."""
        ...


class Element(Tag, Protocol):
    """A start tag in its place in the page."""

    @property
    def namespace_uri(self) -> str:
        """:data:`HTML_NAMESPACE`, or another's whose texts are markup like any other."""
        ...

    @property
    def attributes(self) -> Sequence[tuple[str, str]]:
        """Names and values in their order."""
        ...

    def before(self, content: str, content_type: Any) -> None:
        """Put something before the tag."""
        ...

    def prepend(self, content: str, content_type: Any) -> None:
        """Put something right behind the tag."""
        ...


class TextPiece(Protocol):
    """A piece of the text in an element."""

    @property
    def text(self) -> str:
        """The text as it came."""
        ...

    @property
    def last_in_text_node(self) -> bool:
        """True for the last piece, which may be empty."""
        ...

    def replace(self, content: str, content_type: Any) -> None:
        """Put something else in its place."""
        ...

    def remove(self) -> None:
        """Take it out."""
        ...


def without(tag: Tag, attribute: str) -> None:
    """Take an attribute away, however often it stands there: of two, the second would come into force."""
    while tag.has_attribute(attribute):
        tag.remove_attribute(attribute)
