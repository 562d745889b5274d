"""IPP messages, octet for octet, against octets that real clients and the standard's own examples have."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailshare.core.errors import LocalFault
from mailshare.wire.ipp_codec import IPPFault, MessageReader, ReaderLimits, decode, encode
from mailshare.wire.ipp_codes import Operation, Status
from mailshare.wire.ipp_values import (
    Attribute,
    Collection,
    DateTime,
    Group,
    Message,
    Range,
    Resolution,
    Tag,
    Value,
    Worded,
    boolean,
    collection,
    enum,
    integer,
    keyword,
    name_of,
    octets,
    out_of_band,
    ranges,
    resolution,
    text,
    uri,
)

# RFC 8010 appendix A.1: Print-Job with a document behind it.
PRINT_JOB = (
    b"\x01\x01\x00\x02\x00\x00\x00\x01\x01"
    b"\x47\x00\x12attributes-charset\x00\x05utf-8"
    b"\x48\x00\x1battributes-natural-language\x00\x05en-us"
    b"\x45\x00\x0bprinter-uri\x00\x23ipp://printer.example.com/ipp/pinet"
    b"\x42\x00\x08job-name\x00\x06foobar"
    b"\x22\x00\x16ipp-attribute-fidelity\x00\x01\x01"
    b"\x02"
    b"\x21\x00\x06copies\x00\x04\x00\x00\x00\x14"
    b"\x44\x00\x05sides\x00\x13two-sided-long-edge"
    b"\x03%!PDF"
)
# RFC 8010 appendix A.6: a 1setOf, and appendix A.8 in form: a collection with a collection inside.
REQUESTED = (
    b"\x01\x01\x00\x0a\x00\x00\x00\x7b\x01"
    b"\x47\x00\x12attributes-charset\x00\x05utf-8"
    b"\x48\x00\x1battributes-natural-language\x00\x05en-us"
    b"\x21\x00\x05limit\x00\x04\x00\x00\x00\x32"
    b"\x44\x00\x14requested-attributes\x00\x06job-id"
    b"\x44\x00\x00\x00\x08job-name"
    b"\x44\x00\x00\x00\x0fdocument-format"
    b"\x03"
)
MEDIA_COL = (
    b"\x02\x00\x00\x05\x00\x00\x00\x09\x01"
    b"\x47\x00\x12attributes-charset\x00\x05utf-8"
    b"\x02"
    b"\x34\x00\x09media-col\x00\x00"
    b"\x4a\x00\x00\x00\x0bmedia-color\x44\x00\x00\x00\x04blue"
    b"\x4a\x00\x00\x00\x0amedia-size"
    b"\x34\x00\x00\x00\x00"
    b"\x4a\x00\x00\x00\x0bx-dimension\x21\x00\x00\x00\x04\x00\x00\x00\x06"
    b"\x4a\x00\x00\x00\x0by-dimension\x21\x00\x00\x00\x04\x00\x00\x00\x04"
    b"\x37\x00\x00\x00\x00"
    b"\x37\x00\x00\x00\x00"
    b"\x03"
)
VECTORS = {"print-job": PRINT_JOB, "requested": REQUESTED, "media-col": MEDIA_COL}


@pytest.mark.parametrize("name", VECTORS)
def test_vectors_come_back_octet_for_octet(name: str) -> None:
    """What was read is written as it came."""
    message, rest = decode(VECTORS[name])
    assert encode(message) + rest == VECTORS[name]


@pytest.mark.parametrize("name", VECTORS)
def test_any_cut_of_the_stream_reads_the_same(name: str) -> None:
    """Octet by octet, and cut in two at each place."""
    data = VECTORS[name]
    whole = decode(data)
    for cut in range(len(data)):
        reader = MessageReader()
        assert (reader.feed(data[:cut]) + reader.feed(data[cut:]), reader.message) == (whole[1], whole[0])
    reader = MessageReader()
    rest = b"".join(reader.feed(data[at : at + 1]) for at in range(len(data)))
    assert (reader.message, rest) == whole


def test_the_example_of_the_standard_says_what_it_says() -> None:
    """RFC 8010 appendix A.1, value by value."""
    message, rest = decode(PRINT_JOB)
    assert (message.version, message.code, message.request_id, rest) == ((1, 1), Operation.PRINT_JOB, 1, b"%!PDF")
    operation, job = message.groups
    assert [one.name for one in operation.attributes][:2] == ["attributes-charset", "attributes-natural-language"]
    assert operation.get("ipp-attribute-fidelity") == boolean("ipp-attribute-fidelity", True)
    assert job == Group(Tag.JOB, (integer("copies", 20), keyword("sides", "two-sided-long-edge")))
    (_, media) = decode(MEDIA_COL)[0].groups
    inner = (integer("x-dimension", 6), integer("y-dimension", 4))
    assert media.attributes == (
        collection("media-col", (keyword("media-color", "blue"), collection("media-size", inner))),
    )


def test_every_kind_of_value_comes_back() -> None:
    """All value tags, sets of them, out-of-band values and tags nobody knows."""
    group = Group(
        Tag.PRINTER,
        (
            integer("a", 1, -1, 2**31 - 1, -(2**31)),
            enum("b", 3, 4),
            boolean("c", False),
            octets("d", b"\0\xff", b""),
            Attribute("e", (Value(Tag.DATE_TIME, DateTime(2026, 11, 21, 18, 0, 60, 9, "-", 13, 45)),)),
            resolution("f", (300, 600)),
            ranges("g", (1, 3), (-5, 5)),
            collection("h", (), (integer("x", 1, 2), collection("y", (boolean("z", True),), ()))),
            Attribute(
                "i", (Value(Tag.TEXT_WITH_LANGUAGE, Worded("de", "Gr\N{LATIN SMALL LETTER U WITH DIAERESIS}n")),)
            ),
            Attribute("j", (Value(Tag.NAME_WITH_LANGUAGE, Worded("fr", "")), Value(Tag.NAME, "x"))),
            text("k", "caf\N{LATIN SMALL LETTER E WITH ACUTE}"),
            name_of("l", "\udcff\udc80no utf-8"),
            uri("m", "ipp://a/b"),
            *(out_of_band(f"o{tag}", tag) for tag in (0x10, 0x12, 0x13, 0x15, 0x16, 0x17, 0x1F)),
            Attribute("p", (Value(0x50, b"new"), Value(Tag.EXTENSION, b"\0\0\1\0x"))),
        ),
    )
    message = Message((2, 2), Status.OK, 77, (group, Group(Tag.JOB), Group(Tag.JOB, (integer("job-id", 1),))))
    assert decode(encode(message)) == (message, b"")


@pytest.mark.parametrize(
    "wrong",
    [
        b"\x21\x00\x01a\x00\x03\0\0\1",  # an integer of three octets
        b"\x22\x00\x01a\x00\x01\x02",  # a boolean that is neither
        b"\x31\x00\x01a\x00\x0b\x07\xea\x01\x01\x01\x01\x01\x01*\x01\x01",  # a dateTime without direction
        b"\x32\x00\x01a\x00\x08\0\0\0\0\0\0\0\0",  # a resolution without units
        b"\x33\x00\x01a\x00\x00",  # a range of nothing
        b"\x35\x00\x01a\x00\x04\x00\x05en",  # a text with language that ends too early
        b"\x35\x00\x01a\x00\x07\x00\x02en\x00\x00x",  # and one that does not end
        b"\x44\x00\x00\x00\x01x",  # a value without an attribute
        b"\x37\x00\x00\x00\x00",  # an end without a beginning
        b"\x4a\x00\x00\x00\x01x",  # a member outside a collection
        b"\x34\x00\x01a\x00\x01x",  # a collection with a value
        b"\x34\x00\x01a\x00\x00\x44\x00\x00\x00\x01x",  # a member without a name
        b"\x34\x00\x01a\x00\x00\x4a\x00\x00\x00\x01x\x37\x00\x00\x00\x00",  # and one without a value
        b"\x34\x00\x01a\x00\x00\x03",  # a collection without end
        b"\x34\x00\x01a\x00\x00\x02",  # a group inside one
        b"\x34\x00\x01a\x00\x00\x44\x00\x01b\x00\x01x",  # a name inside one
        b"\x00",  # the reserved tag
    ],
)
def test_what_is_wrong_is_refused(wrong: bytes) -> None:
    """Each with the codec's own error, which says bad request."""
    with pytest.raises(IPPFault) as caught:
        decode(b"\x02\x00\x00\x0b\x00\x00\x00\x01\x01" + wrong + b"\x03")
    assert caught.value.ipp_status is Status.BAD_REQUEST


