"""GPP strings, held against the IAB's own library and against strings that sites carry."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from optout_gate.signals import gpp
from optout_gate.signals.gpp_bits import (
    bits_of,
    fibonacci,
    fibonacci_bits,
    id_range,
    id_range_bits,
    integer,
    text_of_bits,
)
from optout_gate.signals.gpp_sections import NEWEST, SECTIONS, USNAT
from optout_gate.signals.statement import USES, Answer, Statement

_ROOT = Path(__file__).resolve().parents[2]
_VECTORS_FILE = Path(__file__).with_name("data") / "gpp-vectors.json"
VECTORS: list[dict[str, Any]] = json.loads(_VECTORS_FILE.read_text())["vectors"]
BY_VECTOR = [pytest.param(vector, id=vector["name"]) for vector in VECTORS]
IDS = {section.name: id_ for id_, section in NEWEST.items()} | {"uspv1": 6}
OPT_OUTS = {"SaleOptOut": "sale", "SharingOptOut": "sharing", "TargetedAdvertisingOptOut": "targeted_advertising"}

OUT, IN, UNKNOWN = Answer.OUT, Answer.IN, Answer.UNKNOWN


def answers(said: Statement) -> tuple[Answer, Answer, Answer]:
    return said.sale, said.sharing, said.targeted_advertising


def library(*words: str, given: str = "") -> str:
    run = subprocess.run(
        [str(_ROOT / "scripts" / "iabgpp-vectors"), *words], input=given, capture_output=True, text=True, timeout=120
    )
    if run.returncode == 3:
        pytest.skip(run.stderr.strip().splitlines()[-1])
    assert run.returncode == 0, run.stderr
    return run.stdout


# --- bits


@pytest.mark.parametrize(
    ("number", "code"),
    [(1, "11"), (2, "011"), (3, "0011"), (4, "1011"), (5, "00011"), (6, "10011"), (7, "01011"), (8, "000011")],
)
def test_a_fibonacci_code_is_the_one_of_the_specification(number: int, code: str) -> None:
    assert fibonacci_bits(number) == code
    assert fibonacci(code + "0101", 0) == (number, len(code))


def test_every_section_id_and_gap_survives_the_fibonacci_code() -> None:
    for number in range(1, 4000):
        assert fibonacci(fibonacci_bits(number), 0) == (number, len(fibonacci_bits(number)))


@pytest.mark.parametrize("ids", [[6], [6, 7], [7, 8], [2, 6, 7, 8, 12, 21, 22], list(range(6, 28)), [1, 4000]])
def test_a_range_of_ids_survives(ids: list[int]) -> None:
    assert id_range(id_range_bits(ids), 0, 64) == ids


def test_a_range_of_millions_of_ids_is_cut_to_the_limit() -> None:
    bits = "000000000001" + "1" + fibonacci_bits(1) + fibonacci_bits(2_000_000)
    assert id_range(bits, 0, 3) == [1, 2, 3]


# --- reading


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        pytest.param("DBABLA~BVQVAAAAAgA.YA", (OUT, OUT, OUT), id="usnat-1-out-with-gpc"),
        pytest.param("DBABL~BVQVAAAAAg.Y", (OUT, OUT, OUT), id="usnat-1-padded-as-the-specification-says"),
        pytest.param("DBABLA~CVQVAAAAAACA.YA", (OUT, OUT, OUT), id="usnat-2-out"),
        pytest.param("DBABBg~BUUAAACA.YA", (OUT, OUT, OUT), id="usca-out-with-gpc"),
        pytest.param("DBABBg~BUUAAACA", (OUT, OUT, UNKNOWN), id="usca-has-no-word-for-targeted-advertising"),
        pytest.param("DBABzw~1YYN~BVQVAAAAAgA.YA", (OUT, OUT, OUT), id="usp-and-usnat"),
        pytest.param("DBABzw~1YYN~BVQqAAAAAgA.QA", (OUT, IN, IN), id="usp-out-beats-usnat-in"),
        pytest.param("DBABLA~BVQqAAAAAgA.QA", (IN, IN, IN), id="usnat-not-opted-out"),
        pytest.param("DBABLA~BVQqAAAAAgA.YA", (OUT, OUT, OUT), id="the-gpc-segment-alone-opts-out"),
        pytest.param("DBABLA~BVQVAAAAAAGA.YA", (OUT, OUT, OUT), id="onetrust-version-1-with-fields-of-2"),
        pytest.param("DBABLA~BVQqAAAAAAJY.QA", (IN, IN, IN), id="onetrust-not-opted-out"),
        pytest.param("DBABTA~1YYN", (OUT, UNKNOWN, UNKNOWN), id="uspv1"),
        pytest.param("DBABTA~1---", (UNKNOWN, UNKNOWN, UNKNOWN), id="uspv1-does-not-apply"),
        pytest.param("DBAA", (UNKNOWN, UNKNOWN, UNKNOWN), id="no-sections"),
        pytest.param("DBABLA%7EBVQVAAAAAgA.YA", (OUT, OUT, OUT), id="percent-encoded"),
        pytest.param("DBABLA%257EBVQVAAAAAgA.YA", (OUT, OUT, OUT), id="percent-encoded-twice"),
        pytest.param('"DBABLA~BVQVAAAAAgA.YA"', (OUT, OUT, OUT), id="quoted"),
        pytest.param("DBABLA~DVQVAAAAAgA", (UNKNOWN, UNKNOWN, UNKNOWN), id="an-unknown-version-says-nothing"),
        pytest.param("DBABLA~BVQ", (UNKNOWN, UNKNOWN, UNKNOWN), id="truncated-before-the-answers"),
        pytest.param("DBABLA~BVQV", (OUT, OUT, OUT), id="truncated-behind-the-answers"),
        pytest.param("DBABzw~1YYN", (OUT, UNKNOWN, UNKNOWN), id="fewer-sections-than-the-header-lists"),
        pytest.param("DBABLA~BVQ*", (UNKNOWN, UNKNOWN, UNKNOWN), id="not-base64"),
        pytest.param("CPXxRfAPXxRfAAfKABENB", (UNKNOWN, UNKNOWN, UNKNOWN), id="a-tc-string-is-no-answer"),
        pytest.param("", (UNKNOWN, UNKNOWN, UNKNOWN), id="empty"),
        pytest.param("D", (UNKNOWN, UNKNOWN, UNKNOWN), id="one-character"),
    ],
)
def test_a_string_says_what_it_says(string: str, expected: tuple[Answer, Answer, Answer]) -> None:
    assert answers(gpp.read(string)) == expected
    assert answers(gpp.read(string.encode())) == expected


@pytest.mark.parametrize("vector", BY_VECTOR)
def test_every_field_stands_where_the_iab_library_puts_it(vector: dict[str, Any]) -> None:
    sections = gpp.sections_of(vector["gpp"])
    assert sections is not None
    assert list(sections) == vector["sections"]
    for name, expected in vector["fields"].items():
        if name == "uspv1":
            continue
        core = bits_of(sections[IDS[name]].split(".")[0])
        assert core is not None
        section = SECTIONS[IDS[name], expected.get("Version", 1)]
        for field in section.fields:
            values = [integer(core, field.start + i * field.width, field.width) for i in range(field.count)]
            if not (section.id >= 25 and field.name == "SensitiveDataProcessing"):
                assert (values if isinstance(expected[field.name], list) else values[0]) == expected[field.name]


@pytest.mark.parametrize("vector", BY_VECTOR)
def test_a_string_of_the_iab_library_is_read_as_its_fields_say(vector: dict[str, Any]) -> None:
    expected = dict.fromkeys(USES, UNKNOWN)
    for section, fields in vector["fields"].items():
        if section == "uspv1":
            expected["sale"] |= {"Y": OUT, "N": IN, "-": UNKNOWN}[fields["OptOutSale"]]
        for field, use in OPT_OUTS.items():
            expected[use] |= {0: UNKNOWN, 1: OUT, 2: IN}[fields.get(field, 0)]
            if fields.get("Gpc") and "gpc-segment-left-out" not in vector["name"]:
                expected[use] = OUT
    said = gpp.read(vector["gpp"])
    assert {use: getattr(said, use) for use in USES} == expected


@pytest.mark.parametrize("id_", [24, 25, 26, 27])
@pytest.mark.parametrize(("answer", "expected"), [(1, OUT), (2, UNKNOWN), (0, UNKNOWN)])
def test_a_disputed_state_in_the_specifications_layout_is_never_read_as_opted_in(
    id_: int, answer: int, expected: Answer
) -> None:
    # SectionID 6, Version 6, then the library's layout: MspaVersion 6, covered 2, mode 2, three notices, answers
    bits = f"{id_:06b}{1:06b}{1:06b}{1:02b}{0:02b}{1:02b}{1:02b}{1:02b}" + f"{answer:02b}" * 2 + "0" * 8
    said = gpp.read("~".join([text_of_bits(f"{3:06b}{1:06b}" + id_range_bits([id_])), text_of_bits(bits)]))
    assert (said.sale, said.targeted_advertising) == (expected, expected)


def test_the_specifications_layout_is_written_in_the_librarys_with_its_sensitive_data() -> None:
    core = f"{26:06b}{1:06b}{1:06b}{1:02b}{0:02b}{1:02b}{1:02b}{1:02b}" + "10" + "10" + "01" + "00"
    sensitive = "0001100001100001"  # what the library writes as GGE
    header = text_of_bits(f"{3:06b}{1:06b}" + id_range_bits([26]))
    written = gpp.opted_out(f"{header}~{text_of_bits(core + sensitive)}")
    sections = gpp.sections_of(written)
    assert sections is not None
    assert sections[26] == "BRVU.GGE"
    assert gpp.read(written).opted_out


def test_sensitive_data_of_indiana_is_not_mistaken_for_gpc() -> None:
    # eight two-bit values behind a boolean: 0 1 1 … begins like a GPC segment (type 01, then 1)
    assert answers(gpp.read("DBABUYA~BRWg.YAA")) == (IN, UNKNOWN, IN)


def test_evidence_names_sections_and_nothing_from_the_string() -> None:
    assert gpp.read("DBABLA~BVQqAAAAAgA.YA").evidence == (
        "gpp usnat with GPC: sale, sharing, targeted advertising refused"
    )


def test_a_string_of_more_than_eight_kilobytes_is_not_read() -> None:
    assert gpp.read("DBABLA~BVQVAAAAAgA.YA" + "A" * 9000).silent


@pytest.mark.parametrize(
    ("value", "expected"),
    [("7", (7,)), ("7,8", (7, 8)), ("7_8", (7, 8)), ("7%2C8", (7, 8)), ("", ()), ("x", ()), ("٧", ()), ("-1", ())],
)
def test_section_ids_are_read_from_their_cookie(value: str, expected: tuple[int, ...]) -> None:
    assert gpp.section_ids(value) == expected
    assert gpp.read_sid(value).silent


# --- writing


@pytest.mark.parametrize(
    ("previous", "expected"),
    [
        pytest.param("DBABLA~BVQqAAAAAgA.QA", "DBABLA~BVQVAAAAAgA.YA", id="usnat-1"),
        pytest.param("DBABL~BVQqAAAAAg.Q", "DBABLA~BVQVAAAAAgA.YA", id="written-in-the-librarys-padding"),
        pytest.param("DBABLA~BVQqAAAAAAJY.QA", "DBABLA~CVQVAAAAAAJY.YA", id="onetrusts-layout-gets-its-true-version"),
        pytest.param("DBABTA~1YNN", "DBABTA~1YYN", id="uspv1"),
        pytest.param("DBABzw~1NNY~BVQqAAAAAgA", "DBABzw~1NYY~BVQVAAAAAgA.YA", id="two-sections"),
        pytest.param(None, "DBABLA~CVQVAAAAAACA.YA", id="nothing-stood"),
        pytest.param("garbage", "DBABLA~CVQVAAAAAACA.YA", id="garbage-stood"),
        pytest.param("DBABLA~*", "DBABLA~CVQVAAAAAACA.YA", id="an-unreadable-section-is-written-anew"),
        pytest.param("DBACNY~CPXxRfAPXxRf~1YNN", "DBACNYA~CPXxRfAPXxRf~1YYN", id="europes-section-is-passed-on"),
    ],
)
def test_a_string_is_written_anew_and_opted_out(previous: str | None, expected: str) -> None:
    assert gpp.opted_out(previous) == expected


def test_the_sections_asked_for_are_written_where_none_stood() -> None:
    assert gpp.opted_out(None, [8]) == "DBABBg~BUUAAACA.YA"
    assert gpp.opted_out(None, [7, 6]).split("~")[1] == "1YYN"


def test_a_section_that_cannot_be_made_to_agree_is_left_out() -> None:
    unknown = "~".join([text_of_bits(f"{3:06b}{1:06b}" + id_range_bits([7, 60])), "BVQqAAAAAgA", "BVQq"])
    assert gpp.opted_out(unknown) == "DBABLA~BVQVAAAAAgA.YA"


def test_a_framework_section_is_passed_on_only_when_it_is_one() -> None:
    header = text_of_bits(f"{3:06b}{1:06b}" + id_range_bits([2, 7]))
    assert "\r" not in gpp.opted_out(f"{header}~C%0D%0ASet-Cookie~BVQqAAAAAgA")


@pytest.mark.parametrize("vector", BY_VECTOR)
def test_a_written_string_allows_nothing_and_is_stable(vector: dict[str, Any]) -> None:
    written = gpp.opted_out(vector["gpp"])
    said = gpp.read(written)
    assert said.opted_out
    assert IN not in answers(said)
    assert gpp.opted_out(written) == written


# --- the library itself, where Node.js is here


def test_the_vectors_are_those_of_the_library_today() -> None:
    assert library("encode") == _VECTORS_FILE.read_text()


def test_the_library_reads_what_we_write_as_opted_out_and_everything_else_as_it_was() -> None:
    written = [gpp.opted_out(vector["gpp"]) for vector in VECTORS]
    seen = json.loads(library("decode", given="\n".join(written)))
    assert len(seen) == len(VECTORS)
    for vector, sections in zip(VECTORS, seen, strict=True):
        for section, before in vector["fields"].items():
            after = sections[section]
            if section == "uspv1":
                assert after["OptOutSale"] == "Y"
                continue
            assert [after[field] for field in OPT_OUTS if field in after] == [1 for f in OPT_OUTS if f in after]
            assert after.get("Gpc", True) is True
            carried = {
                field
                for field in before
                if not field.startswith("Gpc") and field not in OPT_OUTS and not field.endswith("Notice")
            }
            assert {field: after[field] for field in carried} == {field: before[field] for field in carried}


def test_the_library_reads_a_fresh_string_of_every_section() -> None:
    seen = json.loads(library("decode", given="\n".join(gpp.opted_out(None, [id_]) for id_ in NEWEST)))
    for sections, (id_, section) in zip(seen, NEWEST.items(), strict=True):
        assert sections[section.name]["SaleOptOut"] == 1
        assert (id_ != USNAT and section.disputed) == ("usnat" in sections and section.name != "usnat")
