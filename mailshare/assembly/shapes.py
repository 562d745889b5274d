"""Values of the server as JSON for the API and the commands; times go out as UTC text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from attrs import asdict

from mailshare.assembly.outbox_choice import waits_for
from mailshare.config.timetable import write_window
from mailshare.core.servers import format_server
from mailshare.core.values import SECOND, Account, Directory, MailboxCount, QueueItem, User
from mailshare.status import AccountStatus, Indicators, NewsStatus, RunStatus


def moment(at: int) -> str:
    """Microseconds UTC as ``2026-11-21T11:53:06Z``; empty for 0, which is "never"."""
    return datetime.fromtimestamp(at // SECOND, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if at else ""


def user_json(user: User, directory: Directory) -> dict[str, object]:
    """A user; accounts by address and cc by name."""
    return {
        "name": user.name,
        "kind": user.kind.value,
        "enabled": user.enabled,
        "names": list(user.names),
        "accounts": [str(directory.account_by_id[one].address) for one in user.accounts],
        "cc": [directory.user_by_id[one].name for one in user.cc],
        "local_only": user.local_only,
        "quota": user.quota.octets,
        "quota_messages": user.quota.messages,
        "forward": [str(address) for address in user.forward],
        "forward_keep": user.forward_keep,
        "managed_by": user.managed_by,
    }


def account_json(account: Account) -> dict[str, object]:
    """An account without its secret."""
    return {
        "number": account.number,
        "address": str(account.address),
        "mode": account.mode.value,
        "enabled": account.enabled,
        "domains": list(account.domains),
        "aliases": [str(alias) for alias in account.aliases],
        "tag_delimiter": account.tag_delimiter,
        "collect": format_server(account.collect) if account.collect else "",
        "relay": format_server(account.relay) if account.relay else "",
        "timetable": [write_window(window) for window in account.timetable],
        "zone": account.zone,
        "threshold": account.threshold,
        "hold_outside": account.hold_outside,
        "leave_on_server_days": account.leave_days,
        "ambiguous": account.ambiguous,
        "options": dict(account.options),
        "found": dict(account.found),
        "managed_by": account.managed_by,
    }


def queue_json(item: QueueItem, directory: Directory) -> dict[str, object]:
    """A row of the outbox."""
    account = directory.account_by_id.get(item.account_id or 0)
    user = directory.user_by_id.get(item.submitter_id or 0)
    return {
        "id": item.id,
        "trace": item.trace,
        "state": item.word,
        "agent": item.agent,
        "from": str(item.sender) if item.sender else "<>",
        "user": user.name if user else "",
        "to": item.address,
        "account": str(account.address) if account else "",
        "size": item.size,
        "attempts": item.attempts,
        "queued": moment(item.queued),
        "next": moment(item.next_at),
        "expires": moment(item.expires),
        "code": item.code,
        "status": item.status,
        "reply": item.reply,
        "why": waits_for(item),
    }


def mailbox_json(count: MailboxCount, directory: Directory) -> dict[str, object]:
    """Totals of a mailbox."""
    user = directory.user_by_id.get(count.user_id)
    return {
        "user": user.name if user else f"(former user {count.user_id})",
        "messages": count.messages,
        "octets": count.octets,
        "unread": count.unread,
    }


def run_json(run: RunStatus) -> dict[str, object]:
    """What one direction of an account did last."""
    return {
        "running": run.running,
        "paused": run.paused,
        "last_try": moment(run.last_try),
        "last_ok": moment(run.last_ok),
        "next_try": moment(run.next_try),
        "error": run.error,
        "note": run.note,
        "messages": run.messages,
    }


def news_json(news: NewsStatus) -> dict[str, object]:
    """How listening for new mail goes."""
    return {"since": moment(news.since), "error": news.error, "next_try": moment(news.next_try)}


def status_json(
    indicators: Indicators,
    accounts: Sequence[AccountStatus],
    more: Mapping[str, object],
    found: Mapping[int, Mapping[str, object]] | None = None,
) -> dict[str, object]:
    """The six indicators, and each account.

    :param found: account id to what was found out about its provider.
    """
    return {
        **more,
        "indicators": asdict(indicators),
        "accounts": [
            {
                "address": one.address,
                "collect": run_json(one.collect),
                "relay": run_json(one.relay),
                "news": news_json(one.news),
                "marking": marking_json((found or {}).get(one.account_id, {})),
            }
            for one in accounts
        ],
    }


def marking_json(found: Mapping[str, object]) -> dict[str, object]:
    """How an account's provider marks mail; empty as long as too little of it was seen."""
    names = ("evidence", "share", "mails", "bcc_safe", "one_copy_each", "alarm")
    return {name: found[name] for name in names if name in found}
