"""The middle and the provider's side of an office: door, router, queue, relay, collector, timetable."""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import tzinfo
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from zope.interface import implementer

from mailshare.assembly.clock_watch import ClockWatch
from mailshare.assembly.opening import zone_of
from mailshare.assembly.randomness import TOKENS
from mailshare.assembly.run_recorder import RunRecorder
from mailshare.assembly.shapes import moment
from mailshare.config import Config
from mailshare.core.headers import Headers
from mailshare.core.quick_looks import Pace, Stir
from mailshare.core.retry import RetryRule
from mailshare.core.values import SECOND, Account, Origin, QueueState, Source
from mailshare.delivery.agents import Agents
from mailshare.delivery.answers import Answers
from mailshare.delivery.intake import Intake
from mailshare.delivery.moments import micros
from mailshare.delivery.public_rate import PublicRate
from mailshare.delivery.queue import QueueRules, QueueRunner
from mailshare.delivery.quotas import Quotas
from mailshare.delivery.reports import Reports
from mailshare.delivery.router import Router
from mailshare.delivery.submission import Desk, SubmissionRules
from mailshare.interfaces import IAgent, ICollecting, IGateway, IStore
from mailshare.isp.collect import Collector, words
from mailshare.isp.listening import Listening
from mailshare.isp.notices import Notices
from mailshare.isp.probing import Probe
from mailshare.isp.provider_watch import ProviderWatch
from mailshare.isp.relay import Relay
from mailshare.isp.secrets import SealingKey, Secrets
from mailshare.isp.sign_on import Doors
from mailshare.isp.tag_test import TagTest
from mailshare.isp.timetable import Timetable, account_zone
from mailshare.isp.watching import Watching
from mailshare.isp.weekly_look import WeeklyLook
from mailshare.shell.client import Deadlines
from mailshare.status import RunStatus
from mailshare.wire.pop3_client_replies import POP3Limits
from mailshare.wire.smtp_client_lines import SMTPLimits


