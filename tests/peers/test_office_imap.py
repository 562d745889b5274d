"""Our server collects from Dovecot over IMAP: TLS of both kinds, days, folders, others' marks, another UIDVALIDITY."""

from __future__ import annotations

import imaplib
import json
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from real_peers.clients import READERS, delivery_script, private
from real_peers.letters import letter, serial
from real_peers.office import Office, shared_account
from real_peers.provider import Provider
from real_peers.running import run

pytestmark = [pytest.mark.peers, pytest.mark.usefixtures("imaps")]
ADDRESS = "mail@company.example"


def over_imap(provider: Provider, tls: str = "implicit", **more: Any) -> dict[str, Any]:
    """An account that is collected from over IMAP, and not by itself."""
    port = provider.dovecot.imaps if tls == "implicit" else provider.dovecot.imap
    options = f"?ca={provider.authority}" if tls != "none" else "?tls=none"
    host = "127.0.0.1" if tls == "none" else "localhost"
    url = f"imap{'s' if tls == 'implicit' else ''}://mail@{host}:{port}{options}"
    account = shared_account(provider, collect=url, timetable=[{"every": 1440}], **more)
    account["options"] = {"idle": False, **account.get("options", {})}
    return account


def start(office: Office, account: dict[str, Any]) -> None:
    office.accounts = [account]
    office.start()
    office.sendreceive()


def put(provider: Provider, name: str, folder: str = "", to: str = "Andrew") -> None:
    provider.dovecot.put("mail", letter(name, to=f"{to} <{ADDRESS}>"), f"{name}.imap", folder)


def box(office: Office, tmp_path: Path, user: str = "andrew") -> list[str]:
    messages = READERS["poplib"](lambda name: name, office.pop3("implicit", user), tmp_path)
    return sorted(serial(message) for message in messages)


def imap(provider: Provider) -> imaplib.IMAP4_SSL:
    """Somebody else's program at the same mailbox."""
    context = ssl.create_default_context(cafile=str(provider.authority))
    session = imaplib.IMAP4_SSL("localhost", provider.dovecot.imaps, ssl_context=context)
    session.login("mail", "secret")
    return session


def shown(office: Office) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(office.command("account", "show", ADDRESS, "--json"))
    return found


@pytest.mark.parametrize("tls", ["implicit", "starttls", "none"])
def test_mail_is_collected_and_deleted(tls: str, office: Office, provider: Provider, tmp_path: Path) -> None:
    """Inside TLS, after STARTTLS, and plainly on loopback; octet by octet what was there."""
    start(office, over_imap(provider, tls))
    for number in range(5):
        put(provider, f"{tls}-{number}", to=("Andrew", "Greg")[number % 2])
    before = provider.dovecot.messages("mail")
    office.sendreceive()
    assert provider.dovecot.messages_count("mail") == 0
    assert (shown(office)["error"], shown(office)["note"]) == ("", "")
    got = READERS["poplib"](lambda name: name, office.pop3("implicit", "greg"), tmp_path)
    assert sorted(serial(one) for one in got) == [f"{tls}-1", f"{tls}-3"]
    for message in got:
        assert any(message.replace(b"\r\n", b"\n").endswith(original) for original in before)
    assert box(office, tmp_path) == [f"{tls}-0", f"{tls}-2", f"{tls}-4"]


def test_mail_that_is_left_stays_unread_and_comes_once(office: Office, provider: Provider, tmp_path: Path) -> None:
    """Left for ever, then for no day more: nothing is marked as seen, nothing comes twice, and then it goes."""
    put(provider, "first")
    account = over_imap(provider, leave_on_server_days=-1)
    start(office, account)
    put(provider, "second")
    for _ in range(2):
        office.sendreceive()
    assert provider.dovecot.messages_count("mail") == 2
    assert not [name for name in provider.dovecot.names("mail") if "S" in name.partition(":2,")[2]]
    office.stop()
    office.accounts = [{**account, "leave_on_server_days": 0}]
    office.write()
    office.start()
    office.sendreceive()
    assert provider.dovecot.messages_count("mail") == 0
    assert box(office, tmp_path) == ["first", "second"]


