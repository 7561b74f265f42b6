"""A request head as it goes out: the caller's bytes, and the client's own framing."""

import re

from optout_gate.http import Headers

METHOD = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
USUAL_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
DIGITS = re.compile(rb"[0-9]{1,19}")
FRAMING_FIELDS = (b"content-length", b"transfer-encoding")


def request_head(method: str, target: bytes, headers: Headers, has_body: bool) -> tuple[bytes, int | None]:
    """Return the head as it goes out, and the length under which a body goes (None: chunked).

    Raises ValueError when the parts would not be one request on the wire.
    """
    length: int | None = None
    if b"content-length" in headers or b"transfer-encoding" in headers:
        lengths = headers.values(b"content-length")
        if len(lengths) == 1 and DIGITS.fullmatch(lengths[0]) and b"transfer-encoding" not in headers:
            length = int(lengths[0])
        else:
            headers = headers.without(FRAMING_FIELDS)
    if has_body and length is None:
        headers = headers.plus((b"Transfer-Encoding", b"chunked"))
    elif length and not has_body:
        raise ValueError("a Content-Length without the body it announces")
    pairs = headers.pairs
    head = b"".join(
        [method.encode("ascii"), b" ", target, b" HTTP/1.1\r\n", *[b"%b: %b\r\n" % pair for pair in pairs], b"\r\n"]
    )
    # The doors have refused all of this already; a request that hides another must not depend on that.
    ends = len(pairs) + 2
    if head.count(b"\n") != ends or head.count(b"\r") != ends or b"\0" in head or b" " in target or not target:
        raise ValueError("a control character or space in the request head")
    if method not in USUAL_METHODS and METHOD.fullmatch(method) is None:
        raise ValueError("the request method is not a token")
    return head, length