@implementer(ICollecting)
class MailRoom:
    """The parts between the local servers and the provider, over an open store.

    :param aside: work that would hold up the reactor.
    :param changed: called with an account's id when its status changed.
    :param tell: is told in words what was collected and sent.
    :param agents: further agents of the queue.
    :param gateways: take recipients that are handed on otherwise than as mail; may change while the server runs.
    """

    _log = Logger()

    def __init__(
        self,
        store: IStore,
        reactor: Any,
        config: Config,
        *,
        key: SealingKey,
        aside: Any,
        changed: Callable[[int], None],
        tell: Callable[[str], None],
        agents: Sequence[IAgent] = (),
        gateways: Sequence[IGateway] = (),
    ) -> None:
        self._gateways = gateways
        self._store = store
        self._tell = tell
        self._sent: dict[int, Mapping[str, int]] = {}
        self.seen: list[Callable[[int, Headers], None]] = []
        self.collected: list[Callable[[int, Headers], None]] = []
        self.secrets = Secrets(
            store.directory, environment=os.environ, base=config.directory, key=key, reactor=reactor
        )
        doors = provider_doors(config, reactor, self.secrets)
        limits = config.tables.limits
        self.recorder = RunRecorder(store, reactor)
        retry = retry_rule(config)
        self._door(config, reactor, aside, retry)
        self._fetching(config, reactor, doors, changed)
        zone = zone_of(config)
        self.relay = Relay(
            store,
            self.intake,
            evolve(doors, steps=self.recorder.sending),
            refusals=limits.login_refusals,
            refused_pause=limits.login_refused_pause,
            zone=lambda account: account_zone(account, zone),
            changed=changed,
            reopened=lambda account_id: self._soon(self.try_again(account_id)),
        )
        self.queue = QueueRunner(store, Agents([self.relay, *agents]), self.reports, reactor, QueueRules(retry))
        self._clock = lambda: micros(reactor)
        self.clock_watch = ClockWatch(reactor, self._clock_jumped)
        self._timing(reactor, zone, changed)
        rules = submission_rules(config)
        self.desk = Desk(store, self.intake, reactor, TOKENS, rules, aside, self.quotas, self.relay.largest, gateways)

    async def open(self) -> None:
        """Read what sending remembers, and follow the directory from now on."""
        await self.relay.load()
        self._store.directory.watch(lambda _: self._soon(self.relay.recheck()))

    def _door(self, config: Config, reactor: Any, aside: Any, retry: RetryRule) -> None:
        """What everything comes in by, and what mailboxes do with it by themselves."""
        self.reports = Reports(self._store, reactor, TOKENS)
        self.public_rate = PublicRate(lambda: micros(reactor))
        self.quotas = Quotas(self._store, reactor, self.reports)
        self.intake = Intake(
            self._store,
            Router(self.public_rate, self._gateways),
            reactor,
            self.reports,
            aside,
            forecast=Router(),
            give_up_after=retry.give_up_after,
            hurry=lambda account_id: self.timetable.arrived(account_id, urgent=True),
            seen=self._seen,
            quotas=self.quotas,
            answers=Answers(self._store, reactor, zone_of(config), TOKENS),
        )

    def _fetching(self, config: Config, reactor: Any, doors: Doors, changed: Callable[[int], None]) -> None:
        """What goes to the provider's mailbox: the collector, what learns from its mail, and who only looks."""
        limits = config.tables.limits
        self.watch = ProviderWatch(self._store, Notices(self._store, self.intake, doors), lambda: micros(reactor))
        self.tag_test = TagTest(self._store, lambda: micros(reactor), os.urandom, config.tables.server.hostname)
        collected = collecting_limits(config)
        self.probe = Probe(doors, collected)
        self.doors, self.limits = doors, collected
        self.watching = Watching(doors)
        self.collector = Collector(
            self._store,
            self.intake,
            evolve(doors, steps=self.recorder.fetching),
            run_seconds=limits.client_run,
            refusals=limits.login_refusals,
            refused_pause=limits.login_refused_pause,
            limits=collected,
            changed=changed,
            first_look=self.watch.first_look,
        )
        self.weekly = WeeklyLook(self._store, self.probe, self.watch, self.collector, reactor)

    def _timing(self, reactor: Any, zone: tzinfo, changed: Callable[[int], None]) -> None:
        """When all of it is done, and who hears of new mail in between."""
        self.listening = Listening(
            self._store,
            self.watching,
            reactor,
            collect=self._news,
            run=self.collector.status,
            refused=self.collector.refused,
            not_before=self.collector.not_before,
            paused=lambda: self.timetable.paused,
            zone=lambda account: account_zone(account, zone),
            random=_share,
            changed=changed,
        )
        self.timetable = Timetable(
            self._store,
            self,
            self.flush,
            reactor,
            random=_share,
            relay=self.relay,
            zone=zone,
            watch=self.clock_watch.check,
            listening=self.listening,
        )

    async def _news(self, account_id: int) -> bool:
        """The provider told of new mail."""
        return await self.timetable.news(account_id)

    def _seen(self, message_id: int, headers: Headers, origin: Origin) -> None:
        """The door has stored a message."""
        if origin.source is Source.COLLECT and origin.account_id is not None:
            self.watch.seen(origin.account_id, headers)
            self.tag_test.seen(origin.account_id, headers)
            for tell in self.collected:
                tell(origin.account_id, headers)
        for call in self.seen:
            call(message_id, headers)

    def follow(self, config: Config) -> None:
        """Take over what a changed configuration says about mail that is handed in, and passwords that are new."""
        self.desk.rules = submission_rules(config)
        self._soon(self.relay.recheck())

    def _soon(self, work: Coroutine[Any, Any, object]) -> None:
        """Do it; nobody waits for it, so a fault is logged."""
        done = Deferred.fromCoroutine(work)
        done.addErrback(lambda failure: self._log.warn("{reason}", reason=failure.getErrorMessage()))

    async def try_again(self, account_id: int) -> int:
        """Use an account's ways out again and send all that waits for them now; returns how many rows were waiting."""
        self.relay.reopen(account_id)
        count = await self.bring_forward(account_id)
        self.timetable.arrived(account_id, urgent=True)
        return count

    def _clock_jumped(self, jump: int) -> None:
        """Waits stay as long as they are; after a jump back the outbox, whose times are too late now, is tried."""
        self.timetable.clock_jumped(jump)
        self.listening.clock_jumped(jump)
        if jump < 0:
            self._soon(self.bring_forward())

    async def bring_forward(self, account_id: int | None = None) -> int:
        """Let all mail that waits for its next try be due now, of one account or of all; returns how many rows."""
        now, ids, before = self._clock(), [], None
        while rows := await self._store.queue.items(agent="relay", account_id=account_id, before_id=before):
            before = rows[-1].id
            ids += [row.id for row in rows if row.state is QueueState.QUEUED and row.next_at > now]
        return await self._store.queue.steer(ids, "retry", now) if ids else 0

    async def flush(self, account_id: int) -> Mapping[str, int]:
        """Try an account's outbox; the timetable calls this."""
        sent = await self.queue.flush(account_id)
        self._sent[account_id] = sent
        if sent.get("delivered"):
            self.timetable.stirred(account_id, Stir.SENT)
        account = self._store.directory.current().account_by_id.get(account_id)
        if account is not None and sent:
            self._tell(f"{account.address}: sent {outcomes(sent)}")
        return sent

    async def collect(self, account: Account, cause: str = "") -> Mapping[str, int]:
        """One run, as :class:`mailshare.interfaces.ICollecting`; what came is told in words."""
        counts = await self.collector.collect(account, cause)
        await self.watch.settle(account.id)
        await self.tag_test.settle(account.id)
        status = self.collector.status(account.id)
        if counts:
            self._tell(f"{account.address}: {words(counts, status.messages)}")
        elif status.error:
            self._tell(f"{account.address}: {status.error}")
        return counts

    def status(self, account_id: int) -> RunStatus:
        """How collecting went last."""
        return self.collector.status(account_id)

    def not_before(self, account_id: int) -> int:
        """No run may start earlier."""
        return self.collector.not_before(account_id)

    def pace(self, account_id: int) -> Pace:
        """How often the provider may be asked between two runs."""
        return self.collector.pace(account_id)

    def mailbox_opened(self, user: str, peer: str) -> None:
        """A mail program opened somebody's mailbox here."""
        self.timetable.mailbox_opened(user, peer)

    async def send_receive(self, account: Account, by: str = "") -> Mapping[str, object]:
        """Collect and send one account's mail now; its steps are kept.

        :param by: who asks for it.
        :returns: ``collected`` by user name, ``messages``, ``sent`` by outcome, ``error``, and ``text`` for a person.
        """
        self.relay.reopen(account.id)
        self.collector.reopen(account.id)
        self.listening.hurry(account.id)
        self._sent.pop(account.id, None)
        self.recorder.begin(account, by, collecting=self.collector.status(account.id).running)
        try:
            answer = await self._asked(account)
        except BaseException:
            await self.recorder.end(account, "", "Stopped here")
            raise
        await self.recorder.end(account, str(answer["text"]), str(answer["error"]))
        return answer

    async def _asked(self, account: Account) -> Mapping[str, object]:
        floor = self.collector.not_before(account.id)
        early = f"the provider allows the next login at {moment(floor)}" if floor > self._clock() else ""
        if early:
            self.recorder.fetching.trouble(account, early)
        before = self.collector.status(account.id).last_try
        collected = await self.timetable.send_receive(account.id)
        sent = self._sent.get(account.id, {})
        both = (early or self.collector.status(account.id).error, self.relay.status(account.id).error)
        error = "; ".join(dict.fromkeys(text for text in both if text))
        status = self.collector.status(account.id)
        # Mail that is only sent on, or was here already, reaches no mailbox and was collected all the same.
        total = status.messages if collected or status.last_try != before else 0
        parts = [words(collected, total) if total else "collected nothing"]
        if sent:
            parts.append(f"sent {outcomes(sent)}")
        if error:
            parts.append(error)
        return {
            "collected": dict(collected),
            "messages": total,
            "sent": dict(sent),
            "error": error,
            "text": "; ".join(parts),
        }

    def stop_collecting(self) -> None:
        """End the sessions with the provider that fetch."""
        for account in self._store.directory.current().accounts:
            self.collector.stop(account.id)


