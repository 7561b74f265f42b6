"""Ten thousand bad Cookie fields of each kind: none raises, none takes long, none loses the opt-out beside it.

The readers are tried with all of them, the whole gate with a part: it costs more, and decides on what they read.
"""

import os
import random
import time
from collections.abc import Callable
from urllib.parse import quote

import pytest

from optout_gate.http import Headers, Pair, Response
from optout_gate.signals import formats
from optout_gate.signals.statement import Statement, merged
from support.gates import gate_of_tests, request

EACH = 10_000
THROUGH_THE_GATE = int(
    os.environ.get("OPTOUT_GATE_BAD_REQUESTS", "1000")
)  # of each kind; ten thousand take half a minute
MAX_FIELD_CPU_S = 0.5  # the slowest field takes some 40 ms where these lines were written

NAMES = sorted({cookie.name.replace("*", "x1") for cookie in formats.COOKIES})

OPT_OUTS = {  # unencoded
    "usprivacy": "1YYN",
    "__gpp": "DBABzw~1YYN~BVQVAAAAAgA.YA",
    "OTGPPConsent": "DBABBg~BUUAAACA.YA",
    "OptanonConsent": "isGpcEnabled=1&groups=C0001:1,C0004:0",
    "OneTrustWPCCPAGoogleOptOut": "true",
    "CookieConsent": "{stamp:'x',necessary:true,statistics:false,marketing:false}",
    "cookieyes-consent": "consent:yes,necessary:yes,analytics:no,advertisement:no",
    "tcm": '{"purposes":{"Advertising":false},"confirmed":true}',
    "CONSENTMGR": "consent:true|ts:1|c1:1|c3:0",
    "OPTOUTMULTI": "0:0|c3:1",
    "TC_PRIVACY": "1@003@@",
    "notice_gdpr_prefs": "0,1:",
}

CONSENTS = {
    "usprivacy": "1YNN",
    "__gpp": "DBABLA~BVQqAAAAAgA.QA",
    "OTGPPConsent": "DBABLA~BVQqAAAAAAJY.QA",
    "OptanonConsent": "isGpcEnabled=0&groups=C0001:1,C0004:1,C0005:1",
    "OneTrustWPCCPAGoogleOptOut": "false",
    "CookieConsent": "{stamp:'x',necessary:true,statistics:true,marketing:true}",
    "cookieyes-consent": "consent:yes,necessary:yes,analytics:yes,advertisement:yes",
    "tcm": '{"purposes":{"Advertising":true}}',
    "CONSENTMGR": "consent:true|ts:1|c1:1|c3:1",
    "OPTOUTMULTI": "0:0|c3:0",
    "TC_PRIVACY": "0@003@1,2@",
    "notice_gdpr_prefs": "0,1,2:",
}


def _field(rng: random.Random, bad: list[tuple[str, str]]) -> bytes:
    """Return the bad cookies with one real opt-out somewhere among them."""
    name, value = rng.choice(list(OPT_OUTS.items()))
    cookies = [*bad]
    cookies.insert(rng.randint(0, len(cookies)), (name, quote(value, safe="~=&:,{}|@")))
    return "; ".join(f"{name}={value}" for name, value in cookies).encode()


def forged(rng: random.Random) -> bytes:
    alphabet = "01:,|~.@{}[]\"'%\\=&-_YNCDabcXYZ \x01\x7fé￿"
    bad = [(rng.choice(NAMES), "".join(rng.choices(alphabet, k=rng.randint(0, 60)))) for _ in range(3)]
    return _field(rng, bad)


def truncated(rng: random.Random) -> bytes:
    bad = [
        (name, value[: rng.randint(0, len(value))])
        for name, value in rng.sample([*OPT_OUTS.items(), *CONSENTS.items()], k=3)
    ]
    return _field(rng, bad)


def huge(rng: random.Random) -> bytes:
    name, value = rng.choice([*OPT_OUTS.items(), *CONSENTS.items()])
    piece = rng.choice([value, "%25", "A", "{", '{"a":', "C0004:1,", "~", "1,"])
    return _field(rng, [(name, value + piece * rng.randint(50, 1500))])