def test_an_attribute_before_any_group_is_refused() -> None:
    """Values belong to groups."""
    with pytest.raises(IPPFault):
        decode(b"\x02\x00\x00\x0b\x00\x00\x00\x01\x21\x00\x01a\x00\x04\0\0\0\1\x03")


def test_limits_hold() -> None:
    """Octets, values and depth are bounded, whatever the lengths announce."""
    head = b"\x02\x00\x00\x0b\x00\x00\x00\x01\x01"
    for limits, flood in (
        (ReaderLimits(octets=5_000), b"\x44\x00\x01a\xff\xff" + b"x" * 6_000),
        (ReaderLimits(values=100), b"\x22\x00\x01a\x00\x01\x01" * 200),
        (ReaderLimits(values=100), b"\x02" * 200),
    ):
        reader = MessageReader(limits)
        with pytest.raises(IPPFault) as caught:
            for at in range(0, len(flood), 100):
                reader.feed((head if at == 0 else b"") + flood[at : at + 100])
        assert caught.value.ipp_status is Status.TOO_LARGE
    nested = b"\x34\x00\x01a\x00\x00" + b"\x4a\x00\x00\x00\x01x\x34\x00\x00\x00\x00" * 50
    with pytest.raises(IPPFault):
        decode(head + nested)


