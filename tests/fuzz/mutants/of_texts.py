"""The readers of text: headers and all that is taken out of them, server URLs, timetables, other collectors' lists."""

from __future__ import annotations

import contextlib

from attrs import evolve
from mutants.subject import Subject

from mailshare.config import parse_config
from mailshare.config.timetable import parse_clock, parse_days
from mailshare.core.address import Address
from mailshare.core.encoded_words import decode, encode
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import PeerFault
from mailshare.core.evidence import TrustedBlock, envelope_candidates, read_received
from mailshare.core.headers import Headers, header_end, read_message_ids, split_block
from mailshare.core.identity import display, submission_header
from mailshare.core.mailboxes import read_mailboxes
from mailshare.core.names import normalise
from mailshare.core.people import people_of
from mailshare.core.print_manifest import ManifestRefused, read_manifest
from mailshare.core.provider_style import detect
from mailshare.core.recipients import resolve_recipient
from mailshare.core.report_parts import field, text_field
from mailshare.core.returned_parts import is_report, references, returned_ids
from mailshare.core.servers import format_server, parse_server
from mailshare.core.sightings import Sighting
from mailshare.core.uid_files import choose, read_uid_file
from mailshare.core.values import Account, AccountMode, Directory, Origin, SenderRule, Server, Source, User, UserKind
from mailshare.delivery.router import Router
from mailshare.wire.jws import unwrap
from mailshare.wire.mime import MIMEReader

REGULAR = Account(1, 1, Address("mail", "company.example"), collect=Server("pop3", "pop.isp.example", 995, login="mail"))
DOMAIN = evolve(REGULAR, mode=AccountMode.DOMAIN, domains=("company.example", "firm.example"))
USERS = (
    User(1, "admin1", UserKind.ADMIN, accounts=(1,)),
    User(2, "public1", UserKind.PUBLIC, accounts=(1,)),
    User(3, "andrew", names=("Andrew Smith", "sales"), accounts=(1,)),
    User(5, "lisa", names=("info", "Müller"), accounts=(1,)),
)
OFFICES = tuple(
    Directory(USERS, (account,), (SenderRule(1, "list", "news.example", (5,)),), hostname="mail.office.example")
    for account in (REGULAR, DOMAIN)
)


def headers(data: bytes) -> None:
    """A header block, and everything that is ever asked of one."""
    found = Headers.parse(data[: header_end(data)])
    for name in ("from", "to", "cc", "reply-to", "delivered-to", "sender", "list-id", "resent-to"):
        found.text(name), found.first(name), found.all(name), found.mailboxes(name), found.message_ids(name)
        for one in found.named(name):
            one.value, one.text, one.address_list
    assert isinstance(found.oversize, bool)
    is_report(found), references(found)
    block = TrustedBlock.of(found, ("mx.isp.example",))
    envelope_candidates(block, ("delivered-to", "x-original-to", "envelope-to"))


def mailboxes(data: bytes) -> None:
    """An address list."""
    for box in read_mailboxes(data.decode("utf-8", "surrogateescape"))[0]:
        display(box.name, box.address) if box.address else normalise(box.name)


def words(data: bytes) -> None:
    """Encoded words, and that what we write of a text comes back the same."""
    text = decode(data.decode("utf-8", "surrogateescape"))
    clean = "".join(one for one in text if one.isprintable() and not "\ud800" <= one <= "\udfff")
    assert encode(clean).isascii() or "=?" not in clean
    text_field("Subject", text), field("X-Reason", text)


def received(data: bytes) -> None:
    """A Received field, and identifiers of messages."""
    text = data.decode("utf-8", "surrogateescape")
    read_received(text), read_message_ids(text)


def sorting(data: bytes) -> None:
    """The whole way from a header to mailboxes, for both kinds of account: somebody always gets it."""
    found = Headers.parse(data[: header_end(data)])
    for office in OFFICES:
        origin = Origin(Source.COLLECT, "0" * 16, account_id=1)
        routing = Router().route(Envelope(None), found, origin, office, {})
        assert routing.targets
        seen = Sighting.of(found, people_of(office).sharers[1])
        assert Sighting.from_json(seen.as_json()) == seen
        detect([seen] * 3, office.accounts[0], office)


