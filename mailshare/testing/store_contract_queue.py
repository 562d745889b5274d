"""What every provider of IStore must do with its queue, its directory, its journal and its settings.

As :mod:`mailshare.testing.store_contract`: inherit the classes and give the fixture ``store_factory``.
"""

from __future__ import annotations

import pytest
from attrs import evolve

from mailshare.core.address import Address
from mailshare.core.errors import Declared, LocalFault, PolicyRefusal
from mailshare.core.values import (
    Account,
    AccountMode,
    Directory,
    Event,
    Outcome,
    QueueState,
    SenderRule,
    Server,
    User,
    UserKind,
    Window,
)
from mailshare.testing.store_office import DAY, NOW, SECOND, StoreFactory, office, opened, whole

FAR = 7_300_000_000 * SECOND  # after every clock that a store may have


class QueueContract:
    """Claims, leases, settling, steering."""

    async def test_claim_and_settle(self, store_factory: StoreFactory) -> None:
        """A claimed row is not given out twice; what came of it is written with its attempt and event."""
        async with office(store_factory) as place:
            queue = place.store.queue
            await place.deliver("1", [], hops=[place.hop("a@b.example"), place.hop("c@d.example")])
            assert await queue.waiting() == await queue.waiting(place.account.id) == 1
            assert await queue.claim("fax", 10, NOW, SECOND) == []
            (one,) = await queue.claim("relay", 1, NOW, SECOND, account_id=place.account.id)
            (two,) = await queue.claim("relay", 10, NOW, SECOND)
            assert [one.address, two.address] == ["a@b.example", "c@d.example"]
            assert (one.state, one.submission_id, str(one.sender)) == (
                QueueState.ACTIVE,
                two.submission_id,
                "ann@out.example",
            )
            assert one.params == {"body": "7BIT", "smtputf8": False, "ret": "", "envid": "", "notify": ["FAILURE"]}
            assert (await whole(await queue.body(one.message_id))).endswith(b"hello\r\n")
            await queue.settle(
                [
                    Outcome(one.id, QueueState.DELIVERED, NOW + 1, 250, "2.0.0", "queued"),
                    Outcome(two.id, QueueState.QUEUED, NOW + 1, 451, "4.0.0", "later", next_at=NOW + 60 * SECOND),
                ],
                [Event(NOW, "relay.delivered", one.trace)],
            )
            (left,) = await queue.items()
            assert (left.id, left.word, left.attempts, left.reply) == (two.id, "deferred", 1, "later")
            assert [row.id for row in await queue.items(open_only=False)] == [two.id, one.id]
            assert [row["code"] for row in await queue.attempts(two.id)] == [451]
            assert await queue.due("relay", NOW) == {place.account.id: (0, NOW + 60 * SECOND)}
            assert await queue.due("relay", NOW + 60 * SECOND) == {place.account.id: (1, 0)}
            assert [event.kind for _, event in await place.store.events.page(since=0, until=NOW + 1)] == [
                "relay.delivered"
            ]
            assert await place.store.verify() == []

    async def test_leases_run_out_and_are_renewed(self, store_factory: StoreFactory) -> None:
        """A row whose lease ended is due again; a renewed one is not; a settled one never."""
        async with office(store_factory) as place:
            queue = place.store.queue
            await place.deliver("1", [], hops=[place.hop("a@b.example")])
            (row,) = await queue.claim("relay", 1, NOW, 10 * SECOND)
            await queue.renew([row.id], NOW + 60 * SECOND)
            assert await queue.claim("relay", 1, NOW + 30 * SECOND, SECOND) == []
            assert [one.id for one in await queue.claim("relay", 1, NOW + 61 * SECOND, SECOND)] == [row.id]
            await queue.settle([Outcome(row.id, QueueState.FAILED, NOW, 550, "5.1.1", "nobody")])
            await queue.settle([Outcome(row.id, QueueState.DELIVERED, NOW, 250)])
            found = await queue.item(row.id)
            assert found is not None
            assert (found.state, found.attempts) == (QueueState.FAILED, 1)
            assert await queue.claim("relay", 1, NOW + DAY, SECOND) == []
            assert await queue.waiting() == 0

    async def test_a_try_that_does_not_count(self, store_factory: StoreFactory) -> None:
        """A row given back untried keeps its attempts."""
        async with office(store_factory) as place:
            queue = place.store.queue
            await place.deliver("1", [], hops=[place.hop("a@b.example")])
            (row,) = await queue.claim("relay", 1, NOW, SECOND)
            progress = {"pages": 2}
            await queue.settle([Outcome(row.id, QueueState.QUEUED, NOW, next_at=NOW, counts=False, progress=progress)])
            found = await queue.item(row.id)
            assert found is not None
            assert (found.attempts, found.word, found.progress) == (0, "queued", progress)
            assert await queue.attempts(row.id) == []

    async def test_steering(self, store_factory: StoreFactory) -> None:
        """Hold, release, retry and cancel touch only rows they may, and wake the agent."""
        async with office(store_factory) as place:
            queue, woken = place.store.queue, []
            end = place.store.notifier.subscribe("relay", lambda: woken.append(1))
            await place.deliver("1", [], hops=[place.hop("a@b.example"), place.hop("c@d.example")], hold=True)
            ids = [row.id for row in await queue.items()]
            assert woken == [1]
            assert await queue.waiting() == 0
            assert await queue.claim("relay", 9, NOW, SECOND) == []
            assert await queue.steer(ids, "release", NOW + 5) == 2
            assert await queue.waiting() == 1
            assert len(woken) == 2
            (active,) = await queue.claim("relay", 1, NOW + 5, SECOND)
            assert await queue.steer(ids, "hold", NOW) == 1
            assert await queue.steer(ids, "cancel", NOW) == 1
            await queue.settle([Outcome(active.id, QueueState.FAILED, NOW, 550)])
            assert await queue.steer(ids, "retry", NOW) == 1
            end()
            end()
            with pytest.raises(LocalFault):
                await queue.steer(ids, "shred", NOW)

    async def test_a_row_that_is_tried_is_recalled(self, store_factory: StoreFactory) -> None:
        """Whatever comes of the try; and it is not due again."""
        async with office(store_factory) as place:
            queue = place.store.queue
            await place.deliver("1", [], hops=[place.hop("a@b.example"), place.hop("c@d.example")])
            (active,) = await queue.claim("relay", 1, NOW, SECOND)
            ids = [row.id for row in await queue.items()]
            assert await queue.steer(ids, "recall", NOW) == 2
            await queue.settle([Outcome(active.id, QueueState.QUEUED, NOW, 451, next_at=NOW)])
            assert await queue.claim("relay", 9, NOW + DAY, SECOND) == []
            assert {row.word for row in await queue.items(open_only=False)} == {"cancelled"}
            assert await queue.waiting() == 0

    async def test_a_deletion_is_taken_back_within_its_time(self, store_factory: StoreFactory) -> None:
        """Held or queued as it was, by whoever opens the store next as well; not claimed meanwhile, and not later."""
        async with office(store_factory) as place:
            queue, woken = place.store.queue, []
            hops = [place.hop("a@b.example"), place.hop("c@d.example"), place.hop("e@f.example")]
            await place.deliver("1", [], hops=hops)
            late, held, queued = sorted(row.id for row in await queue.items())
            assert await queue.steer([held], "hold", NOW) == 1
            assert await queue.steer([held, queued], "delete", NOW) == 2
            assert await queue.steer([late], "cancel", NOW) == 1
            assert await queue.claim("relay", 9, NOW + SECOND, SECOND) == []
            assert await queue.waiting() == 0
            place.store.notifier.subscribe("relay", lambda: woken.append(1))
            assert await queue.steer([late, held], "undelete", NOW + 30 * SECOND) == 1
            assert await queue.steer([queued], "undelete", NOW + 30 * SECOND + 1) == 0
            assert await queue.steer([queued], "undelete", NOW + SECOND) == 1
            assert woken == [1, 1]
            rows = {row.id: (row.word, row.progress) for row in await queue.items()}
            assert rows == {held: ("held", {}), queued: ("queued", {})}
            assert await queue.waiting() == 1

    async def test_garbage_leaves_what_is_needed(self, store_factory: StoreFactory) -> None:
        """A message goes with its last entry and queue row, and not before."""
        async with office(store_factory) as place:
            result = await place.deliver("1", [place.andrew], hops=[place.hop("a@b.example")])
            drop = await place.drop(place.andrew)
            await drop.commit([result.uids[place.andrew.id]])
            assert await place.store.collect_garbage(NOW) == 0
            (row,) = await place.store.queue.claim("relay", 1, NOW, SECOND)
            await place.store.queue.settle([Outcome(row.id, QueueState.DELIVERED, NOW, 250)])
            assert await place.store.collect_garbage(NOW + DAY) == 0
            assert await place.store.collect_garbage(NOW + 30 * DAY) == 1
            assert await place.store.message(result.message_id) is None