def test_what_is_cut_off_is_no_message() -> None:
    """Every proper beginning of a message is refused by the one-shot reader."""
    for cut in range(len(REQUESTED)):
        with pytest.raises(IPPFault):
            decode(REQUESTED[:cut])


def test_a_program_that_writes_nonsense_hears_of_it() -> None:
    """Numbers and names beyond the wire's bounds are faults of ours."""
    odd = Attribute("a", (Value(Tag.TEXT, object()),))  # type: ignore[arg-type]
    for wrong in (integer("a", 1 << 31), text("a", "x" * 40_000), text("a", "\ud800"), odd):
        with pytest.raises(LocalFault):
            encode(Message((2, 0), 0, 1, (Group(Tag.PRINTER, (wrong,)),)))


WORDS = st.text(max_size=30).filter(str.isprintable)
VALUES = st.one_of(
    st.builds(Value, st.sampled_from([Tag.INTEGER, Tag.ENUM]), st.integers(-(2**31), 2**31 - 1)),
    st.builds(Value, st.just(Tag.BOOLEAN), st.booleans()),
    st.builds(Value, st.sampled_from([Tag.TEXT, Tag.NAME, Tag.KEYWORD, Tag.URI]), WORDS),
    st.builds(Value, st.just(Tag.OCTETS), st.binary(max_size=30)),
    st.builds(Value, st.just(Tag.RANGE), st.builds(Range, st.integers(0, 9), st.integers(0, 9))),
    st.builds(
        Value, st.just(Tag.RESOLUTION), st.builds(Resolution, st.integers(0, 9), st.integers(0, 9), st.integers(3, 4))
    ),
)
NAMES = st.text("abcdefgh-", min_size=1, max_size=10)


def _attributes(values: st.SearchStrategy[Value]) -> st.SearchStrategy[Attribute]:
    return st.builds(Attribute, NAMES, st.lists(values, min_size=1, max_size=3).map(tuple))


ANY = st.recursive(
    VALUES,
    lambda inner: st.builds(
        Value, st.just(Tag.BEGIN_COLLECTION), st.builds(Collection, st.lists(_attributes(inner), max_size=3).map(tuple))
    ),
    max_leaves=8,
)


@settings(max_examples=150, deadline=None)
@given(st.lists(_attributes(ANY), max_size=5), st.binary(max_size=20))
def test_whatever_is_written_is_read(attributes: list[Attribute], document: bytes) -> None:
    """Any message, with collections in collections, and the document behind it."""
    message = Message((2, 1), 0x0002, 5, (Group(Tag.OPERATION, tuple(attributes)),))
    assert decode(encode(message) + document) == (message, document)
