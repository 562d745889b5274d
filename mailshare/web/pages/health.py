"""Is it set up right? Looked at when somebody asks, never in the way of anybody's log-in."""

from __future__ import annotations

from mailshare.web.routing import Page
from mailshare.web.visit import Visit


async def health(visit: Visit) -> bytes:
    """Everything that can be said from here; trouble first."""
    worst = {"bad": 0, "warn": 1, "good": 2}
    findings = sorted(await visit.ask("health"), key=lambda one: worst[one["level"]])
    slowed = await visit.ask("slowed_logins") if visit.may("slowed_logins") else {"users": [], "peers": []}
    users = {one["name"] for one in await visit.ask("users")} if slowed["users"] else set()
    return visit.page(
        "health.html", findings=findings, slowed=slowed, users=users, secure=bool(visit.request.isSecure())
    )


async def verify(visit: Visit) -> bytes:
    """Look through the store for damage."""
    problems = (await visit.ask("verify"))["problems"]
    said = "The store is sound" if not problems else "; ".join(map(str, problems[:5]))
    return visit.go("/health", said, bad=bool(problems))


async def unlock(visit: Visit) -> bytes:
    """Let a login or an address try again at once."""
    login, peer = visit.text("login"), visit.text("peer")
    await visit.ask("unlock_login", login=login, peer=peer)
    return visit.go("/health", f"{login or peer} waits no longer")


PAGES = (
    Page("/health", health),
    Page("/health/verify", verify, "POST"),
    Page("/health/unlock", unlock, "POST"),
)
