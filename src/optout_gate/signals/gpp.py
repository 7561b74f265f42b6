"""What an IAB GPP string says: a header that lists sections, then one section a jurisdiction.

Source: InteractiveAdvertisingBureau/Global-Privacy-Platform (b27beb4) and npm ``@iabgpp/cmpapi`` 3.2.0, which
are not of one mind (see :mod:`~optout_gate.signals.gpp_bits` and :mod:`~optout_gate.signals.gpp_sections`).

An opt-out is sale, sharing or targeted advertising refused in *any* US section, or the GPC segment set; who
looks at sale alone misses a California visitor who refused only sharing. What cannot be decoded is unknown and
never *not opted out*: a section of an unknown version, a truncated one, and one of the four disputed states
whose answer depends on whose layout is right.
"""

import re
from collections.abc import Iterable

from optout_gate.signals import tcf, usprivacy
from optout_gate.signals.escapes import layers
from optout_gate.signals.gpp_bits import bits_of, id_range, id_range_bits, integer, text_of_bits
from optout_gate.signals.gpp_sections import (
    NEWEST,
    SECTIONS,
    SENSITIVE_BITS,
    SPECIFICATION_PREFIX_BITS,
    TCFCA,
    TCFEU,
    USNAT,
    USPV1,
    Section,
)
from optout_gate.signals.statement import NOTHING, Answer, Statement, merged

COOKIES = (
    "__gpp",  # de facto name: Prebid servers and most platforms
    "OTGPPConsent",  # OneTrust
    "IABGPP_HDR_GppString",  # InMobi Choice; the name the mobile specification gives the string
)
SID_COOKIES = ("__gpp_sid",)

MAX_CHARS = 8192  # a string with every section is under 500 characters
MAX_SECTIONS = 64  # 27 ids are given out

_TYPE_GPP, _VERSION = 3, 1
_GPC = 1  # the first two bits of a segment behind the core tell its kind
_ANSWERS = {0: Answer.UNKNOWN, 1: Answer.OUT, 2: Answer.IN}
_USES = (
    ("SaleOptOut", "sale"),
    ("SharingOptOut", "sharing"),
    ("TargetedAdvertisingOptOut", "targeted_advertising"),
)
_FRAMEWORK = re.compile(r"[A-Za-z0-9_.-]+\Z")  # what may be passed on unread
_NO = 2  # MspaCoveredTransaction: the transaction is not covered by the contract


def read(value: str | bytes) -> Statement:
    """Return what all US sections of a GPP string say together."""
    for text in layers(value):
        sections = sections_of(text)
        if sections is not None:
            statements = [_read_section(id_, section) for id_, section in sections.items()]
            return merged(statements).saying(
                "; ".join(statement.evidence for statement in statements) or "gpp: no sections"
            )
        if tcf.is_tc_string(text):
            return tcf.read(text)
    return NOTHING.saying("gpp: not a GPP string")


def read_sid(value: str | bytes) -> Statement:
    """Return a silent statement: ``__gpp_sid`` names the sections that apply and answers nothing."""
    return NOTHING.saying("gpp: names the sections that apply" if section_ids(value) else "gpp: no section ids")


def section_ids(value: str | bytes) -> tuple[int, ...]:
    """Return the ids in a ``__gpp_sid`` value (``7,8``; some write ``7_8``), or none when it is another thing."""
    for text in layers(value):
        words = text.replace("_", ",").split(",")
        if len(words) <= MAX_SECTIONS and all(word.isascii() and word.isdigit() and len(word) < 4 for word in words):
            return tuple(dict.fromkeys(int(word) for word in words))
    return ()


def sections_of(text: str) -> dict[int, str] | None:
    """Return the text of each section by its id, or None when ``text`` is no GPP string.

    Where header and sections differ in number, the sections that are there are taken in the header's order.
    """
    if not text.startswith("D") or len(text) > MAX_CHARS:
        return None
    header, *bodies = text.split("~")
    bits = bits_of(header.partition(".")[0])
    if bits is None or integer(bits, 0, 6) != _TYPE_GPP or integer(bits, 6, 6) != _VERSION:
        return None
    return dict(zip(id_range(bits, 12, min(len(bodies), MAX_SECTIONS)), bodies, strict=False))


def _read_section(id_: int, text: str) -> Statement:
    if id_ == USPV1:
        return usprivacy.read(text)
    if id_ not in NEWEST:
        framework = "a consent framework of another region" if id_ in (TCFEU, TCFCA) else "an unknown section"
        return NOTHING.saying(f"gpp: {framework}")
    core, *others = text.split(".")
    name = NEWEST[id_].name
    section, bits, offset = _core(id_, core)
    said = _answers(section, bits, offset) if section else NOTHING
    if offset:
        name, said = f"{name} in the specification's layout", _refusals(said)
    if _may_carry_gpc(NEWEST[id_]) and any(_gpc(segment) for segment in others):
        name, said = f"{name} with GPC", said.merge(Statement.advertising(Answer.OUT, ""))
    return said.described(f"gpp {name}")


