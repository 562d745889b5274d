"""ADMIN's work: mail that found no owner, to be given, and given always."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailshare.core.errors import MailshareError, PeerFault
from mailshare.web.routing import Page
from mailshare.web.visit import Visit

_MOST = 200


async def work(visit: Visit) -> bytes:
    """What lies there, newest first."""
    chosen = visit.asked("account")
    own = [chosen] if chosen else sorted(visit.caller.accounts or ("",))
    found = [row for account in own for row in await visit.ask("admin_list", account=account or None)]
    wanted = visit.asked("q").casefold()
    rows = [row for row in found if wanted in _text(row)]
    return visit.page(
        "work.html",
        rows=rows,
        q=visit.asked("q"),
        ticked=visit.asked("ticked") == "true",
        rules=await visit.ask("rules"),
        people=await _people(visit),
    )


def _text(row: Mapping[str, Any]) -> str:
    return " ".join((row["from"], row["subject"], " ".join(row["to"]), row["words"])).casefold()


async def _people(visit: Visit) -> list[str]:
    return [one["name"] for one in await visit.ask("users") if one["enabled"] and one["kind"] != "admin"]


async def case(visit: Visit) -> bytes:
    """One message: why it lies here, and whose it might be."""
    row = await visit.ask("admin_show", id=visit.path["id"])
    return visit.page("work_case.html", row=row, people=await _people(visit))


def _back(visit: Visit, said: str) -> bytes:
    return visit.go("/work", said)


def _more(visit: Visit, answer: Mapping[str, Any]) -> str:
    more = len(answer.get("past", ()))
    words = visit.counted("%(n)s more of the same went too", "%(n)s more of the same went too", more)
    return f"; {words}" if more else ""


async def give(visit: Visit) -> bytes:
    """Into somebody's mailbox, this once."""
    answer = await visit.ask("admin_give", id=visit.path["id"], users=visit.texts("users"))
    return _back(visit, f"{answer['id']} was given to {', '.join(answer['to'])}")


async def always(visit: Visit) -> bytes:
    """And all such mail from now on."""
    answer = await visit.ask(
        "admin_always",
        id=visit.path["id"],
        users=visit.texts("users"),
        kind=visit.text("kind") or None,
        past=visit.flag("past"),
    )
    rule = answer["rule"]
    said = f"Mail by {rule['kind']} {rule['match']} goes to {', '.join(rule['users'])} from now on"
    return _back(visit, said + _more(visit, answer))


async def teach(visit: Visit) -> bytes:
    """The name it was written to is somebody's."""
    answer = await visit.ask(
        "admin_teach",
        id=visit.path["id"],
        user=visit.text("user"),
        name=visit.text("name") or None,
        past=visit.flag("past"),
    )
    return _back(visit, f"{answer['name']} is a name of {answer['user']} from now on" + _more(visit, answer))


async def several(visit: Visit) -> bytes:
    """What was ticked, one after the other; what could not be given is told, and stays."""
    act, users = visit.text("act"), visit.texts("users")
    ids = visit.texts("id")[:_MOST]
    if not ids or act not in ("give", "always", "teach"):
        raise PeerFault("Tick the messages first", code=400)
    done, left = 0, []
    for one in ids:
        try:
            if act == "teach":
                await visit.ask("admin_teach", id=one, user=users[0] if users else "")
            else:
                await visit.ask(f"admin_{act}", id=one, users=users)
            done += 1
        except MailshareError as refusal:
            left.append(f"{one}: {refusal.public}")
    said = visit.counted("%(n)s message was given", "%(n)s messages were given", done)
    return visit.go("/work", "; ".join([said, *left[:5]]), bad=bool(left))


async def sort(visit: Visit) -> bytes:
    """Sort all of it once more, by the names and rules of now."""
    found = (await visit.ask("admin_sort"))["past"]
    return _back(visit, _found(visit, len(found)) if found else "Nothing found an owner")


def _found(visit: Visit, number: int) -> str:
    return visit.counted("%(n)s message found an owner", "%(n)s messages found an owner", number)


async def forget(visit: Visit) -> bytes:
    """Forget a rule."""
    account, kind, match = visit.text("account"), visit.text("kind"), visit.text("match")
    await visit.ask("delete_rule", account=account, kind=kind, match=match)
    return _back(visit, f"The rule for {match} is forgotten; mail that it gave stays where it is")


PAGES = (
    Page("/work", work),
    Page("/work/sort", sort, "POST"),
    Page("/work/several", several, "POST"),
    Page("/work/forget", forget, "POST"),
    Page("/work/<id>", case),
    Page("/work/<id>/give", give, "POST"),
    Page("/work/<id>/always", always, "POST"),
    Page("/work/<id>/teach", teach, "POST"),
)