def submission_rules(config: Config) -> SubmissionRules:
    """What the configuration says about mail that is handed in."""
    limits = config.tables.limits
    return SubmissionRules(
        policy=config.tables.server.from_policy,
        max_recipients=limits.recipients,
        max_size=limits.message_size,
        max_header=limits.header_size,
        max_hops=limits.received_hops,
        devices=config.device_rules,
        partners=frozenset(one.casefold() for one in config.tables.fax.partners),
    )


def provider_doors(config: Config, reactor: Any, secrets: Secrets) -> Doors:
    """What signing on at the provider needs, with the deadlines of the configuration."""
    limits = config.tables.limits
    deadlines = Deadlines(
        limits.client_connect,
        limits.client_tls,
        limits.client_greeting,
        limits.client_command,
        limits.client_message,
        limits.client_rate,
    )
    replies = SMTPLimits(line=limits.relay_reply_line, lines=limits.relay_reply_lines)
    hostname = config.tables.server.hostname
    return Doors(reactor, secrets, TOKENS, hostname, deadlines=deadlines, replies=replies)


def collecting_limits(config: Config) -> POP3Limits:
    """What the POP3 engine takes of a provider."""
    limits = config.tables.limits
    return POP3Limits(
        message=limits.collected_size,
        rows=limits.listing_rows,
        status_line=limits.reply_line,
        uid=limits.unique_id,
        capabilities=limits.capabilities,
    )


def retry_rule(config: Config) -> RetryRule:
    """When waiting mail is tried again, told of and given up."""
    limits = config.tables.limits
    return RetryRule(
        first=tuple(one * SECOND for one in limits.retry_first),
        late=limits.retry_last * SECOND,
        warn_after=limits.delay_notice * SECOND,
        give_up_after=limits.give_up * SECOND,
    )


def _share() -> float:
    """A number from 0 to 1."""
    return int.from_bytes(os.urandom(4)) / 2**32


def outcomes(sent: Mapping[str, int]) -> str:
    """``2 delivered, 1 deferred``."""
    return ", ".join(f"{count} {word}" for word, count in sorted(sent.items()))