def submitted(data: bytes) -> None:
    """A client's message: its header as it goes on, its recipients."""
    office = OFFICES[0]
    for policy in ("fix", "keep", "enforce"):
        header, _ = submission_header(
            Headers(tuple(split_block(data)[0])),
            user=USERS[2],
            account=REGULAR,
            directory=office,
            policy=policy,
            received=b"Received: x\r\n",
            message_id="<1@x>",
            date="Mon, 1 Jan 2029 00:00:00 +0000",
        )
        assert header.fields[0].raw == b"Received: x\r\n"
        assert header.by_name == Headers(header.fields).by_name
        assert header.own_id == Headers(header.fields).own_id


def recipient(data: bytes) -> None:
    """An address, as an envelope and a person may write it."""
    address = Address.parse(data.decode("utf-8", "surrogateescape"))
    assert Address.parse(str(address)) == address
    assert str(address).isprintable() or not str(address).isascii()
    Recipient(address)
    resolve_recipient(address, sender_user=USERS[2], directory=OFFICES[0], trusted=True)


def server(data: bytes) -> None:
    """A server's URL comes out as it went in."""
    found = parse_server(data.decode("utf-8", "surrogateescape"))
    assert parse_server(format_server(found)) == found


def timetable(data: bytes) -> None:
    """Days and times of day."""
    text = data.decode("utf-8", "surrogateescape")
    days, _, clock = text.partition("|")
    parse_days(days)
    parse_clock(clock)


def uid_file(data: bytes) -> None:
    """A ledger of another collector."""
    for form in ("auto", "mpop", "fetchmail", "getmail"):
        choose(read_uid_file(data, "oldmail-pop.isp.example-995-mail", form), "pop.isp.example", "mail")


def configuration(data: bytes) -> None:
    """A configuration file."""
    parse_config(data.decode("utf-8", "replace"), "/nowhere/m.toml")


