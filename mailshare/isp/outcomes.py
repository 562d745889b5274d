"""From a smarthost's words to what becomes of queue rows. Pure.

4yz waits, 5yz at RCPT fails that recipient alone, 5yz elsewhere fails the message (RFC 5321 section 4.2.1); and what is
not about the message but about us, a login that is wanted or refused, fails nothing: it pauses the route.
"""

from __future__ import annotations

from collections.abc import Sequence

from mailshare.core.values import SECOND, Outcome, QueueItem, QueueState
from mailshare.isp.relay_session import Answers
from mailshare.wire.smtp_client_lines import SMTPReply

_OURS = (530, 534, 535, 538)
_BASIC_LOGIN_GONE = "5.7.30"


def concerns_route(reply: SMTPReply | None) -> bool:
    """Whether a refusal is about our login and not about the message."""
    return reply is not None and (reply.code in _OURS or (reply.code == 550 and reply.status == _BASIC_LOGIN_GONE))


def route_refusal(answers: Answers) -> SMTPReply | None:
    """The reply that asks for another login, if there is one."""
    replies = (answers.mail, *answers.recipients, answers.data, answers.message)
    return next((reply for reply in replies if concerns_route(reply)), None)


def judge(batch: Sequence[QueueItem], answers: Answers, at: int) -> list[Outcome]:
    """One outcome for each row of a batch whose route is sound.

    :param batch: in the order of the envelope's recipients.
    """
    if answers.barred:
        code, status, text = answers.barred
        return [Outcome(item.id, QueueState.FAILED, at, code, status, text) for item in batch]
    if answers.mail is not None and not answers.mail.ok:
        return [_refused(item, answers.mail, at) for item in batch]
    some = any(reply.ok for reply in answers.recipients)
    outcomes = []
    for number, item in enumerate(batch):
        reply = answers.recipients[number] if number < len(answers.recipients) else None
        if reply is not None and not reply.ok:
            outcomes.append(_refused(item, reply, at, crowded=some))
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
        return _refused(item, reply, at)
    if answers.message is None:
        return _cut(item, answers, at)
    detail = {"dsn": True} if answers.dsn else {}
    return Outcome(item.id, QueueState.DELIVERED, at, reply.code, reply.status, reply.text, detail=detail)


def _refused(item: QueueItem, reply: SMTPReply, at: int, *, crowded: bool = False) -> Outcome:
    if reply.code // 100 == 5:
        return Outcome(item.id, QueueState.FAILED, at, reply.code, reply.status, reply.text)
    # "Too many recipients" for one transaction: the rest may come at once (RFC 5321 section 4.5.3.1.10).
    soon = at + SECOND if crowded and reply.code == 452 else 0
    return Outcome(item.id, QueueState.QUEUED, at, reply.code, reply.status, reply.text, next_at=soon)


def _cut(item: QueueItem, answers: Answers, at: int) -> Outcome:
    text = answers.fault.public if answers.fault else "The server did not say what became of the message"
    return Outcome(item.id, QueueState.QUEUED, at, 451, "4.4.2", text)
