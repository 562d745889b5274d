"""Our server listens at a real Dovecot: what Postfix delivers there is in its mailbox here, though no run is due."""

from __future__ import annotations

import os
import smtplib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pytest_twisted import ensureDeferred
from real_peers.clients import READERS
from real_peers.letters import letter, serial
from real_peers.office import Office, person, shared_account
from real_peers.provider import Provider
from real_peers.running import LOOPBACK, run, wait_until
from twisted.internet import reactor
from twisted.internet.defer import Deferred
from zope.interface import implementer

from mailshare.core.address import Address
from mailshare.core.errors import Unavailable
from mailshare.core.servers import parse_server
from mailshare.core.values import Account
from mailshare.interfaces import ISecrets
from mailshare.isp.sign_on import Doors
from mailshare.isp.watching import Watching


@implementer(ISecrets)
class Secret:
    """The provider's customers all have the same."""

    async def password(self, account: Account, purpose: str) -> str:
        """That one."""
        return "secret"


pytestmark = pytest.mark.peers
ONCE_A_DAY: dict[str, Any] = {"timetable": [{"every": 1440}]}


def account_at(provider: Provider, imaps: int, login: str = "mail", address: str = "mail@company.example") -> Any:
    """An ``[[account]]`` over IMAP that the timetable collects once a day."""
    account = shared_account(provider, address=address, **ONCE_A_DAY)
    return {**account, "collect": f"imaps://{login}@localhost:{imaps}?ca={provider.authority}"}


def listened_to(office: Office) -> int:
    """How many accounts say that they wait for news."""
    return sum(bool(one["news"]["since"]) for one in office.asked("status")["accounts"])


def box(office: Office, user: str, tmp_path: Path) -> list[str]:
    """The serials in a mailbox, as a mail program gets them."""
    return sorted(map(serial, READERS["poplib"](lambda name: name, office.pop3("implicit", user), tmp_path)))


def test_mail_is_there_when_the_provider_has_it_and_a_killed_connection_comes_back(
    office: Office, provider: Provider, imaps: int, program: Callable[[str], str], tmp_path: Path
) -> None:
    """Told by Dovecot; after it has thrown out everybody, told again."""
    office.accounts = [account_at(provider, imaps)]
    office.start()
    wait_until(lambda: listened_to(office) == 1, "listening", log=office.folder / "server.log")
    for number in range(3):
        if number:
            run(program("doveadm"), "-c", provider.dovecot.config, "kick", "mail")
        with smtplib.SMTP(LOOPBACK, provider.postfix.smtp) as world:
            message = letter(f"code{number}", to="Andrew <mail@company.example>")
            world.sendmail("friend@outside.example", ["mail@company.example"], message)
        expected = [f"code{one}" for one in range(number + 1)]
        wait_until(lambda wanted=expected: box(office, "andrew", tmp_path) == wanted, f"mail {number}")
    wait_until(lambda: provider.dovecot.messages_count("mail") == 0, "an empty mailbox at the provider")
    causes = {line["data"]["cause"] for line in office.asked("log")["events"] if line["kind"] == "collect.run"}
    assert causes == {"the provider told of it"}


@ensureDeferred
async def test_listening_is_renewed_and_ends_when_it_is_told_to(provider: Provider, imaps: int) -> None:
    """IDLE and DONE again and again on one connection; mail between two of them is told; the end is a logout."""
    server = parse_server(f"imaps://mail@localhost:{imaps}?ca={provider.authority}")
    account = Account(1, 1, Address.parse("mail@company.example"), collect=server)
    watch = await Watching(Doors(reactor, Secret(), os.urandom)).watch(account)  # type: ignore[arg-type]
    assert watch.pushes
    assert [await watch.wait(0.1) for _ in range(4)] == [False] * 4
    provider.dovecot.put("mail", letter("between"), "1795000000.between.provider")
    assert await watch.wait(120)
    assert not await watch.wait(0.1)
    waiting = Deferred.fromCoroutine(watch.wait(120))  # type: ignore[arg-type]
    await watch.close()
    with pytest.raises(Unavailable):
        await waiting


def test_twenty_accounts_are_listened_to_at_once(
    office: Office, provider: Provider, imaps: int, tmp_path: Path
) -> None:
    """One process holds twenty connections; mail at each of them is there, though the runs are a day away."""
    logins = [f"idler{number}" for number in range(20)]
    for login in logins:
        provider.dovecot.add_user(login)
    office.accounts = [account_at(provider, imaps, login, f"{login}@company.example") for login in logins]
    office.users = [person("andrew", *(f"{login}@company.example" for login in logins))]
    office.start()
    wait_until(lambda: listened_to(office) == 20, "twenty connections", log=office.folder / "server.log")
    for login in logins:
        message = letter(f"for-{login}", to=f"Andrew <{login}@company.example>")
        provider.dovecot.put(login, message, f"1795000000.{login}.provider")
    wanted = sorted(f"for-{login}" for login in logins)
    wait_until(lambda: box(office, "andrew", tmp_path) == wanted, "all mail", log=office.folder / "server.log")
    assert listened_to(office) == 20
