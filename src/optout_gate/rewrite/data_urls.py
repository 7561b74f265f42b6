"""Documents, style sheets and scripts that stand in the page themselves, as ``data:`` addresses (RFC 2397).

No host is behind such an address, and yet a frame, an ``@import`` or a script of one fetches what it names: what is in it is
rewritten as the page around it is. Pictures and fonts are left alone: an SVG that is shown as a picture fetches nothing.
"""

import re
from base64 import b64decode, b64encode
from binascii import Error
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from optout_gate.rewrite.workers import JAVASCRIPT

PAGE, XML, SHEET, SCRIPT = "page", "xml", "sheet", "script"

_KINDS = {
    "text/html": PAGE, "application/xhtml+xml": XML, "image/svg+xml": XML, "application/xml": XML, "text/xml": XML,
    "text/css": SHEET, **dict.fromkeys(JAVASCRIPT, SCRIPT),
}  # fmt: skip

_STRIPPED = "".join(map(chr, range(0x21)))
# The URL parser leaves out tabs and line ends wherever they stand, and what is blank around.
_LEFT_OUT = re.compile(r"[\t\n\r]+")
_DATA_URL = re.compile(r"data:(?P<type>[^,;]*)(?P<parameters>[^,]*),(?P<body>[^#]*)(?P<fragment>#.*)?\Z", re.I | re.S)
_BASE64 = re.compile(r"; *base64 *\Z", re.IGNORECASE)
_BLANK = re.compile(rb"[ \t\n\f\r]+")


class DataUrl(NamedTuple):
    """An address that holds what it leads to.

    Attributes:
        kind: what has to read it.
        text: its bytes, one character each.
        head: what stands before that, without a coding.
        fragment: what stands behind it.
    """

    kind: str
    text: str
    head: str
    fragment: str

    def holding(self, text: str) -> str:
        """Return the address of the same kind that holds ``text``, one character a byte."""
        return f"{self.head};base64,{b64encode(text.encode('latin-1')).decode()}{self.fragment}"


def is_data(address: str) -> bool:
    """Return True when an address may be a ``data:`` one."""
    return address.lstrip(_STRIPPED)[:1] in ("d", "D") and "," in address


def opened(address: str) -> DataUrl | None:
    """Return what is in an address, or None when it is not one that holds something to be rewritten."""
    found = _DATA_URL.match(_LEFT_OUT.sub("", address.strip(_STRIPPED)))
    if found is None:
        return None
    essence, parameters = found["type"].strip().lower(), found["parameters"]
    kind = _KINDS.get(essence)
    if kind is None:
        return None
    body = unquote_to_bytes(found["body"])
    coded = _BASE64.search(parameters)
    if coded is not None:
        parameters = parameters[: coded.start()]
        digits = _BLANK.sub(b"", body).rstrip(b"=")
        try:
            body = b64decode(digits + b"=" * (-len(digits) % 4), validate=True)
        except Error:
            return None  # no browser can open it either
    return DataUrl(kind, body.decode("latin-1"), f"data:{essence}{parameters}", found["fragment"] or "")
