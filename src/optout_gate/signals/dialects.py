"""The words in which consent platforms say yes and no, and three shapes in which they store them.

Thirty platforms, three shapes: a single word under a cookie of its own (:class:`Word`), a list of names and
words (:class:`Listing`), a JSON object of names and words (:class:`Tree`). A platform is a line of data in
:mod:`~optout_gate.signals.plain_cookies` or :mod:`~optout_gate.signals.json_cookies`; what it cannot express
is a function there.

Writing keeps to the dialect it finds: ``accepted`` becomes ``revoked``, ``ACCEPT`` becomes ``DENY``, ``1``
becomes ``0``. What is not about sale, sharing or targeted advertising is written back as it stood.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from optout_gate.signals.categories import statement_of, uses_of
from optout_gate.signals.escapes import json_object, json_text, layers, rewritten
from optout_gate.signals.statement import ADVERTISING_USES, NOTHING, Answer, Statement

REFUSAL: Mapping[str, str] = {
    "true": "false",
    "yes": "no",
    "allow": "deny",
    "1": "0",
    "in": "out",
    "accept": "deny",
    "accepted": "revoked",
    "granted": "denied",
    "opt_in": "opt_out",
}
"""Every word that allows, with the word that refuses in the same dialect."""

_ANSWERS: Mapping[str, Answer] = {
    **dict.fromkeys(REFUSAL, Answer.IN),
    **dict.fromkeys(REFUSAL.values(), Answer.OUT),
    "-1": Answer.OUT,  # Piwik PRO
    "reject": Answer.OUT,
    "rejected": Answer.OUT,
}


def answer_of(word: object) -> Answer:
    """Return what a word, number or truth value says; a word of no dialect (``Auto``, ``acknowledge``) is unknown."""
    if isinstance(word, bool | int | str):
        return _ANSWERS.get(str(word).strip().lower()[:16], Answer.UNKNOWN)
    return Answer.UNKNOWN


def refusal_of(word: object) -> object:
    """Return the refusal in the dialect of ``word``; what does not allow comes back as it is."""
    if isinstance(word, bool):
        return False
    if isinstance(word, int):
        return 0 if word == 1 else word
    if isinstance(word, str) and word.strip().lower() in REFUSAL:
        refusal = REFUSAL[word.strip().lower()]
        return refusal.upper() if word.isupper() else refusal
    return word


def refuses_advertising(category: str) -> bool:
    """Return True when an opt-out of sale, sharing or targeted advertising refuses this category."""
    return bool(set(uses_of(category) or ()) & set(ADVERTISING_USES))


@dataclass(frozen=True, slots=True)
class Word:
    """A cookie whose whole value is one word about one category.

    Attributes:
        inverted: True when ``yes`` means *opted out*.
    """

    platform: str
    category: str
    inverted: bool = False

    def read(self, value: str | bytes) -> Statement:
        """Return what the word says about the category."""
        for text in layers(value):
            answer = answer_of(text)
            if answer is not Answer.UNKNOWN:
                return statement_of({self.category: _turned(answer, self.inverted)}, self.platform)
        return NOTHING.saying(f"{self.platform}: no word it uses")

    def opted_out(self, previous: str) -> str | None:
        """Return the word that refuses, or None when ``previous`` is no word of a dialect."""

        def rewrite(text: str) -> str | None:
            answer = answer_of(text)
            if answer is Answer.UNKNOWN:
                return None
            if not self.inverted:
                return str(refusal_of(text))
            return text if answer is Answer.IN else _ALLOWING.get(text.strip().lower(), text)

        return rewritten(previous, rewrite)


_ALLOWING: Mapping[str, str] = {refuses: allows for allows, refuses in REFUSAL.items()}


def _turned(answer: Answer, inverted: bool) -> Answer:
    if not inverted:
        return answer
    return {Answer.OUT: Answer.IN, Answer.IN: Answer.OUT}.get(answer, Answer.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Listing:
    """A cookie whose value lists names and words in a notation of the platform's own.

    Attributes:
        pair: finds one entry; its groups are ``name`` and ``word``.
        categories: what the platform's ids mean, where the names do not speak for themselves.
        inverted: names whose word is about opting *out*; ``*`` for all.
        closed: True when the platform leaves out what was refused.
    """

    platform: str
    pair: re.Pattern[str]
    categories: Mapping[str, str] = field(default_factory=dict)
    inverted: frozenset[str] = frozenset()
    closed: bool = False

    def read(self, value: str | bytes) -> Statement:
        """Return what all entries say together."""
        answers: dict[str, Answer] = {}
        for match in max(map(self._entries, layers(value)), key=len, default=[]):
            category = self._category(match["name"])
            answers[category] = answers.get(category, Answer.UNKNOWN) | self._answer(match)
        if not answers:
            return NOTHING.saying(f"{self.platform}: no entry it uses")
        if self.closed and not any(refuses_advertising(category) for category in answers):
            answers["marketing"] = Answer.OUT
        return statement_of(answers, self.platform)

    def opted_out(self, previous: str) -> str | None:
        """Return the list with every advertising entry refused, or None when it is no such list."""
        most = self.entries_in(previous)

        def rewrite(text: str) -> str | None:
            return self.pair.sub(self._refused, text) if most and len(self._entries(text)) == most else None

        return rewritten(previous, rewrite)

    def entries_in(self, value: str | bytes) -> int:
        """Return how many entries the value lists, in the layer that shows most.

        Not the first layer that shows any: an encoded separator hides all entries behind the first.
        """
        return max((len(self._entries(text)) for text in layers(value)), default=0)

    def _entries(self, text: str) -> list[re.Match[str]]:
        return list(self.pair.finditer(text))

    def _refused(self, match: re.Match[str]) -> str:
        if self._answer(match) is not Answer.IN or not refuses_advertising(self._category(match["name"])):
            return match[0]
        word = match["word"]
        new = _ALLOWING.get(word, word) if self._inverted(match["name"]) else str(refusal_of(word))
        start = match.start("word") - match.start()
        return match[0][:start] + new + match[0][start + len(word) :]

    def _answer(self, match: re.Match[str]) -> Answer:
        return _turned(answer_of(match["word"]), self._inverted(match["name"]))

    def _inverted(self, name: str) -> bool:
        return name in self.inverted or "*" in self.inverted

    def _category(self, name: str) -> str:
        return self.categories.get(name, name)


@dataclass(frozen=True, slots=True)
class Tree:
    """A cookie whose value is a JSON object with a map of names and words somewhere inside.

    Attributes:
        path: the keys that lead to the map.
        word: the key of the word, where each entry is an object itself.
        undecided: words that are no answer in this dialect, though they are in others.
        opaque: True when names are the site's own, so that one refusal of an unknown one counts.
        open: turns text into the object.
    """

    platform: str
    path: tuple[str, ...] = ()
    categories: Mapping[str, str] = field(default_factory=dict)
    inverted: frozenset[str] = frozenset()
    word: str = ""
    undecided: frozenset[str] = frozenset()
    opaque: bool = False
    open: Callable[[str], dict[str, Any] | None] = json_object

    def read(self, value: str | bytes) -> Statement:
        """Return what all entries say together."""
        for text in layers(value):
            entries = self._entries(self.open(text))
            if entries is not None:
                return self.statement(entries)
        return NOTHING.saying(f"{self.platform}: not the object it uses")

    def statement(self, entries: Mapping[str, Any]) -> Statement:
        """Return what the entries of the map say together; names that begin with ``$$`` are the platform's."""
        answers: dict[str, Answer] = {}
        for name, entry in entries.items():
            if name.startswith("$$"):
                continue
            category = self.categories.get(name, name)
            word = self._word(entry)
            answer = _turned(answer_of(word), name in self.inverted)
            if str(word)[:16] in self.undecided:
                answer = Answer.UNKNOWN
            answers[category] = answers.get(category, Answer.UNKNOWN) | answer
        return statement_of(answers, self.platform, opaque=self.opaque)

    def opted_out(self, previous: str) -> str | None:
        """Return the object with every advertising entry refused, or None when it is no such object."""

        def rewrite(text: str) -> str | None:
            found = json_object(text)
            entries = self._entries(found)
            if found is None or entries is None:
                return None
            changed = False
            for name, word in entries.items():
                inverted = name in self.inverted
                if not refuses_advertising(self.categories.get(name, name)) or isinstance(word, dict | list):
                    continue
                if _turned(answer_of(word), inverted) is Answer.IN:
                    entries[name] = _allowing(word) if inverted else refusal_of(word)
                    changed = True
            return json_text(found) if changed else text

        return rewritten(previous, rewrite)

    def _word(self, entry: object) -> object:
        return entry.get(self.word) if self.word and isinstance(entry, dict) else entry

    def _entries(self, found: dict[str, Any] | None) -> dict[str, Any] | None:
        place: object = found
        for key in self.path:
            place = place.get(key) if isinstance(place, dict) else None
        return place if isinstance(place, dict) else None


def _allowing(word: object) -> object:
    if isinstance(word, bool):
        return True
    new = _ALLOWING.get(str(word).lower(), str(word))
    return new.upper() if isinstance(word, str) and word.isupper() else new
