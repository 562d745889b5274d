"""Each form of a hand-out holds the right values in the shape that its readers expect (rule 3.14)."""

from __future__ import annotations

import base64
import json
import plistlib
import re
import uuid
from xml.etree import ElementTree as ET

import pytest
from attrs import evolve

from mailshare.core.address import Address
from mailshare.core.errors import ConfigFault, PeerFault
from mailshare.web.handout import (
    FORMATS,
    Authority,
    Certificate,
    Door,
    Handout,
    Identity,
    autodiscover,
    cautions,
    dns_records,
    domain_autoconfig,
    mobileconfig,
    page,
    render,
    requested_address,
    slip,
    user_autoconfig,
)
from mailshare.web.handout.formats import WITH_PASSWORD

HOST = "mail.office.example"
DOORS = (
    Door(protocol="pop3", host=HOST, port=110, tls="starttls"),
    Door(protocol="pop3", host=HOST, port=995, tls="implicit"),
    Door(protocol="smtp", host=HOST, port=587, tls="starttls"),
    Door(protocol="smtp", host=HOST, port=465, tls="implicit"),
    Door(protocol="smtp", host=HOST, port=8025, tls="none", near=True),
)
ROOT = Authority(b"certificate", "CN=Office")
GREG = Handout(
    hostname=HOST,
    login="greg",
    display_name="Greg Jones",
    identities=(
        Identity(
            Address("mail", "company.example"), ("Greg Jones <mail@company.example>", "mail+greg@company.example")
        ),
        Identity(Address("greg", "firm.example"), ("greg@firm.example",)),
    ),
    doors=DOORS,
    certificate=Certificate(names=(HOST,), authority=ROOT),
)
PLAIN = evolve(
    GREG,
    doors=tuple(Door(protocol=kind, host=HOST, port=port, tls="none") for kind, port in (("pop3", 110), ("smtp", 25))),
    certificate=None,
)


def texts(element: ET.Element, tag: str) -> list[str]:
    """The texts of all children with this name, whatever their namespace."""
    return [child.text or "" for child in element if child.tag.rpartition("}")[2] == tag]


def codes(handout: Handout) -> list[str]:
    return [one.code for one in cautions(handout)]


def check_autoconfig(text: str) -> ET.Element:
    """Hold a file against the grammar of draft-ietf-mailmaint-autoconfig: what must be there, how often, with what."""
    root = ET.fromstring(text.encode())
    assert root.tag == "clientConfig"
    assert root.attrib == {"version": "1.1"}
    (provider,) = root
    assert provider.tag == "emailProvider"
    assert list(provider.attrib) == ["id"]
    tags = [child.tag for child in provider]
    assert tags[:3] == ["domain", "displayName", "displayShortName"]
    assert set(tags[3:]) == {"incomingServer", "outgoingServer"}
    assert tags.index("outgoingServer") == 3 + tags.count("incomingServer")
    for server in provider[3:]:
        assert server.attrib == {"type": "pop3" if server.tag == "incomingServer" else "smtp"}
        assert [child.tag for child in server] == ["hostname", "port", "socketType", "username", "authentication"]
        assert 1 <= int(texts(server, "port")[0]) <= 65535
        assert texts(server, "socketType")[0] in {"plain", "SSL", "STARTTLS"}
        assert texts(server, "authentication")[0] in {"password-cleartext", "password-encrypted", "OAuth2"}
        assert texts(server, "username")[0]
    return provider


def test_autoconfig_of_a_person_holds_the_login_and_the_best_server_first():
    """Rule 3.14: login greg beside the address mail@company.example takes a fixed user name."""
    provider = check_autoconfig(user_autoconfig(GREG))
    assert provider.attrib["id"] == "company.example"
    assert texts(provider, "displayName") == ["Greg Jones"]
    servers = [
        (one.attrib["type"], texts(one, "port")[0], texts(one, "socketType")[0], texts(one, "username")[0])
        for one in provider[3:]
    ]
    assert servers == [
        ("pop3", "995", "SSL", "greg"),
        ("pop3", "110", "STARTTLS", "greg"),
        ("smtp", "465", "SSL", "greg"),
        ("smtp", "587", "STARTTLS", "greg"),
    ]


