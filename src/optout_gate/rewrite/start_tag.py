"""A start tag's attributes, and what was done with them, so that it can be done again to the next tag that is the same.

The tags of vendors are the same to the letter on every page of a site. What becomes of one depends on its name, its
attributes and the judge's standing alone (:func:`~optout_gate.rewrite.remembering.remembered_tag`), and asking lol-html
for all attributes at once costs little more than asking for two, each a call from Python into Rust. So a tag met for the
first time is written down here, and :class:`~optout_gate.rewrite.page.Page` works on this in place of lol-html's element.
"""

from optout_gate.rewrite.element import Tag

Attributes = tuple[tuple[str, str], ...]
"""Names and raw values, in the order of the tag; a name may stand there twice."""
Edits = tuple[tuple[str, str | None], ...]
"""Attributes set, and with None taken away, in order."""


class StartTag:
    """An element of lol-html's as far as its attributes go, that writes down what is done with it."""

    __slots__ = ("_attributes", "_edits", "tag_name")

    def __init__(self, tag_name: str, attributes: Attributes) -> None:
        self.tag_name = tag_name
        self._attributes = list(attributes)
        self._edits: list[tuple[str, str | None]] = []

    @property
    def edits(self) -> Edits:
        """What was done."""
        return tuple(self._edits)

    def get_attribute(self, name: str) -> str | None:
        """Return the value of the first attribute of that name, or None."""
        return next((value for each, value in self._attributes if each == name), None)

    def has_attribute(self, name: str) -> bool:
        """Return True where an attribute of that name is left."""
        return self.get_attribute(name) is not None

    def set_attribute(self, name: str, value: str) -> None:
        """Give the first attribute of that name another value, or add one."""
        self._edits.append((name, value))
        for place, (each, _) in enumerate(self._attributes):
            if each == name:
                self._attributes[place] = (name, value)
                return
        self._attributes.append((name, value))

    def remove_attribute(self, name: str) -> None:
        """Take the first attribute of that name away."""
        self._edits.append((name, None))
        for place, (each, _) in enumerate(self._attributes):
            if each == name:
                del self._attributes[place]
                return


def edit(element: Tag, edits: Edits) -> None:
    """Do to an element what was done to another with the same attributes."""
    for name, value in edits:
        if value is None:
            element.remove_attribute(name)
        else:
            element.set_attribute(name, value)