class DirectoryContract:
    """People, accounts and rules."""

    async def test_accounts_bring_admin_and_public(self, store_factory: StoreFactory) -> None:
        """Account n has ADMINn and PUBLICn; numbers count from 1 and never come back."""
        async with opened(store_factory) as store:
            directory = store.directory
            first = await directory.add_account(Account(0, 0, Address.parse("a@x.example")))
            second = await directory.add_account(Account(0, 0, Address.parse("b@x.example")))
            assert [first.number, second.number] == [1, 2]
            kinds = {user.name: user.kind for user in directory.current().users}
            admins = {"admin1": UserKind.ADMIN, "public1": UserKind.PUBLIC}
            assert kinds == admins | {"admin2": UserKind.ADMIN, "public2": UserKind.PUBLIC}
            assert directory.current().admin_of(second).accounts == (second.id,)
            await directory.delete_account(second.id)
            third = await directory.add_account(Account(0, 0, Address.parse("b@x.example")))
            assert third.number == 3
            assert directory.current().admin_of(third).name == "admin3"

    async def test_an_account_comes_back_whole(self, store_factory: StoreFactory) -> None:
        """Every field of an account and of a user survives the store."""
        async with opened(store_factory) as store:
            server = Server("pop3", "pop.x.example", 995, "implicit", "me", {"ca": "/x"})
            wanted = Account(
                0, 0, Address.parse("a@x.example"), AccountMode.DOMAIN, False, ("x.example",),
                (Address.parse("o@x.example"),), "-", server, server, (Window(frozenset({1, 2}), 60, 120, 7),),
                "Europe/Paris", 5, True, -1, "public", {"rare": [1]}, "mailshare.toml:4",
            )  # fmt: skip
            account = await store.directory.add_account(wanted, secret="{}")
            assert account == evolve(wanted, id=account.id, number=1)
            assert account.options == {"rare": [1]}
            assert account.collect is not None
            assert account.collect.options == {"ca": "/x"}
            assert await store.directory.secret(account.id) == "{}"
            user = User(
                0, "Lisa", UserKind.PRINTER, False, ("Lisa Smith",), (account.id,), (), True, "mailshare.toml:9"
            )
            made = await store.directory.add_user(user)
            assert made == evolve(user, id=made.id, name="lisa")

    async def test_reserved_taken_and_bad_names(self, store_factory: StoreFactory) -> None:
        """ADMINn, PUBLICn, taken names and names that cannot be a login are refused, changes of them too."""
        async with office(store_factory) as place:
            directory = place.store.directory
            for name in ("admin", "ADMIN1", "public7", "Andrew", "", "a b", "a@b", "x" * 65, "a\r\nb"):
                with pytest.raises(PolicyRefusal):
                    await directory.add_user(User(0, name))
            with pytest.raises(PolicyRefusal):
                await directory.change_user(evolve(place.greg, name="admin9"))
            with pytest.raises(PolicyRefusal):
                await directory.delete_user(directory.current().user_by_name["admin1"].id)
            with pytest.raises(PolicyRefusal):
                await directory.add_account(Account(0, 0, Address.parse("MAIL@office.example")))

    async def test_changes_are_seen_and_watched(self, store_factory: StoreFactory) -> None:
        """Each change makes a new directory; cc and rules lose users who go; an unheld credential stays as it is."""
        async with office(store_factory) as place:
            directory, seen = place.store.directory, list[Directory]()
            end = directory.watch(seen.append)
            await directory.change_user(evolve(place.greg, names=("Greg G",)), scram="s")
            rule = SenderRule(place.account.id, "from", "News@out.example", (place.andrew.id, place.greg.id))
            await directory.teach(rule)
            assert directory.current().rules == (evolve(rule, match="news@out.example"),)
            found = await directory.credentials("ANDREW")
            assert found is not None
            assert (found[0].id, found[1], found[2]) == (place.andrew.id, "$a", "")
            await directory.delete_user(place.andrew.id)
            assert directory.current().user_by_name["greg"].cc == ()
            assert directory.current().rules[0].user_ids == (place.greg.id,)
            assert await directory.credentials("andrew") is None
            assert [one.version for one in seen] == sorted({one.version for one in seen})
            assert len(seen) == 3
            end()

    async def test_declared_objects_are_locked(self, store_factory: StoreFactory) -> None:
        """What the configuration file declares is changed only in its name."""
        async with opened(store_factory) as store:
            user = await store.directory.add_user(User(0, "lisa", managed_by="mailshare.toml:9"), declared=True)
            with pytest.raises(Declared, match=r"mailshare\.toml:9"):
                await store.directory.change_user(user)
            with pytest.raises(Declared):
                await store.directory.delete_user(user.id)
            await store.directory.change_user(user, password_hash="$", declared=True)
            await store.directory.delete_user(user.id, declared=True)

    async def test_admin_without_number_is_the_first(self, store_factory: StoreFactory) -> None:
        """The login ADMIN means ADMIN1."""
        async with office(store_factory) as place:
            found = await place.store.directory.credentials("ADMIN")
            assert found is not None
            assert found[0].name == "admin1"

    async def test_an_account_with_waiting_mail_stays(self, store_factory: StoreFactory) -> None:
        """Mail in the outbox keeps its account."""
        async with office(store_factory) as place:
            await place.deliver("1", [], hops=[place.hop("a@b.example")])
            with pytest.raises(PolicyRefusal):
                await place.store.directory.delete_account(place.account.id)


