"""What an application is told of the visitor's choice, in words that a template can use.

``request.scope["optout_gate"]`` is one of these. A template leaves a tag out by itself with
``{% if not request.scope.optout_gate.denies("meta-pixel") %}``, and the gate has less to do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optout_gate.documents import did_you_mean
from optout_gate.policy.config import Action
from optout_gate.policy.decision import Decision
from optout_gate.trackers.catalog import Catalog
from optout_gate.trackers.purposes import Purpose

SCOPE_KEY = "optout_gate"


@dataclass(frozen=True, slots=True)
class VisitorChoice:
    """The visitor's choice, as it holds for one request.

    Attributes:
        decision: all of it: policy, mode, signals.
        catalog: the vendors that :meth:`denies` knows by name.
    """

    decision: Decision
    catalog: Catalog

    @property
    def opted_out(self) -> bool:
        """True when the visitor opted out, and the site acts on it: never in observe mode, nor when it is off."""
        return self.decision.enforced

    @property
    def signal(self) -> str:
        """What decided: ``gpc``, ``cookie``, a consent cookie's format, ``always`` (the path), or ``none``."""
        return self.decision.signal

    def denies(self, name: str) -> bool:
        """Return True when a vendor (``meta-pixel``) or purpose (``advertising``) is denied for this request.

        Raises:
            ValueError: there is no such vendor or purpose; a tag left out by a misspelt name would never be.
        """
        vendor = self.catalog.vendors.get(name)
        if vendor is not None:
            return self.opted_out and self.decision.answer(vendor).action is Action.BLOCK
        if name in tuple(Purpose):
            return self.opted_out and Purpose(name) in self.decision.denied
        known = [*self.catalog.vendors, *Purpose]
        raise ValueError(f"there is no vendor or purpose {name!r}{did_you_mean(name, known)}")

    def __str__(self) -> str:
        return str(self.decision)


def choice_of(scope: Mapping[str, Any]) -> VisitorChoice | None:
    """Return the choice in an ASGI scope, or None where the gate's middleware does not stand before the application."""
    found = scope.get(SCOPE_KEY)
    return found if isinstance(found, VisitorChoice) else None
