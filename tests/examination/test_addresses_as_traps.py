"""Where an address, a name and a comment stop: comments, groups, encoded words, tags, resent mail, copies."""

import pytest

from tests.examination.conftest import HOP, Examiner
from tests.examination.harbour import BOX, EVERYBODY, HARBOUR, SHARED

PLACES = [
    ("{} (Max Stone)", "max name-L1"),
    ("(Max) {}", "ADMIN no-name"),
    ("{} (Max) (Kim)", "kim name-L1"),
    ("{} (Max (the boss))", "max name-L4"),
    ("{} (Max \\(the boss)", "max name-L4"),
    ("desk(Max)@harbour.example", "ADMIN no-name"),
    ("desk@(Max)harbour.example", "ADMIN no-name"),
    ("desk @ harbour.example (Max)", "max name-L1"),
    ("Max <desk@harbour.example(Kim)>", "max name-L1"),
    ("<desk@harbour.example (Max)>", "ADMIN no-name"),
    ("Max <{}> (Kim)", "max name-L1"),
    ("<{}> Max", "ADMIN no-name"),
    ("Max Stone {}", "max name-L1"),
    ("Max <DESK@HARBOUR.EXAMPLE>", "max name-L1"),
    ("Max <desk@harbour.example.>", "max name-L1"),
    ('Max <"desk"@harbour.example>', "max name-L1"),
    ('Max <"d\\esk"@harbour.example>', "max name-L1"),
    ('"Kim <desk@harbour.example>" <x@far.example>', "ADMIN not-addressed"),
    ("Kim <x@far.example> <desk@harbour.example>", "ADMIN no-name"),
    ("Kim <x@far.example> Max <desk@harbour.example>", "max name-L1"),
    ("Max <desk@harbour.example> Kim <x@far.example>", "max name-L1"),
    ("x@far.example desk@harbour.example", "ADMIN no-name"),
    ("desk@harbour.example x@far.example", "ADMIN no-name"),
    (",, Max <{}>,,", "max name-L1"),
    ("Max: {};", "ADMIN no-name"),
    ("Max:;, {}", "ADMIN no-name"),
    ("undisclosed-recipients:;, Max <{}>", "max name-L1"),
    ('"Max" "Stone" <{}>', "max name-L1"),
    ('Max "the boss" Stone <{}>', "max name-L4"),
    ('"Max\\\\" <{}>', "max name-L1"),
    ("'Max Stone <{}>", "max name-L1"),
    ("[Max] <{}>", "ADMIN unknown-name"),
    ("Max<br> <{}>", "ADMIN no-name"),
    ("Max =<{}>", "max name-L4"),
    ("mailto:Max <{}>", "max name-L1"),
    ("To: Max <{}>", "max name-L1"),
    ("Max <desk@harbour.example;x@far.example>", "max name-L1"),
    ("Max <desk@harbour.example,x@far.example>", "max name-L1"),
    ("Max {0} <{0}>", "max name-L4"),
    ("Max\n\t<desk\n @harbour.example>", "max name-L1"),
    ("Max\x00Stone <{}>", "max name-L1"),
    ("Max Stone \u202f<{}>", "max name-L1"),
]
ENCODED = [
    ("=?utf-8?Q?Max?= =?utf-8?Q?_Stone?= <{}>", "max name-L1"),
    ("=?utf-8?Q?Ma?=x <{}>", "max name-L1"),
    ("=?utf-8?b?S2ltIFBhcms?= <{}>", "kim name-L1"),
    ("=?utf-8?q?Stone=2C_Max?= <{}>", "max name-L3"),
    ("=?utf-8?q?Max=2C_Kim?= <{}>", "kim name-L1, max name-L1"),
    ("=?utf-8?q?Kim_=3Cdesk=40harbour=2Eexample=3E?= <x@far.example>", "ADMIN not-addressed"),
    ("=?utf-8?q?Max=0D=0ATo:_Kim?= <{}>", "ADMIN ambiguous"),
    ("=?utf-8?X?Max?= <{}>", "ADMIN unknown-name"),
    ("=?utf-8?q?=3D=3Futf-8=3Fq=3FMax=3F=3D?= <{}>", "ADMIN unknown-name"),
    ("=?utf-8?q?desk?=@harbour.example", "ADMIN not-addressed"),
    ("Max <=?utf-8?q?desk=40harbour.example?=>", "ADMIN not-addressed"),
    ("=?utf-8?b?Sm9zw6kgTsO6w7E=?= =?utf-8?q?ez?= <{}>", "jose name-L1"),
    ("=?utf-8?q?Jos=C3?= =?utf-8?q?=A9_N=C3=BA=C3=B1ez?= <{}>", "jose name-L1"),
    ("=?iso-8859-1?q?Jos=E9?= =?utf-8?q?_N=C3=BA=C3=B1ez?= <{}>", "jose name-L1"),
    ("=?x-mac-cyrillic2?q?Jos=E9_N=FA=F1ez?= <{}>", "jose name-L1"),
    ("=?windows-1255?B?4+XjIOvk7w==?= <{}>", "david name-L1"),
    ("=?iso-8859-7?q?=CD=DF=EA=EF=F2_=D0=E1=F0=F0=DC=F2?= <{}>", "nikos name-L1"),
    ("=?utf-16be?b?AE0AYQB4?= <{}>", "max name-L1"),
    ("=??q?Max?= <{}>", "max name-L1"),
    ("=?utf-8?q?Max\n _Stone?= <{}>", "max name-L1"),
    ('"=?utf-8?q?Max?= Stone" <{}>', "max name-L1"),
    ("=?utf-8?q?=22Max=22?= <{}>", "max name-L1"),
    ("{} =?utf-8?q?(Max)?=", "ADMIN no-name"),
    ("{} (=?utf-8?q?Max_=28Kim=29?=)", "max name-L4"),
    ("Jos\udce9 N\udcfa\udcf1ez <{}>", "jose name-L1"),
    ("JosÃ© NÃºÃ±ez <{}>", "ADMIN unknown-name"),
    ("=?utf-8?q?Jos=E9_N=FA=F1ez?= <{}>", "jose name-L1"),
    ("=?utf-8?q?" + "M" * 300 + "?= Max <{}>", "ADMIN oversize"),
]
TAGS = [
    ("Max <desk+kim@harbour.example>", "kim tag"),
    ("Max <desk+nobody@harbour.example>", "max name-L1"),
    ("desk+KIM@harbour.example", "kim tag"),
    ("hello+kim@harbour.example", "kim tag"),
    ("desk+kim+max@harbour.example", "ADMIN no-name"),
    ("desk+max.stone@harbour.example", "max tag"),
    ("desk+stone@harbour.example", "ADMIN no-name"),
    ("desk+@harbour.example", "ADMIN not-addressed"),
    ("desk-kim@harbour.example", "ADMIN not-addressed"),
    ("desk+public@harbour.example", EVERYBODY),
    ("desk+admin1@harbour.example", "ADMIN tag"),
    ("Max <desk+gone@harbour.example>", "max name-L1"),
    ("desk+inside@harbour.example", "ADMIN local-only"),
    ("desk+kim@harbour.example, Max <{}>", "kim tag, max name-L1"),
    ("desk+kim@harbour.example (Max)", "kim tag"),
    ("desk (x) +kim@harbour.example", "ADMIN not-addressed"),
    ('"desk+kim "@harbour.example', "kim tag"),
    ("desk+kim@quay.example", "ADMIN not-addressed"),
    ("xdesk+kim@harbour.example", "ADMIN not-addressed"),
]
TO_MAX = "From: x@far.example\nTo: Max <desk@harbour.example>\n"
BLOCKS = [
    ("X-Original-To: desk+kim@harbour.example\n" + HOP + TO_MAX, "kim tag"),
    (HOP + "X-Original-To: desk+kim@harbour.example\n" + TO_MAX, "max name-L1"),
    ("Envelope-To: desk+kim@harbour.example, desk+wei@harbour.example\n" + HOP + TO_MAX, "kim tag, wei tag"),
    ("Delivered-To: desk+kim@far.example\n" + HOP + TO_MAX, "max name-L1"),
    ("Delivered-To: kim@harbour.example\n" + HOP + TO_MAX, "max name-L1"),
    ("Delivered-To: desk+nobody@harbour.example\n" + HOP + TO_MAX, "max name-L1"),
    ("Received: by mx.isp.example for <desk+kim@harbour.example>; x\n" + TO_MAX, "kim tag"),
    (HOP + "Received: by mx.isp.example for <desk+kim@harbour.example>; x\n" + TO_MAX, "max name-L1"),
    ("Received: by mx.isp.example for <desk+kim@harbour.example>,<a@b.example>; x\n" + TO_MAX, "max name-L1"),
    ("Received: by mx.isp.example (for <desk+kim@harbour.example>); x\n" + TO_MAX, "max name-L1"),
    (HOP + "Resent-To: Kim <desk@harbour.example>\nResent-From: y@far.example\n" + TO_MAX, "kim name-L1"),
    (HOP + "Resent-Cc: Kim <desk@harbour.example>\nResent-From: y@far.example\n" + TO_MAX, "kim name-L1"),
    (HOP + "Resent-To: Kim <x@far.example>\nResent-From: y@far.example\n" + TO_MAX, "ADMIN not-addressed"),
    (HOP + "Resent-Bcc: Kim <desk@harbour.example>\nResent-From: y@far.example\n" + TO_MAX, "max name-L1"),
    (HOP + "Resent-From: a@b.example\nResent-Date: x\nResent-From: c@d.example\n"
     "Resent-To: Kim <desk@harbour.example>\n" + TO_MAX, "max name-L1"),
    (HOP + "Resent-To: Wei <desk@harbour.example>\nResent-Date: x\nResent-To: Kim <desk@harbour.example>\n"
     "Resent-Date: y\n" + TO_MAX, "wei name-L1"),
    (HOP + TO_MAX + "Received: by old.example; x\nResent-To: Kim <desk@harbour.example>\n", "kim name-L1"),
    (HOP + "To: x@far.example\nResent-To: desk+kim@harbour.example\n", "kim tag"),
    (HOP + "To: x@far.example\nBcc: Max <desk@harbour.example>\n", "ADMIN not-addressed"),
    (HOP + "To: x@far.example\nReply-To: Max <desk@harbour.example>\nSender: Kim <desk@harbour.example>\n",
     "ADMIN not-addressed"),
    (HOP + "From: Kim <desk@harbour.example>\nTo: Max <desk@harbour.example>\n", "max name-L1"),
    (HOP + "To: Kim <desk@harbour.example>\nTo: Max <desk@harbour.example>\n", "kim name-L1, max name-L1"),
    (HOP + "To: x@far.example\nCC: Kim <desk@harbour.example>\nCc: Max <desk@harbour.example>\n",
     "kim name-L1, max name-L1"),
    (HOP + "To : x@far.example\nSubject: To: Max <desk@harbour.example>\n", "ADMIN not-addressed"),
    (HOP + "Subject: x\n To: Max <desk@harbour.example>\n", "ADMIN not-addressed"),
    (HOP + "To: x@far.example\nComments: Max\nList-Id: Max <NEWS.Example>\n", "kim rule-list"),
    (HOP + "To: Max <desk@harbour.example>\nList-Id: <news.example>\n", "max name-L1"),
    (HOP + 'To: x@far.example\nList-Id: "news.example" <other.example>\n', "ADMIN not-addressed"),
    (HOP + "To: Nobody <desk@harbour.example>\nFrom: A <a@SHOP.example>\n", "kim rule-from"),
    (HOP + 'To: desk@harbour.example\nFrom: "a@shop.example" <evil@far.example>\n', "ADMIN no-name"),
    (HOP + "To: desk@harbour.example\nFrom: evil@far.example\nSender: a@shop.example\n", "ADMIN no-name"),
    (HOP + "To: desk@harbour.example\nFrom: evil@notshop.example\n", "ADMIN no-name"),
]  # fmt: skip


