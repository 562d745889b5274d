"""What every provider of IStore must do with mail, as test classes to run on your own.

Inherit the classes in a test module and give a fixture ``store_factory``: a callable without arguments that returns a
store over fresh, empty memory or disk, not yet opened. The tests are coroutines for pytest-twisted. The queue and the
directory have their classes in :mod:`mailshare.testing.store_contract_queue`.
"""

from __future__ import annotations

from hashlib import sha256

import pytest
from attrs import evolve
from zope.interface import Interface
from zope.interface.verify import verifyObject

from mailshare import interfaces
from mailshare.core.envelope import Envelope
from mailshare.core.errors import MailboxFull, MailboxInUse, MailshareError, NoSuchEntry, Unavailable
from mailshare.core.headers import Headers
from mailshare.core.personal import Quota
from mailshare.core.values import Event, LedgerState, Origin, SentMark, Source, Target, User
from mailshare.testing.store_office import DAY, HEADER, NOW, StoreFactory, bookmark, office, whole


class SeamsContract:
    """Every seam is provided as declared."""

    async def test_every_seam_provides_its_interface(self, store_factory: StoreFactory) -> None:
        """The store and its parts pass zope's own verification."""
        async with office(store_factory) as place:
            store = place.store
            parts: list[tuple[type[Interface], object]] = [
                (interfaces.IStore, store),
                (interfaces.IDelivery, store.delivery),
                (interfaces.IMailboxes, store.mailboxes),
                (interfaces.ILedger, store.ledger),
                (interfaces.IQueue, store.queue),
                (interfaces.IDirectoryStore, store.directory),
                (interfaces.IEventLog, store.events),
                (interfaces.ISettings, store.settings),
                (interfaces.IMemory, store.memory),
                (interfaces.IPrintJobs, store.print_jobs),
                (interfaces.IPrintSets, store.print_sets),
                (interfaces.INotifier, store.notifier),
                (interfaces.IBodySink, store.new_body()),
                (interfaces.IBody, await place.body(b"x")),
                (interfaces.IMaildrop, await place.drop(place.andrew)),
            ]
            for interface, part in parts:
                assert verifyObject(interface, part)

    async def test_closing_twice_is_harmless(self, store_factory: StoreFactory) -> None:
        """Close is idempotent."""
        store = store_factory()
        await store.open()
        await store.close()
        await store.close()