class JournalContract:
    """Events and settings."""

    async def test_events_by_day_trace_and_kind(self, store_factory: StoreFactory) -> None:
        """Events come back in order, by page, and go by age; a day is one of the asked time zone."""
        async with opened(store_factory) as store:
            midnight = 1_782_864_000 * SECOND  # 2026-07-01 00:00 UTC
            made = [
                Event(midnight - 1, "one", "a" * 16, 1, 2, 3, {"x": "y"}),
                Event(midnight, "two"),
                Event(midnight + 1, "one"),
            ]
            await store.events.append(made)
            found = await store.events.page(since=midnight - 1, until=midnight + 2)
            assert [event for _, event in found] == made
            assert found[0][1].data == {"x": "y"}
            after = await store.events.page(since=0, until=midnight * 2, kinds=["one"], after_id=found[0][0], limit=1)
            assert [event.at for _, event in after] == [midnight + 1]
            assert len(await store.events.page(since=0, until=midnight * 2, trace="a" * 16)) == 1
            assert await store.events.days() == ["2026-06-30", "2026-07-01"]
            assert await store.events.days("Asia/Tokyo") == ["2026-07-01"]
            assert await store.events.expire(midnight) == 1
            assert await store.events.days() == ["2026-07-01"]

    async def test_what_administrators_did_stays_longer(self, store_factory: StoreFactory) -> None:
        """Rule 3.11: the audit of administrators has a time of its own."""
        async with opened(store_factory) as store:
            kinds = ["route", "admin.gave", "admin.rule"]
            await store.events.append([Event(at, kind) for at in (1 * DAY, 5 * DAY) for kind in kinds])
            assert await store.events.expire(9 * DAY, audit_before=3 * DAY) == 4
            left = [event for _, event in await store.events.page(since=0, until=99 * DAY)]
            assert [(event.at // DAY, event.kind) for event in left] == [(5, "admin.gave"), (5, "admin.rule")]
            assert await store.events.expire(9 * DAY) == 2

    async def test_a_report_that_is_due_is_no_log(self, store_factory: StoreFactory) -> None:
        """Rule 3.11: a journal that keeps nothing keeps what is still to be done, and drops it when it was done."""
        async with opened(store_factory) as store:
            facts = {"action": "failed", "items": [4, 5], "at": 7}
            due = Event(FAR, "report.due", "a" * 16, data=facts)
            await store.events.append([due, Event(FAR, "route", "a" * 16)])
            assert await store.events.expire(FAR + 1) == 1
            assert [event for _, event in await store.events.page(since=0, until=FAR + 1)] == [due]
            other = {**facts, "items": [4]}
            await store.events.append([Event(FAR + 5, "report.sent", "a" * 16, data=other)])
            assert await store.events.expire(FAR + 1) == 0
            await store.events.append([Event(FAR + 5, "report.sent", "a" * 16, data={**facts, "report": "c"})])
            assert await store.events.expire(FAR + 1) == 1

    async def test_what_is_counted_over_an_hour_is_no_log(self, store_factory: StoreFactory) -> None:
        """Rule 3.11 meets 3.4: midnight forgives nobody who wrote to everybody before it."""
        async with opened(store_factory) as store:
            await store.events.append([Event(FAR, "public.sent"), Event(FAR, "route"), Event(-1, "public.sent")])
            await store.events.expire(FAR + 1)
            left = [event.at for _, event in await store.events.page(since=-DAY, until=FAR + 1)]
            assert left == [FAR]

    async def test_ids_grow_whatever_the_clock_says(self, store_factory: StoreFactory) -> None:
        """What is new is found by id, also when the clock was set back by days, and after everything was dropped."""
        async with opened(store_factory) as store:
            assert (await store.events.newest(), await store.events.after(0)) == (0, [])
            await store.events.append([Event(at * DAY, f"k{at}") for at in (5, 3, 9, 3, 1)])
            found = await store.events.after(0)
            assert [event.kind for event in found] == ["k5", "k3", "k9", "k3", "k1"]
            assert [event.kind for event in await store.events.after(found[1].id, 2)] == ["k9", "k3"]
            pages, after = [], 0
            while page := await store.events.page(since=0, until=99 * DAY, after_id=after, limit=2):
                pages += [event.kind for _, event in page]
                after = page[-1][0]
            assert pages == ["k5", "k3", "k9", "k3", "k1"]
            newest = await store.events.newest()
            assert newest == found[-1].id
            await store.events.expire(99 * DAY)
            assert (await store.events.newest(), await store.events.after(0)) == (newest, [])
            await store.events.append([Event(2 * DAY, "k2")])
            assert [event.kind for event in await store.events.after(newest)] == ["k2"]

    async def test_a_message_is_found_by_the_line_of_its_coming(self, store_factory: StoreFactory) -> None:
        """By Message-ID with or without brackets, newest first, whatever became of the message."""
        async with opened(store_factory) as store:
            for trace, kind in (("a" * 16, "route"), ("b" * 16, "route"), ("c" * 16, "notice")):
                await store.events.append([Event(NOW, kind, trace, data={"message_id": "<one@x.example>"})])
            for wanted in ("one@x.example", "<one@x.example>", " <one@x.example> "):
                assert await store.events.traces(wanted) == ["b" * 16, "a" * 16]
            for wanted in ("two@x.example", "", "<>"):
                assert await store.events.traces(wanted) == []

    async def test_rules_are_kept_told_and_forgotten(self, store_factory: StoreFactory) -> None:
        """A taught rule replaces the one of its kind and match, and its event is written with it."""
        async with office(store_factory) as place:
            rule = SenderRule(place.account.id, "list", "News.Example", (place.greg.id,))
            await place.store.directory.teach(rule, [Event(NOW, "admin.rule")])
            await place.store.directory.teach(evolve(rule, user_ids=(place.andrew.id,)))
            kept = SenderRule(place.account.id, "list", "news.example", (place.andrew.id,))
            assert place.store.directory.current().rules == (kept,)
            assert [event.kind for _, event in await place.store.events.page(since=0, until=NOW * 2)] == ["admin.rule"]
            await place.store.directory.teach(evolve(rule, user_ids=()))
            assert place.store.directory.current().rules == ()

    async def test_settings_keep_versions(self, store_factory: StoreFactory) -> None:
        """A write with an old version is refused; scopes are apart."""
        async with opened(store_factory) as store:
            assert await store.settings.get("web", "colour") is None
            assert await store.settings.put("web", "colour", {"a": [1]}) == 1
            assert await store.settings.put("web", "colour", "blue", 1) == 2
            with pytest.raises(PolicyRefusal):
                await store.settings.put("web", "colour", "red", 1)
            assert await store.settings.get("web", "colour") == ("blue", 2)
            assert await store.settings.all("web") == {"colour": "blue"}
            assert await store.settings.all("log") == {}
