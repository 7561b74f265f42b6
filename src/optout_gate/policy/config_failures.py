"""The configuration's keys about what leaves when a response to somebody who opted out cannot be enforced.

Every inspector of traffic has to choose, and most choose silently: Envoy's ``ext_proc`` and Squid's ICAP fail closed,
ModSecurity's recommended settings pass what is longer than their limit. Here the choice is made a cause at a time, by
the operator, and whatever passes is counted by name. ``docs/failures.md`` explains it.
"""

from enum import StrEnum

from pydantic import Field

from optout_gate.errors import Failure
from optout_gate.policy.parts import Part


class Instead(StrEnum):
    """What leaves in place of a response that cannot be enforced."""

    CONTAIN = "contain"  # as it came, under a Content-Security-Policy that allows the site and the allow-list alone
    BLOCK = "block"  # 503 with Retry-After
    PASS = "pass"  # as it came; counted and logged


class NoTransform(StrEnum):
    """What ``Cache-Control: no-transform`` of the origin does (RFC 9110 §7.7)."""

    ENFORCE = "enforce"  # nothing: the gate speaks for the site's owner, as a gateway does (RFC 9110 §3.7)
    CONTAIN = "contain"  # the page is left as it came, under a Content-Security-Policy
    HONOR = "honor"  # the page is left as it came


class OnFailureConfig(Part):
    """What leaves instead, by cause."""

    rewriter: Instead = Field(Instead.CONTAIN, description="the rewriter gave up on a page, or has a mistake in it")
    decoding: Instead = Field(
        Instead.CONTAIN, description="a content coding that cannot be opened, or is not what it says"
    )
    oversize: Instead = Field(
        Instead.CONTAIN, description="a body that grows beyond all measure, or a tag without an end"
    )
    charset: Instead = Field(Instead.CONTAIN, description="a page whose characters cannot be told from its bytes")
    partial_content: Instead = Field(Instead.CONTAIN, description="a part of a page that nobody asked for")
    choice_store: Instead = Field(
        Instead.CONTAIN, description="a known consumer, while the store of choices does not answer"
    )

    def instead(self, failure: Failure) -> Instead:
        """Return what leaves instead."""
        chosen: Instead = getattr(self, failure.value)
        return chosen


INSTEAD_OF_TRANSFORMING = {NoTransform.CONTAIN: Instead.CONTAIN, NoTransform.HONOR: Instead.PASS}
"""What leaves in place of a page that its origin forbids to change, where that counts."""
