"""Whatever a cookie holds, reading it gives a statement; and no heap of other cookies loses an opt-out."""

import base64
import json
import time
from urllib.parse import quote

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from optout_gate.signals import escapes, formats
from optout_gate.signals.cookies import line, pairs
from optout_gate.signals.statement import ADVERTISING_USES, Answer, Statement, merged

NAMES = sorted({cookie.name.replace("*", "x") for cookie in formats.COOKIES})

OPT_OUTS = (
    b"usprivacy=1YYN",
    b"__gpp=DBABLA~BVQVAAAAAgA.YA",
    b"OptanonConsent=isGpcEnabled=1&groups=C0001%3A1%2CC0004%3A1",
    b"OneTrustWPCCPAGoogleOptOut=true",
    b"CookieConsent={stamp:%27x%27%2Cnecessary:true%2Cstatistics:false%2Cmarketing:false}",
    b"cmapi_cookie_privacy=permit 1,2",
    b"cookieyes-consent=consent:yes,necessary:yes,analytics:no,advertisement:no",
    b"tcm=%7B%22purposes%22%3A%7B%22Advertising%22%3Afalse%7D%7D",
    b"CONSENTMGR=consent:true%7Cc1:1%7Cc3:0",
    b"OPTOUTMULTI=c3:1",
    b"TC_PRIVACY=1@003@@",
    b"didomi_token=" + base64.b64encode(json.dumps({"purposes": {"enabled": [], "disabled": ["ads"]}}).encode()),
)

SHAPES = (  # values to mutate, beside those above
    b"1YNN",
    b"DBABzAw~1-N-~CAAgAAAAAABA.QA~BAgAAABA.QA~BAgAABA",
    b"CPXxRfAPXxRfAAfKABENB-CgAAAAAAAAAAYgAAAAAAAA",
    b"3.AMPS_USCA_f_f_x",
    b"gzip:H4sIAAAAAAAC_6tWSs7PK07NK1GyUqpWSkksSVSyKilKTdVRKs5JzE1VqtVRSsksTgQqqAUAb2ePJS0AAAA",
    b'{"purposes":{"1":true,"5":false},"consents":{"a":{"status":-1}},"optionalCookies":{"marketing":"accepted"}}',
    base64.b64encode(b'{"purposes":{"enabled":["a"],"disabled":["b"]},"preferences":5}'),
    b"0,1,2:",
    b"permit 1,2,3",
    b"1:true,2:false,3:false",
    b'"a\\073b\\"c"',
)

names = st.sampled_from(NAMES)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["ACCEPT", "denied", "Auto"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["purposes", "consents", "consent", "marketing", "enabled", "categories", "vendors", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    value = draw(st.sampled_from([*SHAPES, *(cookie.partition(b"=")[2] for cookie in OPT_OUTS)]))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(value)))
        what = draw(st.sampled_from(["cut", "insert", "double", "encode"]))
        if what == "cut":
            value = value[:at] + value[at + draw(st.integers(0, 9)) :]
        elif what == "insert":
            value = value[:at] + draw(st.binary(max_size=5)) + value[at:]
        elif what == "double":
            value = value[:at] + value
        else:
            value = quote(value).encode()
    return value


values = (
    st.binary(max_size=200)
    | st.text(max_size=100).map(lambda text: text.encode("utf-8", "replace"))
    | mutated()
    | json_values.map(lambda value: json.dumps({"purposes": value}).encode())
    | json_values.map(lambda value: base64.b64encode(json.dumps({"purposes": value, "consent": value}).encode()))
    | st.builds(lambda piece, times: piece * times, mutated(), st.integers(1, 400))
)


unhurried = settings(deadline=None)  # a shared machine may stall; the test below counts processor time


def together(lines: list[bytes]) -> Statement:
    return merged(reading.statement for reading in formats.read_cookies(lines))


@unhurried
@given(name=names, value=values)
def test_reading_and_writing_never_raise_and_end_soon(name: str, value: bytes) -> None:
    started = time.process_time()
    for cookie in formats.readers(name.encode()):
        assert isinstance(cookie.read(value), Statement)
        assert isinstance(cookie.read(value.decode("latin-1")), Statement)
    formats.read_cookies([name.encode() + b"=" + value])
    formats.opted_out(name.encode(), value)
    assert time.process_time() - started < 1.0  # of the processor, for some twenty readings; see the figure below


@unhurried
@given(text=st.text(st.characters(categories=["Cs", "Ll", "Cc", "Po"]), max_size=40), name=names)
def test_any_text_is_read_lone_surrogates_too(text: str, name: str) -> None:
    for cookie in formats.readers(name.encode()):
        cookie.read(text)
        cookie.read(f'"{text}\\377"')
        if cookie.opted_out:
            cookie.opted_out(text)


@unhurried
@given(name=st.sampled_from(sorted(each.name for each in formats.COOKIES if each.silent)), value=values)
def test_a_silent_cookie_answers_nothing_whatever_it_holds(name: str, value: bytes) -> None:
    assert all(cookie.silent and cookie.read(value).silent for cookie in formats.readers(name.encode()))


@unhurried
@given(lines=st.lists(st.binary(max_size=300), max_size=4))
def test_any_cookie_field_is_read(lines: list[bytes]) -> None:
    formats.read_cookies(lines)


@unhurried
@given(found=st.lists(st.tuples(names, values), max_size=6), opt_out=st.sampled_from(OPT_OUTS), at=st.integers(0, 6))
def test_no_other_cookie_and_no_repetition_loses_an_opt_out(
    found: list[tuple[str, bytes]], opt_out: bytes, at: int
) -> None:
    crumbs = [name.encode() + b"=" + value.replace(b";", b"") for name, value in found]
    name = opt_out.partition(b"=")[0]
    crumbs.insert(at, opt_out)
    crumbs += [name + b"=1YNN", name + b"=DBABLA~BVQqAAAAAgA.QA", name + b"=groups=C0004%3A1", name + b"=false"]
    assert together([b"; ".join(crumbs)]).opted_out
    assert together(list(reversed(crumbs))).opted_out


@unhurried
@given(name=names, value=values)
def test_a_written_value_allows_nothing_is_stable_and_fits_the_field(name: str, value: bytes) -> None:
    assume(all(byte > 0x1F and byte not in b";\x7f" for byte in value))
    new = formats.opted_out(name.encode(), value)
    if new is None or escapes.oversized(new):
        return
    assert not set(new) & set(b";\r\n\x00")
    assert formats.opted_out(name.encode(), new) == new
    for reading in formats.read_cookies([name.encode() + b"=" + new]):
        assert Answer.IN not in [getattr(reading.statement, use) for use in ADVERTISING_USES], (new, reading)


@unhurried
@given(lines=st.lists(st.binary(max_size=80), max_size=4))
def test_a_field_written_from_its_cookies_holds_the_same_cookies(lines: list[bytes]) -> None:
    found = pairs(lines)
    assert pairs([line(found)]) == found
