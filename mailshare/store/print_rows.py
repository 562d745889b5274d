"""Print jobs as rows: ``assembly`` holds a job, ``part`` its documents, each of which is a stored message.

``assembly.id`` is the job-id and ``ref`` its uuid; what the columns do not hold stands in ``manifest``.
"""

from __future__ import annotations

import json
import sqlite3
from typing import Any

from attrs import asdict, evolve

from mailshare.core.values import Handed, PrintDocument, PrintJob, PrintMail, PrintMember, PrintState, PrintTicket

KIND = "print-job"
COLUMNS = "id, ref, state, created, manifest"

_INSERT = (
    "INSERT INTO assembly (kind, ref, owner_id, state, parts, parts_have, created, expires, manifest) "
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_UPDATE = "UPDATE assembly SET state = ?, parts = ?, parts_have = ?, manifest = ? WHERE id = ?"
_PART = "INSERT INTO part (assembly_id, num, message_id, offset, length, digest, received) VALUES (?, ?, ?, ?, ?, ?, ?)"
_PARTS = "SELECT num, message_id, offset, length, digest FROM part WHERE assembly_id = ? ORDER BY num"
_APART = frozenset({"number", "message_id", "offset", "length", "digest"})  # columns of ``part``


def _manifest(job: PrintJob, submission: int) -> str:
    ticket = asdict(job.ticket)
    del ticket["uuid"]
    if job.ticket.mail is None:
        del ticket["mail"]
    document = {
        "ticket": ticket,
        "reasons": job.reasons,
        "message": job.message,
        "members": {name: asdict(one) for name, one in job.members.items()},
        "closed": job.closed,
        "held": job.held,
        "processing": job.processing,
        "completed": job.completed,
        "order": job.order,
        "told": job.told,
        "submission": submission,
        "documents": {
            str(one.number): {key: value for key, value in asdict(one).items() if key not in _APART}
            for one in job.documents
        },
    }
    return json.dumps(document, ensure_ascii=True)


def insert_job(connection: sqlite3.Connection, job: PrintJob) -> PrintJob:
    """Write a new job without documents; the result has its id."""
    ticket = job.ticket
    values = (KIND, ticket.uuid, ticket.user_id, int(job.state), 0, 0, job.created, ticket.expires, _manifest(job, 0))
    number = connection.execute(_INSERT, values).lastrowid
    assert number is not None
    return evolve(job, id=number)


def insert_document(connection: sqlite3.Connection, job_id: int, document: PrintDocument, at: int) -> None:
    """Write where a document is; the job's own row is written by :func:`update_job`."""
    values = (job_id, document.number, document.message_id, document.offset, document.length, document.digest, at)
    connection.execute(_PART, values)


def update_job(connection: sqlite3.Connection, job: PrintJob, submission: int) -> None:
    """Write a job's own row anew.

    :param submission: id of its submission in the queue; 0 = it has none.
    """
    have = len(job.documents)
    parts = have if job.closed else 0
    connection.execute(_UPDATE, (int(job.state), parts, have, _manifest(job, submission), job.id))


def read_job(connection: sqlite3.Connection, where: str, value: object) -> tuple[PrintJob, int] | None:
    """The job of a condition with one value, and its submission's id."""
    row = connection.execute(f"SELECT {COLUMNS} FROM assembly WHERE kind = '{KIND}' AND {where}", (value,)).fetchone()
    return None if row is None else made_of(connection, row)


def made_of(connection: sqlite3.Connection, row: tuple[Any, ...]) -> tuple[PrintJob, int]:
    """The job of a row of :data:`COLUMNS`, and its submission's id."""
    number, uuid, state, created, text = row
    manifest = json.loads(text)
    ticket = manifest["ticket"]
    about = manifest["documents"]
    documents = []
    for num, message_id, offset, length, digest in connection.execute(_PARTS, (number,)):
        documents.append(
            PrintDocument(
                **about.get(str(num), {"format": ""}),
                number=num,
                message_id=message_id,
                offset=offset,
                length=length,
                digest=digest,
            )
        )
    job = PrintJob(
        id=number,
        ticket=_ticket(uuid, ticket),
        state=PrintState(state),
        created=created,
        reasons=tuple(manifest["reasons"]),
        message=manifest["message"],
        documents=tuple(documents),
        members={name: _member(one) for name, one in manifest["members"].items()},
        closed=manifest["closed"],
        held=manifest["held"],
        processing=manifest["processing"],
        completed=manifest["completed"],
        order=manifest["order"],
        told=tuple(manifest.get("told", ())),
    )
    return job, int(manifest["submission"])


def _ticket(uuid: str, facts: dict[str, Any]) -> PrintTicket:
    mail = facts.get("mail")
    if mail is not None:
        mail = PrintMail(**{**mail, "ignored": tuple(mail["ignored"])})
    lists = {name: tuple(facts[name]) for name in ("members", "notify")}
    return PrintTicket(**{**facts, **lists, "uuid": uuid, "mail": mail})


def _member(one: dict[str, Any]) -> PrintMember:
    read = {
        "state": PrintState(one["state"]),
        "reasons": tuple(one["reasons"]),
        "printed": tuple(one.get("printed", ())),
        "handed": tuple(Handed(**each) for each in one.get("handed", ())),
    }
    return PrintMember(**{**one, **read})
