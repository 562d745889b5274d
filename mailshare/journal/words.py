"""The journal's codes in people's words: each reason and each kind of line, in one place.

docs/reference/journal.md shows the same tables; a test holds the two together, and the codes of the program to them.
"""

from __future__ import annotations

from collections.abc import Mapping

REASONS: Mapping[str, str] = {
    # who gets it
    "tag": "the address bears the tag of a user",
    "name-L1": "the name in front of the address is exactly that of a user",
    "name-L2": "the name is that of a user, accents aside",
    "name-L3": "the name is that of a user, last name first",
    "name-L4": "a word of the name is the one-word name of exactly one user",
    "ambiguous-all": "several people have this name, and the account gives such mail to all of them",
    "envelope": "the provider wrote this address of the envelope into the header",
    "received-for": "a server of the provider wrote whom it was for",
    "guessed": "without a word from the provider the addresses in the header decide",
    "ledger": "it answers a message that this user sent",
    "bounce": "it returns a message that this user sent",
    "rule-list": "a taught rule for this mailing list",
    "rule-to": "a taught rule for what it was written to",
    "rule-from": "a taught rule for this sender",
    "public": "it was written to everybody",
    "local": "a mailbox of this office",
    "alias": "another name of a mailbox of this office",
    "cc": "a copy, by the list of copies",
    "printer": "the address of a printer of this office",
    "print-status": "a printer elsewhere reports on a job; it is for the person who printed, or for the job alone",
    "given": "an administrator gave it",
    "report": "a report or notice of this server",
    "outside": "it goes to the outside, by the provider",
    "poison": "the rules stumbled over it; ADMIN has it as it came",
    "trouble": "it could not be read or sorted; ADMIN has it as it came",
    # why it lies with ADMIN
    "no-name": "it was written to the shared address without a name",
    "unknown-name": "nobody here has this name",
    "ambiguous": "several people here have this name",
    "not-addressed": "the address of the account stands nowhere in it: a blind copy, or a mailing list",
    "unknown-user": "nobody here has this address",
    "stranger": "nobody here has this address; the account gives such mail to this user",
    "spam-dropped": "nobody here has this address, and the provider marked it as spam: the account drops such mail",
    "former-user": "the user was deleted or is switched off",
    "local-only": "this user gets no mail from outside",
    "oversize": "the header passes the limits, so nobody is guessed from it",
    "loop": "it goes in a circle",
    "public-refused": "this sender may not write to everybody",
    "public-capped": "this sender wrote to everybody too often",
    "nobody": "no mailbox was left to give it to",
    "old-form": "this form of address is taken from the local network only",
    "no-account": "the sender shares no account that could send it",
    # what else was seen and done
    "unknown-tag": "the tag is nobody's",
    "not-ours": "the address of the envelope is none of this account",
    "display-name": "it may pretend to come from somebody here; the copies are marked",
    "came-back": "it left this office before; it is not forwarded and not answered by a machine",
    "folder": "it lay in that folder of the provider",
    "forward": "a user has it sent on to the outside",
    "not-forwarded": "it was not sent on, for the reason that is told",
    "forward-failed": "it could not be sent on, so the mailbox has it",
    "device": "a machine that is known by its address handed it in",
    "from-fixed": "the From field was made right",
    "bcc-removed": "the Bcc field went, as it must",
    "return-path-removed": "a Return-Path went, which only the last server writes",
    "sender-removed": "the Sender field went, since From was replaced",
    "reply-to-added": "a Reply-To with the sender's tag was added",
    "signature-dropped": "the client's signature went, since a signed field was changed",
}

KINDS: Mapping[str, str] = {
    "route": "a message came in, with every decision about it",
    "deliver.duplicate": "a mailbox had this message already",
    "public.sent": "a message to everybody was let through; it counts for an hour",
    "device.sent": "a machine that is known by its address handed in a message; it counts for an hour",
    "answer.sent": "somebody away has answered by machine",
    "answer.none": "somebody is away, and this message gets no answer, for the reason that is told",
    "quota.warned": "the owner of a mailbox was told that it is filling",
    "forward.failed": "what could not be sent on was put into the mailbox",
    "pop3.read": "a mail program fetched it whole for the first time",
    "pop3.deleted": "a mail program deleted it",
    "pop3.session": "a mail program ended its session after reading or deleting",
    "login.refused": "a wrong name or password",
    "relay.delivered": "the provider took it for this recipient",
    "relay.deferred": "the provider said not now, or could not be reached; it is tried again",
    "relay.failed": "the provider refused this recipient for good",
    "relay.expired": "it was tried until its time was over",
    "relay.held": "it is kept back",
    "relay.paused": "the provider refuses the login, or the day's number is reached; mail waits",
    "report.due": "a report to the sender became due",
    "report.sent": "that report was stored in a mailbox, or nobody is to have it",
    "account.tag-test": "a mail to oneself tries whether the provider delivers tagged addresses",
    "notice": "the server wrote a notice into a mailbox",
    "collect.run": "a session with the provider ended; it says what came",
    "collect.failed": "a session with the provider ended with trouble",
    "collect.renumbered": "the provider gave its messages new ids; they were known again",
    "collect.reused": "the provider gave the id of an old message to a new one",
    "collect.style": "what the provider writes into its headers was found out, or has changed",
    "collect.expire": "the provider keeps mail for fewer days than was asked",
    "collect.skipped": "a message is too large and stays at the provider",
    "collect.poison": "a message could not be fetched or sorted",
    "print.identify": "somebody asked a printer elsewhere to make itself known",
    "print.refused": "a document to be printed was not taken, for the reason that is told",
    "print.taken": "a document to be printed was taken",
    "news.held": "a connection is held on which the provider tells of new mail",
    "news.lost": "no such connection can be held for now; the timetable collects",
    "server.started": "the server is up",
    "server.stopped": "the server has ended",
    "admin.did": "an administrator changed something by a command",
    "admin.resume": "an administrator let paused routes be tried again",
    "admin.retry": "an administrator had it tried at once",
    "admin.hold": "an administrator kept it back",
    "admin.release": "an administrator let it go on",
    "admin.delete": "an administrator cancelled it",
    "admin.gave": "an administrator gave it to somebody",
    "admin.fetch": "an administrator had a message fetched that was left at the provider",
    "admin.import": "an administrator took over what another program had fetched",
    "admin.rule": "a sorting rule was taught",
    "admin.rule-deleted": "a sorting rule was forgotten",
    "admin.name": "a user got a further name",
    "admin.password": "an administrator set a password",
}


def reason_words(code: str) -> str:
    """A reason code in words; a code of somebody else's extension is told as it is."""
    return REASONS.get(code, code)


def kind_words(kind: str) -> str:
    """A kind of line in words; fax and print rows speak as those of the relay do."""
    return KINDS.get(kind) or KINDS.get(f"relay.{kind.partition('.')[2]}", kind)
