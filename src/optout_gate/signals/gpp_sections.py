"""Field order of every published US section of a GPP string, as data.

Source: InteractiveAdvertisingBureau/Global-Privacy-Platform, *Sections/US-National* and *US-States* (b27beb4),
checked field by field against npm ``@iabgpp/cmpapi`` 3.2.0. A field is two bits wide unless it is a version
(six), and ``*n`` is a field of n such values. Maryland, Indiana, Kentucky and Rhode Island (24 to 27) are where
the two disagree: the specification opens with a section id and a version, the library does not. What sites emit
is the library's layout, so that is the one here; :data:`SPECIFICATION_PREFIX_BITS` is what the other would add.
"""

from dataclasses import dataclass

VERSION_FIELDS = ("Version", "MspaVersion")

SPECIFICATION_PREFIX_BITS = 12
"""Section id and version, which only the specification has before the fields of sections 24 to 27."""


SENSITIVE_BITS = 16
"""Eight answers on sensitive data, which sections 25 to 27 keep apart from the core."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a core segment: where it starts, how wide each value is, how many there are."""

    name: str
    start: int
    width: int
    count: int


@dataclass(frozen=True, slots=True)
class Section:
    """One section's core segment in one version.

    Attributes:
        gpc: True when the section may carry the browser's GPC in a segment of its own.
        disputed: True when specification and library lay its core out differently.
    """

    id: int
    name: str
    version: int
    fields: tuple[Field, ...]
    gpc: bool
    disputed: bool

    @property
    def size_bits(self) -> int:
        """Bits of the core segment before padding."""
        last = self.fields[-1]
        return last.start + last.width * last.count


_OPT_OUT = "SaleOptOutNotice TargetedAdvertisingOptOutNotice SaleOptOut TargetedAdvertisingOptOut"
_MSPA = "MspaCoveredTransaction MspaOptOutOptionMode MspaServiceProviderMode"
_SHARING = f"Version SharingNotice {_OPT_OUT}"
_PROCESSING = f"Version ProcessingNotice {_OPT_OUT}"
_SENSITIVE, _CHILD, _MORE = (
    "SensitiveDataProcessing",
    "KnownChildSensitiveDataConsents",
    "AdditionalDataProcessingConsent",
)
_NATIONAL = (
    "Version SharingNotice SaleOptOutNotice SharingOptOutNotice TargetedAdvertisingOptOutNotice "
    "SensitiveDataProcessingOptOutNotice SensitiveDataLimitUseNotice "
    "SaleOptOut SharingOptOut TargetedAdvertisingOptOut"
)
_NEWER = f"MspaVersion MspaCoveredTransaction MspaMode ProcessingNotice {_OPT_OUT}"

_GPC, _DISPUTED = "gpc", "disputed"

