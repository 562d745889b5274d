"""From a smarthost's words to what becomes of queue rows. Pure.

4yz waits, 5yz at RCPT fails that recipient alone, 5yz elsewhere fails the message (RFC 5321 section 4.2.1); and what is
not about the message but about us, a login that is wanted or refused, fails nothing: it pauses the route.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mailshare.core.retry import MINUTE
from mailshare.core.values import SECOND, Outcome, QueueItem, QueueState
from mailshare.isp.relay_session import Answers
from mailshare.wire.smtp_client_lines import SMTPReply

_OURS = (530, 534, 535, 538)
_BASIC_LOGIN_GONE = "5.7.30"
# What providers say when they take no more of us today: about sending, or about a day, never about a full mailbox.
_QUOTA = re.compile(
    r"\b(?:daily|24.?hours?|per.day|a.day)\b[^.]{0,60}\b(?:limit|quota|maximum)"
    r"|\b(?:limit|quota|maximum)\b[^.]{0,60}\b(?:daily|24.?hours?|per.day|a.day)\b"
    r"|\b(?:sending|submission|outgoing|outbound)\W{0,2}(?:mail |message |rate )?(?:limit|quota)"
    r"|SubmissionQuotaExceeded",
    re.IGNORECASE,
)
_DAY_LIMIT = ("5.4.5", "4.4.5")
_MAILBOX = ("4.2.2", "5.2.2", "5.1.", "4.2.1", "5.2.1")
_TOO_LARGE = ("5.3.4",)
AMBIGUOUS = "ambiguous"
_AFTER_AMBIGUOUS = 15 * MINUTE
_MAYBE = (
    "The connection ended twice after the whole message had been handed over and before the server said that it has "
    "it; the recipient may have got it, even twice"
)


def concerns_route(reply: SMTPReply | None) -> bool:
    """Whether a refusal is about our login and not about the message."""
    return reply is not None and (reply.code in _OURS or (reply.code == 550 and reply.status == _BASIC_LOGIN_GONE))


def route_refusal(answers: Answers) -> SMTPReply | None:
    """The reply that asks for another login, if there is one."""
    replies = (answers.mail, *answers.recipients, answers.data, answers.message)
    return next((reply for reply in replies if concerns_route(reply)), None)


def quota_refusal(answers: Answers) -> SMTPReply | None:
    """The reply that says that the provider takes no more of our mail for now, if there is one."""
    replies = (answers.mail, *answers.recipients, answers.data, answers.message)
    return next((reply for reply in replies if reply is not None and _speaks_of_quota(reply)), None)


def _speaks_of_quota(reply: SMTPReply) -> bool:
    if reply.ok or reply.status.startswith(_MAILBOX):
        return False
    return reply.status in _DAY_LIMIT or _QUOTA.search(reply.text) is not None


def refused_for_size(answers: Answers) -> bool:
    """Whether the server, not a recipient's mailbox, found the message too large (RFC 1870 section 6, RFC 3463)."""
    for reply in (answers.mail, answers.data, answers.message):
        if reply is not None and (reply.status in _TOO_LARGE or (reply.code == 552 and not reply.status)):
            return True
    return False


def judge(batch: Sequence[QueueItem], answers: Answers, at: int) -> list[Outcome]:
    """One outcome for each row of a batch whose route is sound.

    :param batch: in the order of the envelope's recipients.
    """
    if answers.barred:
        code, status, text = answers.barred
        return [Outcome(item.id, QueueState.FAILED, at, code, status, text) for item in batch]
    if answers.mail is not None and not answers.mail.ok:
        return [_refused(item, answers.mail, answers, at) for item in batch]
    some = any(reply.ok for reply in answers.recipients)
    outcomes = []
    for number, item in enumerate(batch):
        reply = answers.recipients[number] if number < len(answers.recipients) else None
        if reply is not None and not reply.ok:
            outcomes.append(_refused(item, reply, answers, at, crowded=some))
        elif reply is None:
            outcomes.append(_cut(item, answers, at))
        else:
            outcomes.append(_last_word(item, answers, at))
    return outcomes


def _last_word(item: QueueItem, answers: Answers, at: int) -> Outcome:
    reply = answers.message or answers.data
    if reply is None or answers.fault is not None or reply.code == 354:
        return _cut(item, answers, at)
    if not reply.ok:
        return _refused(item, reply, answers, at)
    if answers.message is None:
        return _cut(item, answers, at)
    detail = _detail(answers) | ({"dsn": True} if answers.dsn else {})
    return Outcome(item.id, QueueState.DELIVERED, at, reply.code, reply.status, reply.text, detail=detail)


def _refused(item: QueueItem, reply: SMTPReply, answers: Answers, at: int, *, crowded: bool = False) -> Outcome:
    # "Too many recipients" for one transaction: the rest may come at once, and an old 552 for it means 452 (RFC 5321
    # section 4.5.3.1.10).
    many = crowded and reply.code in (452, 552) and _about_recipients(reply)
    state = QueueState.FAILED if reply.code // 100 == 5 and not many else QueueState.QUEUED
    soon = at + SECOND if many else 0
    return Outcome(
        item.id, state, at, reply.code, reply.status, reply.text, next_at=soon, counts=not many, detail=_detail(answers)
    )


def _about_recipients(reply: SMTPReply) -> bool:
    return reply.status in ("4.5.3", "5.5.3") or (not reply.status and "recipient" in reply.text.casefold())


def _cut(item: QueueItem, answers: Answers, at: int) -> Outcome:
    """No last word. Where the message was handed over whole, a second such end is the last, lest copies heap up."""
    text = answers.fault.public if answers.fault else "The server did not say what became of the message"
    detail = _detail(answers)
    if not answers.whole:
        return Outcome(item.id, QueueState.QUEUED, at, 451, "4.4.2", text, detail=detail)
    if item.progress.get(AMBIGUOUS):
        return Outcome(item.id, QueueState.FAILED, at, 0, "5.4.2", _MAYBE, detail=detail)
    progress = {**item.progress, AMBIGUOUS: 1}
    return Outcome(
        item.id, QueueState.QUEUED, at, 451, "4.4.2", text, next_at=at + _AFTER_AMBIGUOUS, detail=detail,
        progress=progress,
    )  # fmt: skip


def _detail(answers: Answers) -> dict[str, object]:
    return {"host": answers.host} if answers.host else {}