def test_autoconfig_of_a_domain_holds_a_placeholder_and_nobody():
    """The form that is served to everybody names no person."""
    text = domain_autoconfig("office.example", DOORS)
    provider = check_autoconfig(text)
    assert {name for server in provider[3:] for name in texts(server, "username")} == {"%EMAILLOCALPART%"}
    assert "greg" not in text.lower()
    assert "%EMAILADDRESS%" not in text
    with pytest.raises(ConfigFault, match="not a domain"):
        domain_autoconfig("<script>", DOORS)
    with pytest.raises(ConfigFault, match="no listener"):
        domain_autoconfig("office.example", ())


@pytest.mark.parametrize(
    ("handout", "wanted"),
    [
        (GREG, [("POP3", "995", "on", "SSL"), ("SMTP", "465", "on", "SSL")]),
        (PLAIN, [("POP3", "110", "off", "None"), ("SMTP", "25", "off", "None")]),
        (
            evolve(GREG, doors=tuple(door for door in DOORS if door.tls == "starttls")),
            [("POP3", "110", "on", "TLS"), ("SMTP", "587", "on", "TLS")],
        ),
    ],
)
def test_autodiscover_answers_as_the_open_specification_tells(handout: Handout, wanted: list[tuple[str, ...]]):
    """MS-OXDSCLI: two namespaces, an account of settings, one protocol element for each direction."""
    root = ET.fromstring(autodiscover(handout).encode())
    spaces = "{http://schemas.microsoft.com/exchange/autodiscover/%s}"
    answer = spaces % "outlook/responseschema/2006a"
    assert root.tag == spaces % "responseschema/2006" + "Autodiscover"
    (response,) = root
    assert response.tag == answer + "Response"
    account = response.find(answer + "Account")
    assert account is not None
    assert texts(account, "AccountType") + texts(account, "Action") == ["email", "settings"]
    protocols = account.findall(answer + "Protocol")
    got = [tuple(texts(one, tag)[0] for tag in ("Type", "Port", "SSL", "Encryption")) for one in protocols]
    assert got == wanted
    for one in protocols:
        assert texts(one, "Server") + texts(one, "LoginName") == [HOST, "greg"]
        assert texts(one, "AuthRequired") + texts(one, "DomainRequired") + texts(one, "SPA") == ["on", "off", "off"]


REQUEST = (
    '<?xml version="1.0" encoding="utf-8"?><Autodiscover '
    'xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006"><Request>'
    "<EMailAddress>greg&amp;co@office.example</EMailAddress><AcceptableResponseSchema>x</AcceptableResponseSchema>"
    "</Request></Autodiscover>"
)


def test_autodiscover_requests_are_read_and_their_tricks_refused():
    """A document type, nonsense, size and emptiness are refused; the address comes out as it was meant."""
    assert requested_address(REQUEST.encode()) == "greg&co@office.example"
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb">]><a><EMailAddress>&b;</EMailAddress></a>'
    empty = "<a><EMailAddress> </EMailAddress></a>"
    long = f"<a><EMailAddress>{'a' * 400}</EMailAddress></a>"
    for wrong in (bomb, bomb.encode("utf-16"), empty, long, "", "<a>", "x" * 20_000, b"\xff\xfe\x00"):
        with pytest.raises(PeerFault):
            requested_address(wrong if isinstance(wrong, bytes) else wrong.encode())


def test_mobileconfig_holds_a_pop_account_and_the_root():
    """Apple's payloads with the values of the hand-out, and no password."""
    profile = plistlib.loads(mobileconfig(GREG).encode())
    assert profile["PayloadType"] == "Configuration"
    mail, root = profile["PayloadContent"]
    assert mail["PayloadType"] == "com.apple.mail.managed"
    assert mail["EmailAccountType"] == "EmailTypePOP"
    assert (mail["EmailAddress"], mail["EmailAccountName"]) == ("mail@company.example", "Greg Jones")
    for direction, port in (("Incoming", 995), ("Outgoing", 465)):
        start = f"{direction}MailServer"
        assert mail[f"{start}HostName"] == HOST
        assert mail[f"{start}PortNumber"] == port
        assert mail[f"{start}UseSSL"] is True
        assert mail[f"{start}Username"] == "greg"
        assert mail[f"{start}Authentication"] == "EmailAuthPassword"
    assert "IncomingPassword" not in mail
    assert (root["PayloadType"], root["PayloadContent"]) == ("com.apple.security.root", b"certificate")
    for payload in (profile, mail, root):
        assert payload["PayloadVersion"] == 1
        assert uuid.UUID(payload["PayloadUUID"]).version == 5
    assert len({payload["PayloadUUID"] for payload in (profile, mail, root)}) == 3


