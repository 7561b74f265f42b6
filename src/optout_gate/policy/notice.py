"""The privacy notice as a program.

A notice promises two kinds of things, and each becomes a rule here:

* *What is sold or shared* may be refused: the purposes of every recipient that some category is sold to or shared with
  are what an opt-out denies.
* *What is not sold or shared* holds for everyone, asked or not: on the paths that carry such a category, no recipient
  who may not have it is loaded (notice, section 12: sensitive and audio/visual information).

The chart of categories and recipients is written down as the notice prints it, so that who changes the one sees what
to change in the other; ``optout-gate check`` prints it back.
"""

from collections.abc import Iterator
from datetime import date
from enum import StrEnum

from pydantic import Field

from optout_gate.policy.parts import DeniablePurpose, Part, PathPattern
from optout_gate.trackers.purposes import Purpose


class Technology(StrEnum):
    """What a notice says that data is collected with, and the gate finds (notice, section 5.A)."""

    COOKIES = "cookies"  # by name, in Set-Cookie and Cookie
    PIXELS = "pixels"  # images, beacons and pings, by address
    SESSION_REPLAY = "session_replay"  # by vendor, whatever form it comes in
    EMBEDDED_SCRIPTS = "embedded_scripts"  # scripts and SDKs, by address, by what stands in them


class Recipient(Part):
    """Somebody who is given data, as one column of the chart."""

    name: str = Field(min_length=1, description="as the notice calls them")
    purposes: tuple[DeniablePurpose, ...] = Field(min_length=1, description="purposes by which the gate knows them")


class Category(Part):
    """A kind of personal information, as one row of the chart."""

    name: str = Field(min_length=1, description="as the notice calls it")
    sold_or_shared: tuple[str, ...] = Field(
        description="ids of the recipients that it is sold to or shared with; [] for none"
    )
    paths: tuple[PathPattern, ...] = Field(
        (), description="paths that carry it; there, recipients that are not listed are denied for everyone"
    )


class Notice(Part):
    """A privacy notice: what it says is done, compiled into what is denied."""

    title: str = Field(min_length=1, description="the notice's title")
    updated: date = Field(description="when it was last updated: YYYY-MM-DD")
    purposes: dict[str, tuple[Purpose, ...]] = Field(
        min_length=1, description="what it says technologies are used for, with the catalogue's purposes for each"
    )
    technologies: tuple[Technology, ...] = Field(min_length=1, description="what it says that data is collected with")
    recipients: dict[str, Recipient] = Field(min_length=1, description="columns of its chart, by an id")
    categories: dict[str, Category] = Field(min_length=1, description="rows of its chart, by an id")

    @property
    def refusable(self) -> frozenset[Purpose]:
        """The purposes of everybody that something is sold to or shared with."""
        sold = {id_ for category in self.categories.values() for id_ in category.sold_or_shared}
        return frozenset(purpose for id_ in sold if id_ in self.recipients for purpose in self.recipients[id_].purposes)

    def withheld(self, category: Category) -> frozenset[Purpose]:
        """Return the purposes of everybody that ``category`` is not sold to or shared with.

        One purpose may belong to several recipients; it is withheld when any of them may not have the category, since
        the gate cannot tell which of them a vendor is.
        """
        without = [each for id_, each in self.recipients.items() if id_ not in category.sold_or_shared]
        return frozenset(purpose for recipient in without for purpose in recipient.purposes)

    def floors(self) -> Iterator[tuple[str, frozenset[Purpose], str]]:
        """Yield each path pattern that carries something withheld: pattern, purposes denied there, why in words."""
        for category in self.categories.values():
            purposes = self.withheld(category)
            for pattern in category.paths if purposes else ():
                yield pattern, purposes, f"the notice: {category.name} is not sold or shared"