@pytest.fixture(scope="module")
def office() -> Examiner:
    """An office that shares one address."""
    return Examiner(SHARED, HARBOUR)


@pytest.mark.parametrize(("to", "expected"), [*PLACES, *ENCODED, *TAGS])
def test_addresses_names_and_comments_3_1(office: Examiner, to: str, expected: str):
    """What is an address and what only looks like one."""
    assert office.ask(f"{HOP}From: x@far.example\nTo: {to.format(BOX)}") == expected


@pytest.mark.parametrize(("text", "expected"), BLOCKS)
def test_fields_that_count_and_fields_that_do_not_3_1(office: Examiner, text: str, expected: str):
    """Envelope fields only where the provider wrote them, the topmost Resent block, To and Cc, and nothing else."""
    assert office.ask(text) == expected


def test_copies_with_one_message_id_3_5(office: Examiner):
    """Each person once, each text once; blanks at the end are no other text, and a colleague's copy is his own."""
    one = HOP + "To: {} <desk@harbour.example>\nMessage-ID: <twice@far.example>\n\nText{}\n"
    before = {name: office.count(name) for name in ("an", "nikos")}
    for name, end in (("An", ""), ("An", ""), ("An", " \n\n"), ("Nikos", ""), ("An", " and more"), ("An, Nikos", "")):
        office.ask(one.format(name, end))
    assert office.count("an") - before["an"] == 2
    assert office.count("nikos") - before["nikos"] == 1