def test_mobileconfig_is_the_same_each_time_and_another_for_each_person():
    """A newer profile takes the place of the older; two people's do not."""
    lisa = evolve(GREG, login="lisa")
    assert mobileconfig(GREG) == mobileconfig(GREG)
    first, again, other = (
        plistlib.loads(mobileconfig(one).encode()) for one in (GREG, evolve(GREG, display_name="G."), lisa)
    )
    assert first["PayloadUUID"] == again["PayloadUUID"] != other["PayloadUUID"]
    assert first["PayloadIdentifier"] == again["PayloadIdentifier"] != other["PayloadIdentifier"]


def test_mobileconfig_without_private_authority_and_without_tls():
    """No root payload where there is no root, and no TLS promised where there is none."""
    (mail,) = plistlib.loads(mobileconfig(PLAIN).encode())["PayloadContent"]
    assert mail["IncomingMailServerUseSSL"] is False
    assert mail["OutgoingMailServerUseSSL"] is False


def test_passwords_stand_inside_only_when_asked():
    """Every form without a password has no word for one; those that can hold it do, the others refuse."""
    secret = "correct horse"
    for form in FORMATS:
        if form == "getmail" or form in WITH_PASSWORD:
            assert secret in render(GREG, form, password=secret).text
        else:
            with pytest.raises(PeerFault, match="no password"):
                render(GREG, form, password=secret)
        assert secret not in render(GREG, form).text
    (mail, _) = plistlib.loads(mobileconfig(GREG, password=secret).encode())["PayloadContent"]
    assert mail["IncomingPassword"] == secret


def test_dns_records_follow_rfc_6186_8314_and_6763():
    """One SRV for each service with TLS, implicit TLS preferred, none for IMAP; PTR, SRV and TXT for browsing."""
    text = dns_records(GREG)
    lines = [line for line in text.splitlines() if not line.startswith(";")]
    assert lines[0] == "$ORIGIN office.example."
    records = [tuple(line.split(" ", 4)) for line in lines[1:]]
    assert all(seconds == "3600" and kind == "IN" for _, seconds, kind, _, _ in records)
    found = {(name, kind): value for name, _, _, kind, value in records if name != "_services._dns-sd._udp"}
    assert found["_pop3s._tcp", "SRV"] == f"0 1 995 {HOST}."
    assert found["_pop3._tcp", "SRV"] == f"10 1 110 {HOST}."
    assert found["_submissions._tcp", "SRV"] == f"0 1 465 {HOST}."
    assert found["_submission._tcp", "SRV"] == f"10 1 587 {HOST}."
    assert found["_imap._tcp", "SRV"] == found["_imaps._tcp", "SRV"] == "0 0 0 ."
    assert found["_pop3s._tcp", "PTR"] == "mailshare._pop3s._tcp.office.example."
    assert found["mailshare._pop3s._tcp", "SRV"] == f"0 1 995 {HOST}."
    assert found["mailshare._pop3s._tcp", "TXT"] == '"txtvers=1"'
    browsed = {value for name, *_, value in records if name == "_services._dns-sd._udp"}
    services = ("_pop3s._tcp", "_pop3._tcp", "_submissions._tcp", "_submission._tcp")
    assert browsed == {f"{one}.office.example." for one in services}


def test_dns_records_for_another_name_and_for_none():
    """A given domain is used, foreign letters become A-labels; without names or TLS there is nothing to announce."""
    assert "$ORIGIN xn--bro-hoa.example.\n" in dns_records(GREG, "büro.example")
    for handout in (PLAIN, evolve(GREG, hostname="localhost"), evolve(GREG, hostname="192.0.2.7")):
        with pytest.raises(ConfigFault):
            dns_records(handout)


