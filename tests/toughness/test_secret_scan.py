"""Passwords that nobody else uses go in at every door; afterwards they are looked for wherever anything comes out."""

from __future__ import annotations

import base64
import json
import poplib
import smtplib
import urllib.parse
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest_twisted
from twisted.internet.threads import deferToThread
from twisted.logger import globalLogPublisher, textFileLogObserver

from mailshare.portal import throttle
from mailshare.portal.passwords import Passwords

# Each with characters that quoting, URLs and base64 write otherwise.
PROVIDER = "Prv&Kq7+wZ 3x/Tj"
USER = "Usr&Vb9+mN 5r/Qd"
DEVICE = "Dev&Hs2+cY 8k/Lf"
CHANGED = "Chg&Xt4+pG 6n/Bw"
WRONG = "Wrg&Zd1+fJ 7u/Ry"
FILED = "Fil&Mc3+hE 9a/Sk"
ENVIRONED = "Env&Pd8+uB 2w/Jm"
PRINTED = "Cmd&Lx5+sT 4e/Hn"
BOSS = "Adm&Ge6+oC 1y/Vt"
COLLECTING = "Col&Rn4+iW 8z/Fp"
SENDING = "Snd&Yj9+aM 5h/Ux"
PROVIDER_FILED = "Pfl&Ok2+dQ 6g/Bz"
PROVIDER_ENVIRONED = "Pen&Vs7+lX 3t/Ck"
SECRETS = {
    "provider": PROVIDER, "user": USER, "device": DEVICE, "changed": CHANGED, "file": FILED, "wrong": WRONG,
    "environment": ENVIRONED, "command": PRINTED, "admin": BOSS, "collect": COLLECTING, "relay": SENDING,
    "provider's file": PROVIDER_FILED, "provider's environment": PROVIDER_ENVIRONED,
}  # fmt: skip
WRITTEN = {"greg.password": FILED, "carl.password": PRINTED, "four.password": PROVIDER_FILED}

TEXT = f"""\
[[user]]
name = "andrew"
password = "{USER}"
accounts = ["mail@company.example"]
[[user]]
name = "greg"
password = {{ file = "greg.password" }}
accounts = ["mail@company.example"]
[[user]]
name = "anna"
password = {{ env = "ANNAS_SECRET" }}
accounts = ["two@company.example"]
[[user]]
name = "carl"
password = {{ command = ["cat", "carl.password"] }}
accounts = ["two@company.example"]
[[user]]
name = "scan"
password = "{DEVICE}"
[[device]]
name = "scanner"
networks = ["127.0.0.9"]
user = "scan"
"""
ACCOUNT = """\
[[account]]
address = "{name}@company.example"
collect = "pop3://mail@127.0.0.1:{pop3}?tls=none"
relay = "smtp://mail@127.0.0.1:{smtp}?tls=none"
password = {password}
timetable = [{{ days = "mon", from = "00:00", to = "00:01", every = 1440 }}]
"""


def accounts(pop3: int, smtp: int) -> str:
    """Accounts with every kind of password; the provider takes none of them."""
    kinds = {
        "two": json.dumps(PROVIDER + "2"),
        "three": f'{{ collect = "{COLLECTING}", relay = "{SENDING}" }}',
        "four": '{ file = "four.password" }',
        "five": '{ env = "FIVES_SECRET" }',
    }
    return "".join(ACCOUNT.format(name=one, pop3=pop3, smtp=smtp, password=kinds[one]) for one in kinds)


def forms(secret: str) -> Iterator[bytes]:
    """A secret as it may be written; of base64 the part that does not depend on what stands around it."""
    plain = secret.encode()
    yield plain
    yield plain.hex().encode()
    yield plain.hex().upper().encode()
    yield repr(secret).encode()[1:-1]
    yield json.dumps(secret).encode()[1:-1]
    yield urllib.parse.quote(secret, safe="").encode()
    yield urllib.parse.quote_plus(secret, safe="").encode()
    yield secret.replace("&", "&amp;").encode()
    for shift in range(3):
        padded = base64.b64encode(b"\\0" * shift + plain)
        yield padded[4 if shift else 0 : -4]
        yield base64.urlsafe_b64encode(b"\\0" * shift + plain)[4 if shift else 0 : -4]


def finds(places: dict[str, bytes], secrets: dict[str, str]) -> list[str]:
    """Which secret stands where."""
    return [
        f"{name} in {place}"
        for place, octets in places.items()
        for name, secret in secrets.items()
        if any(form in octets for form in forms(secret))
    ]


def test_the_search_finds_every_form() -> None:
    """The check itself: each way of writing is seen, also in the midst of other base64."""
    for shown in (
        PROVIDER.encode(),
        base64.b64encode(b"\0andrew\0" + PROVIDER.encode()),
        base64.b64encode(b"\0mail\0" + PROVIDER.encode()),
        base64.b64encode(b"user=" + PROVIDER.encode() + b";"),
        b"x" + PROVIDER.encode().hex().encode(),
        urllib.parse.quote(PROVIDER).replace("/", "%2F").encode(),
        json.dumps({"a": PROVIDER}).encode(),
    ):
        assert finds({"here": b"..." + shown + b"..."}, {"it": PROVIDER}) == ["it in here"], shown
    assert finds({"here": b"nothing"}, {"it": PROVIDER}) == []


