"""What a consent category means, from the name a platform or a site gave it.

Every platform sorts a site's tags into categories and names them in its own words: ``marketing``,
``C0004``, ``behavioral_advertising``, ``cookie_cat_statistic``. A category of the first row means sale, sharing
and targeted advertising alike: what such a tag does with the visitor's data is all three (11 CCR §7026(a)).
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from optout_gate.signals.statement import ADVERTISING_USES, Answer, Statement

_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (r"replay|heat.?map|recording", ("session_replay",)),
    (r"sale|sell|sold", ("sale",)),
    (r"shar(e|ing)|social|third.?part", ("sharing",)),
    (r"market|advert|target|(?<![a-z])ads?(?![a-z])|behaviou?ral|doubleclick|facebook|pixel", ADVERTISING_USES),
    (r"analy|statisti|performance|measure|matomo|piwik", ("analytics",)),
)
_MEANINGS = tuple((re.compile(words), uses) for words, uses in _WORDS)

_NEITHER = re.compile(
    r"necessary|essential|required|strict|function|prefer|personali|security|storage|experience|confirm|support"
)
"""Words of categories that are neither advertising nor analytics."""

_MANDATORY = re.compile(r"necessary|essential|required|strict")
"""Words of categories that nobody can refuse."""


@lru_cache(maxsize=512)  # sites use a few dozen names; ten patterns a name are most of the cost of reading
def uses_of(category: str) -> tuple[str, ...] | None:
    """Return the uses that a category of this name is about, empty for neutral ones, None when unknown."""
    name = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", category[:128]).lower()
    found = [uses for words, uses in _MEANINGS if words.search(name)]
    if found:
        return tuple(dict.fromkeys(use for uses in found for use in uses))
    return () if _NEITHER.search(name) else None


def statement_of(answers: Mapping[str, Answer], platform: str, *, opaque: bool = False) -> Statement:
    """Return what the answers by category name say together.

    When no category names a use and every optional one is refused, advertising is refused.
    With ``opaque`` (the site's own ids instead of names), *one* refusal of an unknown category is taken as a
    refusal of advertising: the gate cannot tell that it was not.
    """
    uses: dict[str, Answer] = {}
    unnamed = Answer.UNKNOWN
    optional: list[Answer] = []
    for category, answer in answers.items():
        about = uses_of(category)
        if about is None:
            unnamed |= answer
        elif not about and _MANDATORY.search(category.lower()):
            continue
        for use in about or ():
            uses[use] = uses.get(use, Answer.UNKNOWN) | answer
        optional.append(answer)
    if not uses and optional and all(answer is Answer.OUT for answer in optional):
        unnamed, opaque = Answer.OUT, True
    if opaque and unnamed is not Answer.UNKNOWN:
        for use in ADVERTISING_USES:
            uses[use] = uses.get(use, Answer.UNKNOWN) | unnamed
    return Statement(**uses).described(platform) if uses else Statement(evidence=f"{platform}: nothing about ads")


def granted_only(granted: Iterable[str], platform: str) -> Statement:
    """Return what a closed list of *permitted* categories says: what is not in it was not permitted."""
    uses = {use for category in granted for use in uses_of(category) or ()}
    advertising = Answer.IN if uses & set(ADVERTISING_USES) else Answer.OUT
    analytics = Answer.IN if "analytics" in uses else Answer.OUT
    return Statement.advertising(advertising, "", analytics=analytics).described(platform)