def test_page_has_copyable_values_and_every_address():
    """Rule 3.14: values to copy, what others may write, what the certificate is compared by; all of it JSON."""
    shown = json.loads(json.dumps(page(GREG)))
    values = {row["label"]: row["value"] for row in shown["values"]}
    assert values["User name"] == "greg"
    assert values["E-mail address"] == "mail@company.example"
    assert values["Incoming server (POP3)"] == HOST
    assert (values["Incoming port"], values["Incoming security"]) == ("995", "SSL/TLS")
    assert (values["Outgoing port"], values["Outgoing security"]) == ("465", "SSL/TLS")
    assert shown["addresses"][0]["usable"] == ["Greg Jones <mail@company.example>", "mail+greg@company.example"]
    assert shown["addresses"][1] == {"address": "greg@firm.example", "usable": ["greg@firm.example"]}
    assert re.fullmatch(r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}", shown["authority"]["sha256"])
    body = "".join(shown["authority"]["pem"].splitlines()[1:-1])
    assert base64.b64decode(body) == b"certificate"


def test_page_tells_the_trap_of_the_mail_domain():
    """Rule 3.14: the mail domain belongs to the provider, so searching by it leads past this server."""
    shown = page(GREG)
    trap = [row["text"] for row in shown["cautions"] if row["code"] == "provider-domain"]
    assert len(trap) == 2
    assert "company.example belongs to the mail provider" in trap[0]
    assert shown["discovery"]["finds_the_provider"] == ["company.example", "firm.example"]
    assert shown["discovery"]["finds_this_server"] == "greg@office.example"
    in_house = evolve(GREG, identities=(Identity(Address("greg", "office.example"), ("greg@office.example",)),))
    assert "provider-domain" not in codes(in_house)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"doors": PLAIN.doors}, "no-tls"),
        ({"doors": ()}, "no-door"),
        ({"doors": (evolve(DOORS[1], near=True), DOORS[3])}, "near-only"),
        ({"unknown": ("systemd:domain=INET:index=0",)}, "unknown-port"),
        ({"hostname": "localhost"}, "local-name"),
        ({"certificate": Certificate(names=("other.example",), known=True)}, "certificate-name"),
        ({"certificate": Certificate(names=(HOST,))}, "unknown-authority"),
        ({"certificate": Certificate(names=(HOST,), authority=ROOT)}, "private-authority"),
        ({"enabled": False}, "closed-login"),
        ({"identities": (Identity(Address("greg", "office.example")),)}, "no-address"),
    ],
)
def test_each_caution_comes_when_it_must(changed: dict[str, object], code: str):
    """Each warning has its cause; a well set-up office for a domain of its own has only the one on cloud clients."""
    calm = evolve(
        GREG,
        certificate=Certificate(names=("*.office.example",), known=True),
        identities=(Identity(Address("greg", "office.example"), ("greg@office.example",)),),
    )
    assert codes(calm) == ["cloud-client"]  # this one always
    assert code in codes(evolve(calm, **changed))


def test_nothing_crosses_the_network_on_the_own_computer():
    """A listener of loopback is cautioned of for its reach, not for its readers."""
    near = evolve(PLAIN, doors=tuple(evolve(door, near=True) for door in PLAIN.doors))
    assert "no-tls" not in codes(near)
    assert "near-only" in codes(near)


def test_slip_fits_on_paper_and_has_room_for_the_password():
    """Plain text of 72 columns with the same values."""
    text = slip(GREG)
    assert all(len(line) <= 72 for line in text.splitlines())
    address = "Greg Jones <mail@company.example>"
    for part in ("greg", HOST, "995", "465", "SSL/TLS", address, "_____", ROOT.fingerprint[:20]):
        assert part in text


@pytest.mark.parametrize("form", [form for form in FORMATS if form not in {"text", "page", "srv", "certificate"}])
def test_forms_that_need_servers_say_so(form: str):
    """Without a listener there is a sentence, not a file that cannot work."""
    with pytest.raises(ConfigFault, match="listener"):
        render(evolve(GREG, doors=()), form)


def test_forms_say_what_they_are():
    """Media type and file name go with each form; an unknown one is refused."""
    assert render(GREG, "mobileconfig").media_type == "application/x-apple-aspen-config"
    assert render(GREG, "autoconfig").file_name == "config-v1.1.xml"
    assert render(GREG, "certificate").text == ROOT.pem
    with pytest.raises(PeerFault, match="none of text"):
        render(GREG, "pdf")
    with pytest.raises(ConfigFault, match="no certificate"):
        render(PLAIN, "certificate")
    only_starttls = evolve(GREG, doors=tuple(door for door in DOORS if door.tls == "starttls"))
    with pytest.raises(ConfigFault, match="getmail has no STARTTLS"):
        render(only_starttls, "getmail")
