"""A tag and a piece of text as they stand in the page's source, with the methods of lol-html's, edited by splicing.

Attributes are read as the tokenizer of the HTML Standard reads them (§13.2.5.32 to .40). What is not changed keeps its bytes:
order, case, blanks and quotes; a value that is changed comes back in double quotes.
"""

import re
from typing import Any

from optout_gate.rewrite.element import HTML_NAMESPACE

BLANK = "\t\n\f\r "
NAME = re.compile(rf"[A-Za-z][^{BLANK}/>]*")
"""The name of a tag in HTML."""
XML_NAME = re.compile(rf"[^{BLANK}/><=!?&'\"-][^{BLANK}/>]*")
"""The same in XML, with its prefix."""
_ATTRIBUTE = re.compile(rf"[{BLANK}/]*(?:(?P<close>>)|(?P<name>[^{BLANK}/>][^{BLANK}/>=]*))")
_EQUALS = re.compile(rf"[{BLANK}]*=[{BLANK}]*")
_UNQUOTED = re.compile(rf"[^{BLANK}>]*")


class ScannedText:
    """A piece of text.

    Attributes:
        out: what leaves in its place.
    """

    def __init__(self, text: str, last: bool) -> None:
        self.text = text
        self.last_in_text_node = last
        self.out = text

    def replace(self, text: str, _: Any) -> None:
        """Put something else in its place."""
        self.out = text

    def remove(self) -> None:
        """Take it out."""
        self.out = ""


class ScannedTag:
    """A start tag or an end tag."""

    def __init__(
        self, source: str, name: str, attributes: list[tuple[str, str, int, int]], end: int, xml: bool
    ) -> None:
        """Take the tag's text, its name, its attributes (name, raw value, where they stand), where the last one ends."""
        self.source = source
        self.tag_name = name
        self.is_end = source[1] == "/"
        self.is_closed = source.endswith("/>")
        self.namespace_uri = HTML_NAMESPACE
        self._attributes = attributes
        self.has_attributes = bool(attributes)
        self._end = end
        self._xml = xml
        self._changed: dict[str, str | None] = {}
        self._before = ""
        self._inside = ""

    @classmethod
    def read(cls, text: str, start: int, *, xml: bool) -> "ScannedTag | None":
        """Return the tag that begins at ``start``, or None when its end is not there yet."""
        found = (XML_NAME if xml else NAME).match(text, start + 2 if text[start + 1] == "/" else start + 1)
        if found is None:
            return None
        name = found.group().lower()
        if xml:
            name = name.rpartition(":")[2]
        attributes: list[tuple[str, str, int, int]] = []
        place = end = found.end()
        while (match := _ATTRIBUTE.match(text, place)) is not None:
            if match["close"] is not None:
                return cls(text[start : match.end()], name, attributes, end - start, xml)
            begin, place = match.start("name"), match.end()
            value = ""
            equals = _EQUALS.match(text, place)
            if equals is not None:
                place = equals.end()
                quote = text[place : place + 1]
                if quote in ('"', "'") and quote:
                    closing = text.find(quote, place + 1)
                    if closing < 0:
                        return None
                    value, place = text[place + 1 : closing], closing + 1
                else:
                    unquoted = _UNQUOTED.match(text, place)
                    value = unquoted.group() if unquoted is not None else ""
                    place += len(value)
            if place >= len(text):
                return None
            attributes.append((match["name"].lower(), value, begin - start, place - start))
            end = place
        return None

    @property
    def attributes(self) -> list[tuple[str, str]]:
        """Names and raw values in their order."""
        return [(name, value) for name, value, _, _ in self._attributes]

    def get_attribute(self, name: str) -> str | None:
        """Return the value of the first attribute of that name, or None."""
        if name in self._changed:
            return self._changed[name]
        return next((value for each, value, _, _ in self._attributes if each == name), None)

    def has_attribute(self, name: str) -> bool:
        """Return True where an attribute of that name is left."""
        return self.get_attribute(name) is not None

    def set_attribute(self, name: str, value: str) -> None:
        """Give the first attribute of that name another value, or add one."""
        self._changed[name] = value

    def remove_attribute(self, name: str) -> None:
        """Take every attribute of that name away."""
        if self.has_attribute(name):
            self._changed[name] = None

    def before(self, content: str, _: Any) -> None:
        """Put something before the tag."""
        self._before += content

    def prepend(self, content: str, _: Any) -> None:
        """Put something right behind the tag."""
        self._inside += content

    def rendered(self) -> str:
        """Return the tag with its changes spliced in, and what was put around it."""
        out: list[str] = [self._before]
        done = 0
        written: set[str] = set()
        for name, _, start, end in self._attributes:
            if name not in self._changed:
                continue
            value = self._changed[name]
            if value is None or name in written:  # every one of that name goes: a second must not come into force
                out.append(self.source[done:start].rstrip(BLANK))
            else:
                out += (self.source[done:start], self._pair(name, value))
            written.add(name)
            done = end
        out.append(self.source[done : self._end])
        out += [
            f" {self._pair(name, value)}"
            for name, value in self._changed.items()
            if value is not None and name not in written
        ]
        out.append(self.source[self._end :])
        if not self.is_closed:
            out.append(self._inside)
        return "".join(out)

    def _pair(self, name: str, value: str) -> str:
        value = value.replace('"', "&quot;")
        return f'{name}="{value.replace("<", "&lt;") if self._xml else value}"'