def mime(data: bytes) -> None:
    """A message in two pieces, its parts and their names."""
    reader = MIMEReader()
    for piece in (data[: len(data) // 2], data[len(data) // 2 :]):
        reader.feed(piece)
    reader.end()


def print_job(data: bytes) -> None:
    """A job's manifest, signed or not."""
    with contextlib.suppress(ManifestRefused):
        read_manifest(data)
    with contextlib.suppress(PeerFault):
        unwrap(data, kind="x")


HEAD = (
    b"Return-Path: <ann@out.example>\r\nDelivered-To: andrew@company.example\r\n"
    b"Received: from a.example (a.example [198.51.100.7]) by mx.isp.example with ESMTP id 1\r\n"
    b" for <andrew@company.example>; Mon, 1 Jan 2029 10:00:00 +0000\r\n"
    b'From: =?utf-8?q?M=C3=BCller?= <ann@out.example>\r\nTo: "Andrew Smith" <mail@company.example>, Lisa <mail+lisa@company.example>,\r\n'
    b" group: a@b.example, c@d.example;, (comment (nested)) x@y.example\r\nCc: mail@company.example\r\n"
    b"Message-ID: <one@out.example>\r\nReferences: <a@b> <c@d>\r\nList-Id: News <news.example>\r\n"
    b'Content-Type: multipart/report; report-type=delivery-status; boundary="b1"\r\nSubject: =?utf-8?b?SGVsbG8=?= x\r\n\r\n'
)
LISTS = (
    b'"Smith, Andrew" <mail@company.example>, =?utf-8?q?M=C3=BCller?= <a@b.example>, group: x@y.example;, <@r.example:z@z.example>',
    b"undisclosed-recipients:;",
    b"ann@bob <mail@x>, mail@x (ann), ann <mail@x>evil@y",
)
WORDS = (b"=?utf-8?q?M=C3=BCller?= =?iso-8859-1?b?SGVsbG8=?=  plain =?utf-8*de?Q?a_b?=", b"=?big5?b?pKSk5Q==?=")
REPORT = b"--b1\r\nContent-Type: text/plain\r\n\r\nfailed\r\n--b1\r\nContent-Type: message/rfc822\r\n\r\nMessage-ID: <one@out.example>\r\n\r\n--b1--\r\n"
PARTS = b"Content-Type: multipart/mixed; boundary=b1\r\n\r\n" + REPORT + b"\r\n--b1\r\nContent-Transfer-Encoding: base64\r\n\r\nQUJD\r\n"
JOB = (
    b'{"v":1,"id":"019a4f6e-7b00-7cc3-98c4-dc0c0c07398f","created":"2026-11-21T10:00:00Z","expires":"2026-11-22T10:00:00Z",'
    b'"from":"a@b.example","to":["Office"],"name":"x","format":"application/pdf","size":3,"sha256":"' + b"0" * 64 + b'",'
    b'"chunks":[{"n":1,"size":3,"sha256":"' + b"1" * 64 + b'"}],"options":{"copies":2,"page-ranges":[[1,2]]},"pages":null}'
)
SIGNED = b'{"payload":"e30","protected":"eyJhbGciOiJIUzI1NiIsImtpZCI6ImEiLCJ0eXAiOiJ4In0","signature":"AAAA"}'
URLS = (b"pop3s://mail%40x.example@pop.isp.example:995?tls=implicit", b"smtp://[2001:db8::1]:25?tls=none", b"pop3://a@b?tls=starttls")
UIDS = (
    b"mail@pop.isp.example UID1\nmail@pop.isp.example UID2\n",
    b'{"a":1}',
    b"# mpop\n\npop.isp.example\nmail\n2\nUID1\nUID2\n",
    b"mail@pop.isp.example 1700000000\nUID1\0 1700000000\n",
)
TOML = (
    (b'[server]\nhostname = "mail.office.example"\n[listen]\npop3 = ["tcp:8110:interface=127.0.0.1"]\n'
    b'[[account]]\naddress = "mail@company.example"\nmode = "domain"\ndomains = ["company.example"]\n'
    b'collect = "pop3s://mail@pop.isp.example"\nrelay = "submissions://mail@smtp.isp.example"\npassword = { env = "X" }\n'
    b'timetable = [{ days = "mon-fri", from = "07:00", to = "19:00", every = 5 }]\nthreshold = 1\n'
    b'[[user]]\nname = "andrew"\nnames = ["Andrew Smith"]\npassword = "x"\naccounts = ["mail@company.example"]\n'
    b"[limits]\nmessage_size = 1000000\n"),
    b'[[device]]\nlogin = "scan"\npassword = "x"\n[[rule]]\naccount = "mail@company.example"\n[log]\ndays = 5\n[store]\nurl = "memory:"\n',
)
KEYS = tuple(
    word.encode() for word in
    ["[[account]]", "[[user]]", "[[device]]", "[[rule]]", "[limits]", "[trusted]", "=", '""', "true", "1979-05-27", "1e5", "nan", "[]", "{}", "password", "names", "accounts", "days"]
)  # fmt: skip
FIELDS = (b"To:", b"\r\nCc: ", b"\r\n ", b"Received: from ", b" by mx.isp.example", b"=?utf-8?b?", b"group:", b"<mail@company.example>")

TEXT = (
    Subject("headers", headers, (HEAD,), FIELDS, ()),
    Subject("mailboxes", mailboxes, LISTS, FIELDS, ()),
    Subject("encoded_words", words, WORDS, (b"=?x?q?", b"?=", b"=?utf-16?b?", b"=?utf-8?x?"), ()),
    Subject("received", received, (HEAD[80:300], b"<a@b> <c@d>"), FIELDS, ()),
    Subject("sorting", sorting, (HEAD, b"To: " + LISTS[0] + b"\r\n\r\n"), FIELDS, ()),
    Subject("returned_parts", returned_ids, (REPORT,), (b"Message-ID:", b"--b1", b"message/rfc822"), ()),
    Subject("mime", mime, (PARTS,), (b"--b1", b"--b1--", b"\r\n\r\n", b"boundary=", b"=\r\n", b"filename*0*=utf-8''"), ()),
    Subject("print_job", print_job, (JOB, SIGNED), (b'"v":1', b'"size":', b"null", b"[[[", b"1e999", b"\\ud800")),
    Subject("submitted", submitted, (HEAD,), FIELDS),
    Subject("address", recipient, (b"a@b.example", b'"a b"@[192.0.2.1]', b"mail+x@company.example", "j\u00fc@\u00fc.example".encode())),
    Subject("server", server, URLS, (b"?tls=", b"&", b"[::1]", b"%40")),
    Subject("timetable", timetable, (b"mon-fri|07:00", b"sat,sun|24:00"), (b"mon", b"24:00", b"-"), (ValueError,)),
    Subject("uid_file", uid_file, UIDS, (b"UID", b"\n\n", b"mail@")),
    Subject("configuration", configuration, TOML, KEYS),
)