def files_below(folder: Path) -> dict[str, bytes]:
    """Everything that lies on the disk."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def _log_in(pop3: int, smtp: int, name: str, password: str) -> None:
    """By both protocols, with every way that sends the password; a refusal is as good."""
    client = poplib.POP3("127.0.0.1", pop3, timeout=60)
    try:
        client.user(name)
        client.pass_(password)
        client.quit()
    except poplib.error_proto:
        client.close()
    for way in ("auth_plain", "auth_login"):
        with smtplib.SMTP("127.0.0.1", smtp, timeout=60) as talk:
            talk.ehlo()
            talk.user, talk.password = name, password
            try:
                talk.auth(way.removeprefix("auth_").upper(), getattr(talk, way))
            except smtplib.SMTPAuthenticationError:
                continue


async def _answers(house: Any) -> dict[str, bytes]:
    """What the API says."""
    acts = house.office.acts
    asked: dict[str, Any] = {
        "status": acts.status(),
        "users": acts.users(),
        "accounts": acts.accounts(),
        "log": acts.log(limit=900),
        "export": acts.export(),
        "dry run": acts.dry_run(all=True),
        "former users": acts.former_users(),
        "admin": acts.admin_list(),
        "outbox": acts.outbox(all=True),
        "mailboxes": acts.mailboxes(),
        "rules": acts.rules(),
        "app passwords": acts.app_passwords(name="andrew"),
        "user": acts.show_user(name="andrew"),
        "handout": acts.handout(name="andrew"),
        "provider": acts.account_show(address="mail@company.example"),
    }
    for form in ("html", "mobileconfig", "autoconfig", "mpop", "fetchmail", "getmail"):
        asked[f"handout {form}"] = acts.handout(name="andrew", format=form)
    said = {}
    for name, work in asked.items():
        try:
            said[name] = str(await work).encode()
        except Exception as refusal:  # what is refused is said too
            said[name] = repr(refusal).encode()
    return said


@pytest_twisted.ensureDeferred
async def test_no_secret_comes_out_anywhere(house, tmp_path: Path, monkeypatch, logged_failures) -> None:
    """Logs with tracebacks, journal, store, backup, export, API, hand-outs, why: none holds a password in any form."""
    monkeypatch.setattr(throttle, "DELAYS", (0.01,))  # what wrong passwords wait for is tried elsewhere
    log = StringIO()
    observer = textFileLogObserver(log)
    globalLogPublisher.addObserver(observer)
    for name, secret in WRITTEN.items():
        (tmp_path / name).write_text(secret + "\n")
        (tmp_path / name).chmod(0o600)
    monkeypatch.setenv("ANNAS_SECRET", ENVIRONED)
    monkeypatch.setenv("FIVES_SECRET", PROVIDER_ENVIRONED)
    office = await house.start(accounts(*house.isp.ports()) + TEXT)
    acts = office.acts
    await acts.admin_reset(password=BOSS)
    made = await acts.add_app_password(name="andrew", label="phone")
    app = str(made["password"])
    await acts.add_user(name="lisa", password=CHANGED, accounts=[])
    await acts.change_user(name="lisa", password=CHANGED + "2")
    await acts.add_account(address="other@company.example", collect="pop3s://o@pop.isp.example", password=PROVIDER)
    for name, password in (
        *(("andrew", USER), ("greg", FILED), ("scan", DEVICE), ("lisa", CHANGED)),
        *(("anna", ENVIRONED), ("carl", PRINTED), ("admin1", BOSS)),
        *(("andrew", WRONG), ("nobody", WRONG), ("andrew", app)),
    ):
        await deferToThread(_log_in, house.port("pop3"), house.port("smtp"), name, password)
    house.arrives("Andrew <mail@company.example>")
    # A letter that waits for an account whose password is refused, in both directions.
    def letter(client: smtplib.SMTP) -> None:
        client.login("anna", ENVIRONED)
        client.sendmail("anna", ["x@far.example"], b"A: b")

    await house.smtp(letter)
    answer = await acts.send_receive()
    assert sum("refuse" in str(facts) for facts in answer.values()) == 4
    await acts.reload()
    # A failure inside the checking of passwords, and one with the provider's password at hand.
    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("forced")

    with monkeypatch.context() as patch:
        patch.setattr(Passwords, "verify", fails)
        await deferToThread(_log_in, house.port("pop3"), house.port("smtp"), "andrew", USER + "1")
    said = await _answers(house)
    (event,) = [row for row in (await acts.log(limit=900))["events"] if row["kind"] == "route"][:1]
    said["why"] = str(await acts.why(id=event["trace"])).encode()
    await acts.backup(directory=str(tmp_path / "backup"))
    globalLogPublisher.removeObserver(observer)
    await office.stopService()
    failures = logged_failures.flush()
    said["log"] = log.getvalue().encode()
    said["failures"] = "\n".join(
        failure.getTraceback(detail=detail) for failure in failures for detail in ("default", "verbose")
    ).encode() if failures else b""
    sources = {"m.toml", *WRITTEN}
    disk = {name: octets for name, octets in files_below(tmp_path).items() if name not in sources}
    assert any(name.startswith("backup") for name in disk)
    assert any(name.endswith("mailshare.db") for name in disk)
    assert b"left_out" in said["export"]
    assert finds({**said, **disk}, {**SECRETS, "app": app}) == []