def doubly_encoded(rng: random.Random) -> bytes:
    name, value = rng.choice(list(OPT_OUTS.items()))
    return f"{name}={quote(quote(value, safe=''), safe='')}".encode()


def contradictory(rng: random.Random) -> bytes:
    bad = list(CONSENTS.items())
    rng.shuffle(bad)
    return _field(rng, bad[: rng.randint(1, 4)])


def together(line: bytes) -> Statement:
    return merged(reading.statement for reading in formats.read_cookies([line]))


@pytest.mark.parametrize("kind", [forged, truncated, huge, doubly_encoded, contradictory])
def test_bad_input_costs_no_opt_out(kind: Callable[[random.Random], bytes]) -> None:
    rng = random.Random(kind.__name__)
    slowest_s = 0.0
    for _ in range(EACH):
        line = kind(rng)
        started = time.process_time()
        said = together(line.replace(b"\x00", b""))
        slowest_s = max(slowest_s, time.process_time() - started)
        assert said.opted_out, line
    assert slowest_s < MAX_FIELD_CPU_S


HEADERS = [
    b"1", b"0", b"1, 1", b"0,1", b"", b"true", b'"1"', b"1;x", b"\xef\xbc\x91", b"1\x00", b"1" * 5000, b", " * 3000 + b"1",
]  # fmt: skip


def header_lines(rng: random.Random) -> list[Pair]:
    """Return lines of ``Sec-GPC`` and ``DNT`` in any number, case and state, one of them a valid signal."""
    names = [b"Sec-GPC", b"sec-gpc", b"SEC-GPC", b"DNT", b"Cookie"]
    lines = [(rng.choice(names), rng.choice(HEADERS)) for _ in range(rng.randint(0, 12))]
    lines.insert(rng.randint(0, len(lines)), (b"Sec-GPC", b"1"))
    return lines


def cookie_lines(kind: Callable[[random.Random], bytes]) -> Callable[[random.Random], list[Pair]]:
    def lines(rng: random.Random) -> list[Pair]:
        fields = [(b"Cookie", kind(rng)) for _ in range(rng.choice([1, 1, 2]))]
        return [*fields, (b"Sec-GPC", b"0"), (b"DNT", rng.choice(HEADERS))]

    return lines


def own_cookie(rng: random.Random) -> list[Pair]:
    """Return the gate's own cookie, out once, among damaged notes and consents of it."""
    values = ["0", "0.1.gpc.20261123", "0.1.none.20261123", "2", "", "1" * 99, "0." + "x" * 5000, '"0"', "0.1.gpc.\x7f"]
    pairs = [f"optout_gate={rng.choice(values)}" for _ in range(rng.randint(0, 8))]
    pairs.insert(rng.randint(0, len(pairs)), rng.choice(["optout_gate=1", 'optout_gate = "1"', "optout_gate=1.1.gpc"]))
    return [(b"Cookie", rng.choice(["; ", ";", " ;"]).join(pairs).encode())]


MAKERS = {
    "headers": header_lines,
    "own_cookie": own_cookie,
    **{kind.__name__: cookie_lines(kind) for kind in (forged, truncated, huge, doubly_encoded, contradictory)},
}


@pytest.mark.parametrize("kind", MAKERS)
def test_bad_requests_go_through_the_gate_and_stay_opted_out_on_both_ways(kind: str) -> None:
    rng = random.Random(f"gate {kind}")
    page = Response(200, Headers([(b"Content-Type", b"text/html"), (b"Set-Cookie", b"usprivacy=1YNN; Path=/")]))
    slowest_s = 0.0
    for _ in range(THROUGH_THE_GATE):
        lines = MAKERS[kind](rng)
        started = time.process_time()
        exchange = gate_of_tests().open(request("/", *lines))
        assert exchange is not None
        sent = exchange.respond(page).head.headers
        slowest_s = max(slowest_s, time.process_time() - started)
        assert exchange.decision.do_not_sell, lines
        assert b"1" in exchange.request.headers.values(b"sec-gpc"), lines
        assert sent.values(b"set-cookie")[0] == b"usprivacy=1YYN; Path=/", lines
        assert not any(byte in value for _, value in sent for byte in b"\r\n\x00"), lines
    assert slowest_s < MAX_FIELD_CPU_S