# id, name, version, fields, what is special
_TABLE: tuple[tuple[int, str, int, str, frozenset[str]], ...] = (
    (7, "usnat", 1, f"{_NATIONAL} {_SENSITIVE}*12 {_CHILD}*2 PersonalDataConsents {_MSPA}", frozenset({_GPC})),
    (7, "usnat", 2, f"{_NATIONAL} {_SENSITIVE}*16 {_CHILD}*3 PersonalDataConsents {_MSPA}", frozenset({_GPC})),
    (
        8,
        "usca",  # no word for targeted advertising: California calls it sharing
        1,
        "Version SaleOptOutNotice SharingOptOutNotice SensitiveDataLimitUseNotice SaleOptOut SharingOptOut "
        f"{_SENSITIVE}*9 {_CHILD}*2 PersonalDataConsents {_MSPA}",
        frozenset({_GPC}),
    ),
    (9, "usva", 1, f"{_SHARING} {_SENSITIVE}*8 {_CHILD} {_MSPA}", frozenset()),
    (10, "usco", 1, f"{_SHARING} {_SENSITIVE}*7 {_CHILD} {_MSPA}", frozenset({_GPC})),
    (
        11,
        "usut",
        1,
        "Version SharingNotice SaleOptOutNotice TargetedAdvertisingOptOutNotice SensitiveDataProcessingOptOutNotice "
        f"SaleOptOut TargetedAdvertisingOptOut {_SENSITIVE}*8 {_CHILD} {_MSPA}",
        frozenset(),
    ),
    (12, "usct", 1, f"{_SHARING} {_SENSITIVE}*8 {_CHILD}*3 {_MSPA}", frozenset({_GPC})),
    (13, "usfl", 1, f"{_PROCESSING} {_SENSITIVE}*8 {_CHILD}*3 {_MORE} {_MSPA}", frozenset()),
    (14, "usmt", 1, f"{_SHARING} {_SENSITIVE}*8 {_CHILD}*3 {_MORE} {_MSPA}", frozenset({_GPC})),
    (15, "usor", 1, f"{_PROCESSING} {_SENSITIVE}*11 {_CHILD}*3 {_MORE} {_MSPA}", frozenset({_GPC})),
    (16, "ustx", 1, f"{_PROCESSING} {_SENSITIVE}*8 {_CHILD} {_MORE} {_MSPA}", frozenset({_GPC})),
    (17, "usde", 1, f"{_PROCESSING} {_SENSITIVE}*9 {_CHILD}*5 {_MORE} {_MSPA}", frozenset({_GPC})),
    (
        18,
        "usia",
        1,
        "Version ProcessingNotice SaleOptOutNotice TargetedAdvertisingOptOutNotice SensitiveDataOptOutNotice "
        f"SaleOptOut TargetedAdvertisingOptOut {_SENSITIVE}*8 {_CHILD} {_MSPA}",
        frozenset({_GPC}),
    ),
    (19, "usne", 1, f"{_PROCESSING} {_SENSITIVE}*8 {_CHILD} {_MORE} {_MSPA}", frozenset({_GPC})),
    (20, "usnh", 1, f"{_PROCESSING} {_SENSITIVE}*8 {_CHILD}*3 {_MORE} {_MSPA}", frozenset({_GPC})),
    (21, "usnj", 1, f"{_PROCESSING} {_SENSITIVE}*10 {_CHILD}*5 {_MORE} {_MSPA}", frozenset({_GPC})),
    # The specification's table for Tennessee lacks MspaCoveredTransaction; the library has it, and so do sites.
    (22, "ustn", 1, f"{_PROCESSING} {_SENSITIVE}*8 {_CHILD} {_MORE} {_MSPA}", frozenset({_GPC})),
    (23, "usmn", 1, f"{_PROCESSING} {_SENSITIVE}*8 {_CHILD} {_MORE} {_MSPA}", frozenset({_GPC})),
    (24, "usmd", 1, f"{_NEWER} {_MORE}", frozenset({_GPC, _DISPUTED})),
    # Sensitive data of 25 to 27 is a segment of its own in the library, the end of the core in the specification.
    (25, "usin", 1, f"{_NEWER} {_CHILD} {_MORE}", frozenset({_DISPUTED})),
    (26, "usky", 1, f"{_NEWER} {_CHILD} {_MORE}", frozenset({_DISPUTED})),
    (27, "usri", 1, f"{_NEWER} {_CHILD} {_MORE}", frozenset({_DISPUTED})),
)


def _fields(words: str) -> tuple[Field, ...]:
    fields: list[Field] = []
    start = 0
    for word in words.split():
        name, _, count = word.partition("*")
        field = Field(name, start, 6 if name in VERSION_FIELDS else 2, int(count or 1))
        fields.append(field)
        start += field.width * field.count
    return tuple(fields)


SECTIONS: dict[tuple[int, int], Section] = {
    (id_, version): Section(id_, name, version, _fields(words), _GPC in special, _DISPUTED in special)
    for id_, name, version, words, special in _TABLE
}
"""By section id and version."""

NEWEST: dict[int, Section] = {section.id: section for section in SECTIONS.values()}
"""By section id, in the newest version: what is written where none stood."""

TCFEU, TCFCA, USPV1, USNAT = 2, 5, 6, 7
"""Section ids that need naming: the two consent frameworks, the old string, the national section."""