def _core(id_: int, text: str) -> tuple[Section | None, str, int]:
    """Return a core segment's layout, its bits, and how many bits in that layout begins.

    Two ways to tell a layout, beside the version that the segment states. A disputed state that opens with its
    own id is written by the specification. And OneTrust writes the national section with the fields of version
    2 under the number 1, so its length decides, as it does in the IAB's library.
    """
    bits = bits_of(text)
    version = integer(bits, 0, 6) if bits else None
    if bits is None or version is None:
        return None, "", 0
    newest = NEWEST[id_]
    if newest.disputed and version == id_:
        return newest, bits, SPECIFICATION_PREFIX_BITS
    if id_ == USNAT and version == 1 and len(bits) >= newest.size_bits:
        return newest, bits, 0
    return SECTIONS.get((id_, version)), bits, 0


def _answers(section: Section, bits: str, offset: int) -> Statement:
    starts = {field.name: field.start + offset for field in section.fields}
    found = {
        use: _ANSWERS.get(integer(bits, starts[name], 2) or 0, Answer.UNKNOWN) for name, use in _USES if name in starts
    }
    return Statement(**found)


def _refusals(said: Statement) -> Statement:
    """Return only the refusals: what is read in a disputed layout is never read as *not opted out*."""
    return Statement(**{use: Answer.OUT for _, use in _USES if getattr(said, use) is Answer.OUT})


def _may_carry_gpc(section: Section) -> bool:
    """Return False where a further segment is sensitive data, whose bits can look like GPC (25 to 27)."""
    return section.gpc or not section.disputed


def _gpc(segment: str) -> bool:
    bits = bits_of(segment)
    return bits is not None and integer(bits, 0, 2) == _GPC and integer(bits, 2, 1) == 1


def opted_out(previous: str | None, section_ids: Iterable[int] = (USNAT,)) -> str:
    """Return a GPP string, built anew, that says *opted out* in every US section.

    The sections are those of ``previous``; where it holds none that can be kept, those of ``section_ids``.
    Everything else that a section said (notices, sensitive data, children, contract) is taken over. A consent
    framework of another region is passed on as it stood. A section that this module does not know cannot be
    made to agree and is left out. Beside one of the four disputed states stands the national section, which
    every decoder reads alike.
    """
    stood: dict[int, str] = {}
    for text in layers(previous or ""):
        sections = sections_of(text)
        if sections is not None:
            stood = sections
            break
        if tcf.is_tc_string(text):
            stood = {TCFEU: text}
            break
    kept = {
        id_: text
        for id_, text in stood.items()
        if id_ in NEWEST or id_ == USPV1 or (id_ in (TCFEU, TCFCA) and _FRAMEWORK.match(text))
    }
    if not any(id_ in NEWEST or id_ == USPV1 for id_ in kept):
        kept |= {id_: "" for id_ in section_ids if id_ in NEWEST or id_ == USPV1}
    if any(id_ in NEWEST and NEWEST[id_].disputed for id_ in kept):
        kept.setdefault(USNAT, "")
    ids = sorted(kept)
    header = text_of_bits(format(_TYPE_GPP, "06b") + format(_VERSION, "06b") + id_range_bits(ids))
    return "~".join([header, *(_opted_out_section(id_, kept[id_]) for id_ in ids)])


def _opted_out_section(id_: int, stood: str) -> str:
    if id_ == USPV1:
        return usprivacy.opted_out(stood or None)
    if id_ not in NEWEST:
        return stood
    core, *others = stood.split(".")
    section, bits, offset = _core(id_, core)
    if section is None:  # what cannot be read cannot be taken over
        section, bits, others = NEWEST[id_], "", []
    written = ""
    for field in section.fields:
        for index in range(field.count):
            value = integer(bits, field.start + offset + index * field.width, field.width) or 0
            written += format(_opted_out_value(section, field.name, value), f"0{field.width}b")
    segments = [text_of_bits(written)]
    if section.gpc:
        segments.append(text_of_bits(format(_GPC, "02b") + "1"))
    elif offset:  # the specification keeps the sensitive data of 25 to 27 at the end of the core
        sensitive = bits[offset + section.size_bits :][:SENSITIVE_BITS]
        segments += [text_of_bits(sensitive)] if len(sensitive) == SENSITIVE_BITS else []
    else:  # the library, in a segment of its own
        segments += [segment for segment in others if bits_of(segment) is not None]
    return ".".join(segments)


def _opted_out_value(section: Section, name: str, value: int) -> int:
    if name in ("Version", "MspaVersion"):
        return section.version
    if name in ("SaleOptOut", "SharingOptOut", "TargetedAdvertisingOptOut"):
        return 1
    if name in ("SaleOptOutNotice", "SharingOptOutNotice", "TargetedAdvertisingOptOutNotice"):
        return value if value in (1, 2) else 1  # an answer is only valid beside a notice
    if name in ("SharingNotice", "ProcessingNotice"):
        return value if value in (1, 2) else 1
    if name == "MspaCoveredTransaction":
        return value if value in (1, 2) else _NO
    return value if value <= 2 else 0