def test_what_others_have_marked_is_not_expunged(office: Office, provider: Provider, tmp_path: Path) -> None:
    """Somebody's mail program has marked a message and not expunged it yet; ours go, that one stays as it is."""
    large = letter("theirs", to=f"Andrew <{ADDRESS}>", text="0123456789abcdef.\r\n" * 500)
    provider.dovecot.put("mail", large, "theirs.imap")
    with imap(provider) as other:
        other.select("INBOX")
        other.store("1", "+FLAGS", "(\\Deleted)")
        other.unselect()
    put(provider, "ours")
    start(office, over_imap(provider, options={"max_size": 5000}))
    (name,) = provider.dovecot.names("mail")
    assert name.startswith("theirs.imap")
    assert "T" in name.partition(":2,")[2]
    assert "ours" in box(office, tmp_path)


def test_another_uidvalidity_brings_nothing_again(office: Office, provider: Provider, tmp_path: Path) -> None:
    """The provider has restored the mailbox: all ids are new, all mail is known; what came since is fetched."""
    for number in range(3):
        put(provider, f"old-{number}")
    start(office, over_imap(provider, leave_on_server_days=-1))
    with imap(provider) as other:
        before = other.status("INBOX", "(UIDVALIDITY)")
    provider.dovecot.renumber("mail")
    put(provider, "new")
    with imap(provider) as other:
        assert other.status("INBOX", "(UIDVALIDITY)") != before
    office.sendreceive()
    assert "collect.renumbered" in {event["kind"] for event in office.asked("log")["events"]}
    assert box(office, tmp_path) == ["new", "old-0", "old-1", "old-2"]


def test_the_folder_for_junk_is_found_and_marked(office: Office, provider: Provider, tmp_path: Path) -> None:
    """By SPECIAL-USE; sorted like any mail, with the flag that mail programs look for."""
    put(provider, "wanted")
    put(provider, "spam", "Spam")
    start(office, over_imap(provider, options={"folders": "automatic"}))
    assert provider.dovecot.names("mail", "Spam") == []
    messages = READERS["poplib"](lambda name: name, office.pop3("implicit", "andrew"), tmp_path)
    flagged = {serial(message): b"X-Spam-Flag: YES" in message for message in messages}
    assert flagged == {"wanted": False, "spam": True}


def test_a_switch_from_getmail_fetches_what_is_new(
    office: Office, provider: Provider, program: Callable[[str], str], tmp_path: Path
) -> None:
    """Getmail had two messages and left them there; by its list of the folder only the third one comes."""
    for number in range(2):
        put(provider, f"old-{number}")
    script, _ = delivery_script(tmp_path)
    config = private(
        tmp_path / "getmailrc",
        f"[retriever]\ntype = SimpleIMAPSSLRetriever\nserver = localhost\nport = {provider.dovecot.imaps}\n"
        f"username = mail\npassword = secret\nca_certs = {provider.authority}\n"
        f"[destination]\ntype = MDA_external\npath = {script}\nallow_root_commands = true\n"
        "[options]\ndelete = false\nread_all = false\n",
    )
    run(program("getmail"), "--quiet", "--getmaildir", tmp_path, "--rcfile", config)
    (file,) = tmp_path.glob("oldmail-*")
    account = over_imap(provider, leave_on_server_days=-1)
    office.accounts = [{**account, "enabled": False}]
    office.start()
    said = office.command("account", "import-uids", ADDRESS, str(file))
    assert "2 unique-ids of getmail for mail@localhost, 2 of them new" in said
    office.stop()
    put(provider, "new")
    office.accounts = [account]
    office.write()
    office.start()
    office.sendreceive()
    assert box(office, tmp_path) == ["new"]
    assert provider.dovecot.messages_count("mail") == 3


def test_the_probe_looks_over_imap(office: Office, provider: Provider) -> None:
    """`account probe` reads the newest headers and changes nothing there."""
    account = over_imap(provider, leave_on_server_days=-1)
    account["enabled"] = False
    for number in range(12):
        put(provider, f"probed-{number}")
    office.accounts = [account]
    office.start()
    answer = json.loads(office.command("account", "probe", ADDRESS, "--json"))
    assert (answer["waiting"], answer["mails"]) == (12, 12)
    assert not [name for name in provider.dovecot.names("mail") if "S" in name.partition(":2,")[2]]
