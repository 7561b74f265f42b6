"""A request that is taken for known is the one that the parser would have found, whatever its bytes."""

import httptools
from hypothesis import given
from hypothesis import strategies as st

from optout_gate.http import Headers
from optout_gate.proxy.known_heads import Head, KnownHeads
from optout_gate.proxy.protocol_head import Refusal, judge

names = st.sampled_from([b"Accept", b"Cookie", b"Sec-GPC", b"X", b"User-Agent"])
values = st.binary(max_size=12).filter(lambda value: not {0, 10, 13} & set(value))
fields = st.lists(st.tuples(names, values), max_size=4)
odd = st.sampled_from(
    [
        b"",
        b" ",
        b"\t",
        b"\r",
        b"\n",
        b"\r\n",
        b"\0",
        b"?",
        b"#",
        b"%",
        b"\xff",
        b"HTTP/1.0",
        b"GET ",
        b"*",
        b"//",
        b"\\",
    ]
)
targets = st.lists(st.one_of(odd, st.binary(max_size=3), st.sampled_from([b"/", b"/a", b"?b=c", b"%20"])), max_size=4)
lines = st.one_of(
    st.builds(lambda pieces: b"GET /" + b"".join(pieces) + b" HTTP/1.1", targets),
    st.builds(lambda one, target, two, three: one + target + two + three, odd, st.just(b"GET / HTTP/1.1"), odd, odd),
    st.binary(max_size=20),
)


class Parsed:
    """What the parser finds in one request."""

    def __init__(self) -> None:
        self.url = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.complete = 0

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.fields.append((name, value))

    def on_message_complete(self) -> None:
        self.complete += 1


def parse(data: bytes) -> tuple[bytes, Head] | None:
    """Return target and head of the one request in ``data``, or None where it is anything else."""
    found = Parsed()
    parser = httptools.HttpRequestParser(found)
    try:
        parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return None
    if found.complete != 1:
        return None
    method, version = parser.get_method().decode(), parser.get_http_version()
    try:
        meaning = judge(method, found.url, version, [(name.lower(), value) for name, value in found.fields])
    except Refusal:
        return None
    return found.url, Head(method, version, Headers(found.fields), meaning, {})


@given(fields, lines)
def test_a_request_taken_for_known_is_what_the_parser_finds(sent: list[tuple[bytes, bytes]], line: bytes) -> None:
    block = b"Host: a.test\r\n" + b"".join(b"%b: %b\r\n" % field for field in sent) + b"\r\n"
    first = b"GET /first HTTP/1.1\r\n" + block
    parsed = parse(first)
    heads = KnownHeads()
    if parsed is not None:
        heads.remember(first, parsed[1])
        assert heads.split(first) == parsed
    known = heads.split(line + b"\r\n" + block)
    if known is not None:
        assert parse(line + b"\r\n" + block) == known
