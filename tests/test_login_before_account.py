"""A login is tried at the provider before the account is kept, step by step, with the provider's words."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_twisted
from twisted.internet import reactor

from mailshare.testing.isp import PretendISP
from tests.house import House


@pytest_twisted.async_yield_fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    isp = PretendISP(reactor, os.urandom)
    isp.startService()
    made = House(tmp_path, isp)
    yield made
    for office in made.started:
        if office.up:
            await office.stopService()
    await isp.stopService()


@pytest_twisted.ensureDeferred
async def test_both_directions_are_tried_told_and_leave_nothing_behind(house: House) -> None:
    """The right password is let in and mail stays there; the wrong one is refused in the server's words."""
    office = await house.start()
    house.arrives("mail@company.example")
    pop3, smtp = house.isp.ports()
    told: list[object] = []
    end = office.acts.watch(lambda kind, value: told.append(value) if kind == "login-test" else None)
    facts = {
        "address": "mail@company.example",
        "collect": f"pop3://mail@127.0.0.1:{pop3}?tls=none",
        "relay": f"smtp://mail@127.0.0.1:{smtp}?tls=none",
    }
    good = await office.acts.test_login(password="isp", by="admin", **facts)
    assert good["ok"] is True
    assert "1 messages lie there" in str(good["steps"])
    assert len(told) == 4
    assert "isp" not in {str(one) for step in told for one in dict(step).values()}
    assert len(house.isp.box.letters) == 1
    bad = await office.acts.test_login(password="wrong", by="admin", **facts)
    assert bad["ok"] is False
    assert "refuses the login" in str(bad["steps"])
    nowhere = await office.acts.test_login(
        password="isp", address="a@b.example", collect="pop3://a@127.0.0.1:1?tls=none"
    )
    assert nowhere["ok"] is False
    end()