class BodyContract:
    """Octets in are octets out."""

    @pytest.mark.parametrize("size", [0, 1, 65_536, 65_537, 700_001])
    async def test_octets_come_back(self, store_factory: StoreFactory, size: int) -> None:
        """A body of any size is stored and read unchanged, with its facts."""
        async with office(store_factory) as place:
            data = (HEADER + b"0123456789abcde\r\n" * (size // 17 + 1))[:size]
            result = await place.deliver("1", [place.andrew], data=data)
            drop = await place.drop(place.andrew)
            body = await drop.body(result.uids[place.andrew.id])
            assert body.size == size
            assert body.digest == sha256(data).digest()
            assert await whole(body) == data
            assert await body.read(size, 10) == b""

    async def test_header_length_and_content_digest(self, store_factory: StoreFactory) -> None:
        """The header ends after the first empty line; trailing white space is no part of the content's digest."""
        async with office(store_factory) as place:
            one = await place.body(HEADER + b"hello \r\nyou\r\n")
            two = await place.body(b"A: b\r\n\r\nhello \r\nyou \r\n\r\n\r\n")
            none = await place.body(b"A: b\r\nno empty line")
            assert one.header_length == len(HEADER)
            assert await one.header() == HEADER
            assert await one.header(5) == HEADER[:5]
            assert one.content_digest == two.content_digest == sha256(b"hello \r\nyou").digest()
            assert none.header_length == none.size

    async def test_a_spent_sink_takes_nothing(self, store_factory: StoreFactory) -> None:
        """After finish or abort a sink refuses; abort twice is harmless."""
        async with office(store_factory) as place:
            sink = place.store.new_body()
            sink.write(b"x")
            sink.abort()
            sink.abort()
            with pytest.raises(MailshareError):
                sink.write(b"y")


class DeliveryContract:
    """All of a delivery, or nothing."""

    async def test_one_body_many_entries(self, store_factory: StoreFactory) -> None:
        """Each mailbox gets an entry with its own prefix; counters follow."""
        async with office(store_factory) as place:
            result = await place.deliver("1", [place.andrew, place.greg], prefix=b"Delivered-To: x\r\n")
            assert set(result.uids) == {place.andrew.id, place.greg.id}
            drop = await place.drop(place.andrew)
            uid = result.uids[place.andrew.id]
            expected = b"Delivered-To: x\r\n" + HEADER + b"hello\r\n"
            assert await place.content(drop, uid) == expected
            assert (drop.count, drop.octets) == (1, len(expected))
            uids, sizes = await drop.snapshot()
            assert (list(uids), list(sizes)) == ([uid], [len(expected)])
            counts = {one.user_id: one for one in await place.store.mailboxes.counts()}
            assert counts[place.greg.id].messages == counts[place.greg.id].unread == 1
            assert await place.store.verify(deep=True) == []

    async def test_found_by_trace_and_message_id(self, store_factory: StoreFactory) -> None:
        """A stored message is found by either, and read by its id."""
        async with office(store_factory) as place:
            result = await place.deliver("ab", [place.andrew])
            trace = "ab".rjust(16, "0")
            for wanted in (trace, "<one@out.example>", "one@out.example"):
                assert [row[0] for row in await place.store.find(wanted)] == [result.message_id]
            found = await place.store.message(result.message_id)
            assert found is not None
            assert found[1:] == (trace, NOW)
            assert await place.store.find("nobody") == []
            assert await place.store.message(10**9) is None

    async def test_unknown_mailbox_stores_nothing(self, store_factory: StoreFactory) -> None:
        """A target without mailbox refuses the whole delivery, ledger row and events included."""
        async with office(store_factory) as place:
            key = bookmark(place.account, "u1")
            with pytest.raises(Unavailable):
                await place.deliver(
                    "1",
                    [place.andrew, User(999, "x")],
                    ledger=key,
                    hops=[place.hop("a@b.example")],
                    events=[Event(NOW, "k")],
                )
            assert await place.store.ledger.known(place.account.id) == {}
            assert await place.store.queue.items() == []
            assert await place.store.events.page(since=0, until=NOW * 2) == []
            assert (await place.drop(place.andrew)).count == 0

    async def test_duplicates_within_a_fortnight(self, store_factory: StoreFactory) -> None:
        """A mailbox takes a key once in 14 days; another mailbox takes it; the suppression is logged with the first."""
        async with office(store_factory) as place:
            key = b"k" * 32
            await place.deliver("1", [place.andrew], key=key)
            second = await place.deliver("2", [place.andrew, place.greg], key=key, at=NOW + DAY)
            assert second.suppressed == (place.andrew.id,)
            assert set(second.uids) == {place.greg.id}
            events = await place.store.events.page(since=0, until=NOW * 2)
            assert [(event.kind, event.user_id, event.data) for _, event in events] == [
                ("deliver.duplicate", place.andrew.id, {"of": "1".rjust(16, "0")})
            ]
            third = await place.deliver("3", [place.andrew], key=key, at=NOW + 15 * DAY)
            assert third.suppressed == ()

    async def test_a_bound_is_kept_in_the_transaction(self, store_factory: StoreFactory) -> None:
        """What would pass the bound of a mailbox is stored nowhere; a copy that the mailbox has already passes."""
        async with office(store_factory) as place:
            bounds, key = {place.andrew.id: Quota(messages=1)}, b"k" * 32
            await place.deliver("1", [place.andrew], key=key, bounds=bounds)
            with pytest.raises(MailboxFull) as full:
                await place.deliver("2", [place.greg, place.andrew], hops=[place.hop("a@b.example")], bounds=bounds)
            assert full.value.user_id == place.andrew.id
            assert (await place.drop(place.greg)).count == 0
            assert await place.store.queue.items() == []
            assert (await place.deliver("3", [place.andrew], key=key, bounds=bounds)).suppressed == (place.andrew.id,)
            assert len((await place.deliver("4", [place.andrew])).uids) == 1
            octets = {place.greg.id: Quota(octets=len(HEADER) + 10)}
            assert len((await place.deliver("5", [place.greg], bounds=octets)).uids) == 1
            with pytest.raises(MailboxFull):
                await place.deliver("6", [place.greg], bounds=octets)

    async def test_together_or_not_at_all(self, store_factory: StoreFactory) -> None:
        """Several are stored in their order, each by its own bookmark; if one cannot be, none is."""
        async with office(store_factory) as place:
            key = bookmark(place.account, "u1")
            await place.deliver("1", [place.andrew], ledger=key)
            body = await place.body(HEADER + b"hello\r\n")

            def ready(trace: str, uid: str, user: User) -> object:
                account, key = place.account, bookmark(place.account, uid)
                origin = Origin(Source.COLLECT, trace.rjust(16, "0"), account_id=account.id, ledger=key)
                made = place.store.delivery.ready(
                    Envelope(None), body, origin, [Target(user.id, "tag")], at=NOW, headers=Headers.parse(HEADER)
                )
                assert made is not None
                return made

            lot = [ready("2", "u1", place.andrew), ready("3", "u2", place.andrew), ready("4", "u3", place.greg)]
            with pytest.raises(Unavailable):
                await place.store.delivery.deliver_together([*lot, ready("5", "u4", User(999, "x"))])
            assert set(await place.store.ledger.known(place.account.id)) == {"u1"}
            results = await place.store.delivery.deliver_together(lot)
            assert [result.already for result in results] == [True, False, False]
            rows = await place.store.ledger.known(place.account.id)
            assert [rows[uid].message_id for uid in ("u2", "u3")] == [result.message_id for result in results[1:]]
            assert [(await place.drop(user)).count for user in (place.andrew, place.greg)] == [2, 1]

    async def test_sent_marks(self, store_factory: StoreFactory) -> None:
        """Who sent a Message-ID is remembered; the first sender keeps it."""
        async with office(store_factory) as place:
            mine = SentMark("<m@office.example>", place.andrew.id, place.account.id)
            await place.deliver("1", [place.greg], sent=mine)
            await place.deliver("2", [place.greg], sent=evolve(mine, user_id=place.greg.id))
            known = await place.store.memory.who_sent(["<m@office.example>", "<other@x>"])
            assert known == {"<m@office.example>": mine}


class WorkListContract:
    """An administrator looks into a mailbox and gives mail to its owner."""

    async def test_entries_newest_first(self, store_factory: StoreFactory) -> None:
        """A list shows each entry with what is known of its message, in pages, and takes no lock."""
        async with office(store_factory) as place:
            for number in range(3):
                await place.deliver(str(number), [place.andrew], prefix=b"X-A: b\r\n", at=NOW + number)
            drop = await place.drop(place.andrew)
            await drop.commit([], [1])
            found = await place.store.mailboxes.entries(place.andrew.id)
            assert [one.message.trace[-1] for one in found] == ["2", "1", "0"]
            assert [one.retrieved for one in found] == [False, False, True]
            last = found[0]
            assert (last.prefix, last.size) == (b"X-A: b\r\n", 8 + last.message.size)
            assert last.message.fields["from"] == "Ann <ann@out.example>"
            assert (last.message.source.value, last.message.account_id) == ("collect", place.account.id)
            assert str(last.message.sender) == "ann@out.example"
            assert [str(one) for one in last.message.recipients] == ["mail@office.example"]
            older = await place.store.mailboxes.entries(place.andrew.id, before_uid=last.uid, limit=1)
            assert [one.uid for one in older] == [found[1].uid]

    async def test_given_away_whole(self, store_factory: StoreFactory) -> None:
        """The entry moves with a prefix of its own; the body stays one; the event has the trace."""
        async with office(store_factory) as place:
            first = await place.deliver("ab", [place.andrew], prefix=b"X-Mailshare-Reason: no-name\r\n")
            event = Event(NOW, "admin.gave", user_id=place.greg.id)
            target = Target(place.greg.id, "given", b"Delivered-To: greg\r\n")
            uid = first.uids[place.andrew.id]
            made = await place.store.mailboxes.give(place.andrew.id, uid, [target], at=NOW, events=[event])
            drop = await place.drop(place.greg)
            assert (await place.content(drop, made[place.greg.id])).startswith(b"Delivered-To: greg\r\nFrom: Ann")
            assert await place.store.mailboxes.entries(place.andrew.id) == []
            counts = {one.user_id: one for one in await place.store.mailboxes.counts()}
            assert (counts[place.andrew.id].messages, counts[place.andrew.id].unread) == (0, 0)
            assert (counts[place.greg.id].messages, counts[place.greg.id].unread) == (1, 1)
            (row,) = await place.store.events.page(since=0, until=NOW * 2, trace="ab".rjust(16, "0"))
            assert (row[1].kind, row[1].message_id) == ("admin.gave", first.message_id)
            assert await place.store.verify(deep=True) == []
            with pytest.raises(NoSuchEntry):
                await place.store.mailboxes.give(place.andrew.id, uid, [target], at=NOW)

    async def test_given_or_not_at_all(self, store_factory: StoreFactory) -> None:
        """Without one of the mailboxes nothing moves and nothing is logged."""
        async with office(store_factory) as place:
            first = await place.deliver("1", [place.andrew])
            targets = [Target(place.greg.id, "given"), Target(999, "given")]
            with pytest.raises(Unavailable):
                await place.store.mailboxes.give(
                    place.andrew.id, first.uids[place.andrew.id], targets, at=NOW, events=[Event(NOW, "k")]
                )
            assert len(await place.store.mailboxes.entries(place.andrew.id)) == 1
            assert await place.store.mailboxes.entries(place.greg.id) == []
            assert await place.store.events.page(since=0, until=NOW * 2) == []

    async def test_who_was_given_a_mail_does_not_get_it_twice(self, store_factory: StoreFactory) -> None:
        """Neither a second copy of an entry he has, nor the same mail when it comes again; a session goes on."""
        async with office(store_factory) as place:
            key = b"k" * 32
            first = await place.deliver("1", [place.andrew], key=key)
            drop = await place.drop(place.andrew)
            uid = first.uids[place.andrew.id]
            target = Target(place.greg.id, "given")
            await place.store.mailboxes.give(place.andrew.id, uid, [target], at=NOW)
            with pytest.raises(Unavailable):
                await drop.body(uid)
            assert await drop.commit([uid]) == 0
            assert (await place.deliver("2", [place.greg], key=key)).suppressed == (place.greg.id,)
            both = await place.deliver("3", [place.andrew, place.greg])
            assert await place.store.mailboxes.give(place.andrew.id, both.uids[place.andrew.id], [target], at=NOW) == {}
            assert len(await place.store.mailboxes.entries(place.greg.id)) == 2
            assert await place.store.verify() == []

    async def test_what_is_given_may_go_on_to_the_outside(self, store_factory: StoreFactory) -> None:
        """Queue rows come with the entries or not at all; what a user had sent on before is not queued again."""
        async with office(store_factory) as place:
            key = b"k" * 32
            hop = evolve(place.hop("greg@home.example"), params={"forward_for": place.greg.id})
            first = await place.deliver("1", [place.andrew], key=key)
            uid, store = first.uids[place.andrew.id], place.store
            with pytest.raises(Unavailable):
                await store.mailboxes.give(place.andrew.id, uid, [Target(999, "given")], [hop], at=NOW)
            assert await store.queue.items() == []
            await store.mailboxes.give(place.andrew.id, uid, [], [hop], at=NOW, expires=NOW + DAY)
            (row,) = await store.queue.items()
            assert (row.address, row.message_id, row.expires) == ("greg@home.example", first.message_id, NOW + DAY)
            assert str(row.sender) == "ann@out.example"
            assert await store.mailboxes.entries(place.greg.id) == []
            again = await place.deliver("2", [place.andrew], key=b"o" * 32)
            await place.deliver("3", [place.greg], key=b"o" * 32)
            await store.mailboxes.give(place.andrew.id, again.uids[place.andrew.id], [], [hop], at=NOW)
            assert len(await store.queue.items()) == 1
            assert (await place.deliver("4", [place.greg], key=key)).suppressed == (place.greg.id,)

    async def test_recent_messages(self, store_factory: StoreFactory) -> None:
        """The last messages come newest first, of one account when asked."""
        async with office(store_factory) as place:
            for number in range(3):
                await place.deliver(str(number), [place.andrew], at=NOW + number)
            found = await place.store.recent(2)
            assert [(one.trace[-1], one.received) for one in found] == [("2", NOW + 2), ("1", NOW + 1)]
            assert await place.store.recent(9, account_id=99) == []
            assert len(await place.store.recent(9, account_id=place.account.id)) == 3


class LedgerContract:
    """The fence against double delivery."""

    async def test_the_same_upstream_message_is_stored_once(self, store_factory: StoreFactory) -> None:
        """A second delivery with the same bookmark does nothing and says so."""
        async with office(store_factory) as place:
            key = bookmark(place.account, "u1")
            first = await place.deliver("1", [place.andrew], ledger=key)
            second = await place.deliver("2", [place.andrew], ledger=key, hops=[place.hop("a@b.example")])
            assert (second.already, second.message_id) == (True, 0)
            assert (await place.drop(place.andrew)).count == 1
            assert await place.store.queue.items() == []
            row = (await place.store.ledger.known(place.account.id))["u1"]
            assert (row.state, row.message_id, row.first_seen) == (LedgerState.DELETE, first.message_id, NOW)

    async def test_a_reused_uidl_is_new_mail(self, store_factory: StoreFactory) -> None:
        """The same uidl with another header digest is delivered."""
        async with office(store_factory) as place:
            await place.deliver("1", [place.andrew], ledger=bookmark(place.account, "u1"))
            again = await place.deliver("2", [place.andrew], ledger=bookmark(place.account, "u1", b"e" * 32))
            assert not again.already

    async def test_a_reused_uidl_with_an_equal_header_is_new_mail(self, store_factory: StoreFactory) -> None:
        """Another size is another message, whatever the header says; an unknown size tells nothing."""
        async with office(store_factory) as place:
            key = bookmark(place.account, "u1")
            await place.deliver("1", [place.andrew], ledger=key)
            assert (await place.deliver("2", [place.andrew], ledger=evolve(key, size=0))).already
            assert not (await place.deliver("3", [place.andrew], ledger=evolve(key, size=101))).already

    async def test_refused_rows_may_be_delivered_later(self, store_factory: StoreFactory) -> None:
        """A skipped message can still be fetched; a delivered one cannot be refused any more."""
        async with office(store_factory) as place:
            key = bookmark(place.account, "big")
            await place.store.delivery.refuse(key, LedgerState.SKIPPED, "too large", NOW)
            await place.store.delivery.refuse(key, LedgerState.SKIPPED, "too large", NOW + 1)
            row = (await place.store.ledger.known(place.account.id))["big"]
            assert (row.state, row.attempts, row.error) == (LedgerState.SKIPPED, 2, "too large")
            await place.store.delivery.refuse(key, LedgerState.POISON, "broken", NOW + 2)
            row = (await place.store.ledger.known(place.account.id))["big"]
            assert (row.state, row.attempts, row.error) == (LedgerState.POISON, 1, "broken")
            assert not (await place.deliver("1", [place.andrew], ledger=key)).already
            await place.store.delivery.refuse(key, LedgerState.POISON, "late", NOW)
            assert (await place.store.ledger.known(place.account.id))["big"].state is LedgerState.DELETE

    async def test_mark_rekey_prune(self, store_factory: StoreFactory) -> None:
        """States change, ids may be swapped, and rows leave only when a listing lacks them and they are old."""
        async with office(store_factory) as place:
            ledger = place.store.ledger
            for number, uidl in enumerate("abc"):
                await place.deliver(str(number), [place.andrew], ledger=bookmark(place.account, uidl), at=NOW + number)
            await ledger.mark(place.account.id, ["a", "nobody"], LedgerState.GONE, NOW)
            await ledger.rekey(place.account.id, {"a": "b", "b": "a"})
            known = await ledger.known(place.account.id)
            assert {uidl: row.state.name for uidl, row in known.items()} == {"a": "DELETE", "b": "GONE", "c": "DELETE"}
            assert await ledger.adopt(place.account.id, {"a": 1, "old": NOW + 5}, "fetched by x") == 1
            adopted = (await ledger.known(place.account.id))["old"]
            assert (adopted.state, adopted.key.size, adopted.key.digest) == (LedgerState.KEPT, 0, b"")
            assert (adopted.first_seen, adopted.error, adopted.message_id) == (NOW + 5, "fetched by x", None)
            assert await ledger.prune(place.account.id, ["a", "old"], NOW + 2) == 1
            assert set(await ledger.known(place.account.id)) == {"a", "c", "old"}


class MailboxContract:
    """RFC 1939: exclusive, lasting ids, deletion all together."""

    async def test_exclusive_until_released(self, store_factory: StoreFactory) -> None:
        """A second session is refused; release is idempotent."""
        async with office(store_factory) as place:
            drop = await place.drop(place.andrew)
            with pytest.raises(MailboxInUse):
                await place.drop(place.andrew)
            await place.drop(place.greg)
            drop.release()
            drop.release()
            await place.drop(place.andrew)

    async def test_deletion_and_uids(self, store_factory: StoreFactory) -> None:
        """Deleted entries are gone, counters follow, uids and UIDLs never come back, unread means not retrieved."""
        async with office(store_factory) as place:
            uids = [(await place.deliver(str(n), [place.andrew])).uids[place.andrew.id] for n in range(4)]
            drop = await place.drop(place.andrew)
            names = [drop.uidl(uid) for uid in uids]
            assert len(set(names)) == 4
            assert all(1 <= len(name) <= 33 and all(0x21 <= ord(char) <= 0x7E for char in name) for name in names)
            assert await drop.commit(uids[2:], uids[:1]) == 2
            with pytest.raises(Unavailable):
                await drop.body(uids[3])
            drop.release()
            counts = {one.user_id: one for one in await place.store.mailboxes.counts()}[place.andrew.id]
            assert (counts.messages, counts.unread) == (2, 1)
            newer = (await place.deliver("9", [place.andrew])).uids[place.andrew.id]
            assert newer > uids[3]
            again = await place.drop(place.andrew)
            assert [again.uidl(uid) for uid in (await again.snapshot())[0]] == [*names[:2], again.uidl(newer)]
            assert await place.store.verify() == []

    async def test_mail_during_a_session_waits_for_the_next(self, store_factory: StoreFactory) -> None:
        """A session sees the mailbox as it was when it was locked."""
        async with office(store_factory) as place:
            await place.deliver("1", [place.andrew])
            drop = await place.drop(place.andrew)
            await place.deliver("2", [place.andrew])
            assert (drop.count, len((await drop.snapshot())[0])) == (1, 1)
