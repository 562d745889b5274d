"""What was done in the manager is taken back by a button that needs no script."""

from __future__ import annotations

import html
import re

import pytest_twisted

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.values import SECOND, Hop, Origin, Role, Source
from tests.web.conftest import Answer, Browser, House


async def queued(house: House, *recipients: str) -> list[int]:
    """A message that waits for the provider; the numbers of its rows."""
    store = house.office.store
    account = store.directory.current().accounts[0]
    sink = store.new_body()
    sink.write(b"From: andrew@company.example\r\nSubject: x\r\n\r\nhello\r\n")
    addressed = tuple(Recipient(Address.parse(one)) for one in recipients)
    await store.delivery.deliver(
        Envelope(Address.parse("andrew@company.example"), addressed),
        await sink.finish(),
        Origin(Source.SMTP, f"{len(await house.office.acts.outbox(all=True)):016x}", account_id=account.id),
        [],
        [Hop("relay", one, "outside", account_id=account.id) for one in recipients],
        at=house.office.acts._clock(),
        expires=house.office.acts._clock() + 86_400 * SECOND,
    )
    return [int(str(row["id"])) for row in await house.office.acts.outbox()]


async def states(house: House) -> dict[object, object]:
    return {row["to"]: row["state"] for row in await house.office.acts.outbox(all=True)}


async def press_undo(browser: Browser, page: Answer) -> Answer:
    """The form as a browser without scripts sends it."""
    form = re.search(r'<form method="post" action="([^"]+)" class="undo".*?</form>', page.text, re.DOTALL)
    assert form, page.text
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)">', form[0])
    return await browser.post(html.unescape(form[1]), dict(fields))


@pytest_twisted.ensureDeferred
async def test_a_deletion_is_told_on_the_list_and_undone_by_its_button(house: House) -> None:
    """Queued and held rows come back as what they were, by one press; the journal tells of both acts."""
    browser = await house.admin()
    ids = await queued(house, "bob@far.example", "cid@far.example")
    await house.office.acts.steer(act="hold", ids=ids[:1])
    before = await states(house)
    gone = await browser.post("/outbox", {"act": "delete", "id": ids}, Referer=f"http://127.0.0.1:{house.port}/outbox")
    assert gone.header("Location") == "/outbox"
    assert set((await states(house)).values()) == {"cancelled"}
    page = await browser.get("/outbox")
    assert re.search(r'<p role="status"[^>]*>.*2 messages were deleted</p>', page.text)
    assert "possible for 30 seconds" in page.text
    await press_undo(browser, page)
    assert await states(house) == before
    assert "2 messages are back, as they were" in (await browser.get("/outbox")).text
    log = await house.office.acts.log(kinds=["admin.delete", "admin.undelete"])
    assert [one["kind"] for one in log["events"]] == ["admin.delete"] * 2 + ["admin.undelete"] * 2  # type: ignore[attr-defined]
    rows = [await house.office.store.queue.item(one) for one in ids]
    assert [row.progress for row in rows if row is not None] == [{}, {}]


@pytest_twisted.ensureDeferred
async def test_after_thirty_seconds_a_deletion_stays(house: House) -> None:
    """The button is told that it comes too late, and nothing changes; what was cancelled otherwise never comes back."""
    browser = await house.admin()
    (row,) = await queued(house, "bob@far.example")
    await browser.post("/outbox", {"act": "delete", "id": row})
    page, clock = await browser.get("/outbox"), house.office.acts._clock
    house.office.acts._clock = lambda: clock() + 31 * SECOND
    await press_undo(browser, page)
    assert "1 was deleted too long ago" in (await browser.get("/outbox")).text
    assert await states(house) == {"bob@far.example": "cancelled"}
    house.office.acts._clock = clock
    other = (await queued(house, "eve@far.example"))[0]
    await house.office.store.queue.steer([other], "cancel", clock())
    assert (await house.office.acts.steer(act="undelete", ids=[other]))["changed"] == 0


@pytest_twisted.ensureDeferred
async def test_holding_and_letting_go_have_their_undo(house: House) -> None:
    """Each is taken back by the other."""
    browser = await house.admin()
    (row,) = await queued(house, "bob@far.example")
    await browser.post("/outbox", {"act": "hold", "id": row})
    await press_undo(browser, await browser.get("/outbox"))
    assert await states(house) == {"bob@far.example": "queued"}
    await press_undo(browser, await browser.get("/outbox"))
    assert await states(house) == {"bob@far.example": "held"}


@pytest_twisted.ensureDeferred
async def test_a_deleted_user_is_back_by_the_button_of_the_list(house: House) -> None:
    """With one press, without looking for the table of former users."""
    browser = await house.admin()
    await browser.post("/users/new", {"name": "eve", "accounts": "mail@company.example"})
    await browser.post("/users/eve/delete", {})
    await press_undo(browser, await browser.get("/users"))
    assert (await house.office.acts.show_user(name="eve"))["enabled"]


@pytest_twisted.ensureDeferred
async def test_a_row_has_a_page_whose_button_names_what_it_deletes(house: House) -> None:
    """And only buttons that can do something; all rows are ticked by a link, where there is no script."""
    browser = await house.admin()
    (row,) = await queued(house, "bob@far.example")
    page = (await browser.get(f"/outbox/{row}")).text
    assert "Delete the message to bob@far.example</button>" in page
    assert "Keep back" in page
    assert "Let go on" not in page
    assert page.count(" checked") == 0
    assert (await browser.get("/outbox?ticked=true")).text.count(" checked") == 1
    await browser.post("/outbox", {"act": "delete", "id": row})
    assert "Delete the message" not in (await browser.get(f"/outbox/{row}")).text


@pytest_twisted.ensureDeferred
async def test_only_who_may_steer_a_row_may_bring_it_back(house: House) -> None:
    """Not a viewer, and not who looks after another account."""
    (row,) = await queued(house, "bob@far.example")
    await house.office.acts.steer(act="delete", ids=[row])
    for role, accounts in ((Role.VIEWER, ()), (Role.KEEPER, ("two@firm.example",))):
        browser = await house.admin(role.value.replace(" ", ""), role, accounts)
        assert "Undo" not in (await browser.get("/outbox")).text
        await browser.post("/outbox", {"act": "undelete", "id": row})
        assert await states(house) == {"bob@far.example": "cancelled"}


@pytest_twisted.ensureDeferred
async def test_all_of_it_is_all_of_the_own_accounts(house: House) -> None:
    """Who looks after other accounts holds nothing back by the form for everything; who looks after this one does."""
    await queued(house, "bob@far.example")
    for account, state in (("two@firm.example", "queued"), ("mail@company.example", "held")):
        browser = await house.admin(account.partition("@")[0], Role.KEEPER, (account,))
        assert (await browser.post("/outbox", {"act": "hold", "everything": "on"})).code == 303
        assert await states(house) == {"bob@far.example": state}
