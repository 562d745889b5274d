"""Does the provider deliver tagged addresses? A message to ``mail+probe@`` is sent, and comes back or does not.

Where tags work, outgoing mail may carry ``Reply-To: mail+andrew@``, and an answer finds its owner whatever name its
writer's program puts in front.
"""

from __future__ import annotations

from collections.abc import Callable
from email.utils import formatdate

from mailshare.core.address import Address
from mailshare.core.envelope import Envelope, Recipient
from mailshare.core.errors import PolicyRefusal
from mailshare.core.evidence import ENVELOPE_FIELDS
from mailshare.core.headers import Headers
from mailshare.core.people import people_of
from mailshare.core.values import SECOND, Account, AccountMode, Event, Hop, Origin, QueueState, Source
from mailshare.interfaces import IStore

TAG = "probe"
FIELD = "X-Mailshare-Tag-Test"
PATIENCE = 3600 * SECOND
"""What has not come back by then does not come."""
_SCOPE = "tag-test"
_LOST = (QueueState.FAILED, QueueState.EXPIRED, QueueState.CANCELLED)
_FIELDS = ("to", "cc", *ENVELOPE_FIELDS)


class TagTest:
    """Runs tests, one at a time for each account.

    :param now: microseconds UTC.
    """

    def __init__(self, store: IStore, now: Callable[[], int], random: Callable[[int], bytes], hostname: str) -> None:
        self._store = store
        self._now = now
        self._random = random
        self._hostname = hostname
        self._back: dict[int, tuple[str, bool]] = {}

    async def start(self, account: Account) -> None:
        """Put the message into the outbox.

        :raises PolicyRefusal: this account cannot be tested, or needs no test.
        """
        if account.mode is AccountMode.DOMAIN:
            raise PolicyRefusal("In a catch-all every address arrives, so tags work there without a test")
        if account.relay is None or account.collect is None or not account.tag_delimiter:
            raise PolicyRefusal("This account needs a server to send through, one to fetch from, and a tag delimiter")
        now, token, trace = self._now(), self._random(16).hex(), self._random(8).hex()
        local, domain = account.address.local, account.address.domain
        address = Address(f"{local}{account.tag_delimiter}{TAG}", domain)
        sink = self._store.new_body(1000)
        waiting = sink.write(self._message(account, address, token, now))
        if waiting is not None:
            await waiting
        await self._store.settings.put(_SCOPE, str(account.id), {"token": token, "at": now, "trace": trace, "came": ""})
        event = Event(now, "account.tag-test", trace, account.id, data={"to": str(address), "state": "sent"})
        await self._store.delivery.deliver(
            Envelope(account.address, (Recipient(address),)),
            await sink.finish(),
            Origin(Source.REPORT, trace, account_id=account.id),
            (),
            (Hop("relay", str(address), "tag-test", account.id, params={"notify": ["NEVER"]}),),
            (event,),
            at=now,
            expires=now + PATIENCE,
        )

    def _message(self, account: Account, address: Address, token: str, now: int) -> bytes:
        return (
            f"Date: {formatdate(now / SECOND, localtime=False)}\r\n"
            f"From: {account.address}\r\n"
            f"To: {address}\r\n"
            f"Subject: mailshare tests tagged addresses ({token[:8]})\r\n"
            f"Message-ID: <{token}@{self._hostname}>\r\n"
            f"{FIELD}: {token}\r\n"
            "Auto-Submitted: auto-generated\r\n\r\n"
            f"If you can read this, mail to {address} arrives. It may be deleted.\r\n"
        ).encode()

    def seen(self, account_id: int, headers: Headers) -> None:
        """A collected message was stored; perhaps it is the one."""
        token = headers.first(FIELD)
        sharers = people_of(self._store.directory.current()).sharers.get(account_id)
        if token and sharers is not None:
            boxes = [box.address for name in _FIELDS for box in headers.mailboxes(name)]
            tagged = any(sharers.own_address(one) == (True, TAG) for one in boxes)
            self._back[account_id] = (token.strip(), tagged)

    async def settle(self, account_id: int) -> None:
        """After a run: if the message came back, note what that says."""
        back = self._back.pop(account_id, None)
        row = await self._store.settings.get(_SCOPE, str(account_id)) if back is not None else None
        if back is None or row is None or not isinstance(row[0], dict) or row[0].get("token") != back[0]:
            return
        await self._note(account_id, dict(row[0]), "with the tag" if back[1] else "without the tag", works=back[1])

    async def state(self, account: Account) -> str:
        """``works``, ``does not``, ``waiting``, or ``never`` tested. A refusal, or an hour, settles it."""
        row = await self._store.settings.get(_SCOPE, str(account.id))
        if row is None or not isinstance(row[0], dict):
            return "never"
        test = dict(row[0])
        if test.get("came"):
            return "works" if test["came"] == "with the tag" else "does not"
        items = await self._store.queue.items(agent="relay", account_id=account.id, open_only=False)
        refused = any(one.trace == test.get("trace") and one.state in _LOST for one in items)
        if refused or self._now() - int(str(test.get("at", 0))) >= PATIENCE:
            await self._note(account.id, test, "refused" if refused else "not at all", works=False)
            return "does not"
        return "waiting"

    async def _note(self, account_id: int, test: dict[str, object], came: str, *, works: bool) -> None:
        account = self._store.directory.current().account_by_id.get(account_id)
        if account is None:
            return
        await self._store.settings.put(_SCOPE, str(account_id), {**test, "came": came})
        data: dict[str, object] = {"state": "works" if works else "does not", "came": came}
        event = Event(self._now(), "account.tag-test", str(test.get("trace", "")), account_id, data=data)
        await self._store.directory.learn(account_id, {**account.found, "tags_work": works}, [event])
