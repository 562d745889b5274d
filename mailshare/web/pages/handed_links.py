"""Links that show one person's hand-out without a login: made and taken back by administrators, opened by anybody."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from mailshare.core.errors import NoSuchUser, NotAllowed, PeerFault
from mailshare.core.values import HandoutLink
from mailshare.web.handout.page import slip_text
from mailshare.web.handout.slip_pdf import slips
from mailshare.web.qr_codes import qr
from mailshare.web.routing import Page
from mailshare.web.same_place import named
from mailshare.web.visit import Visit

_HOURS = 24
FORMS = ("text", "autoconfig", "mobileconfig", "certificate", "thunderbird", "msmtp", "mpop", "fetchmail", "getmail")
"""What a person may save; ``slip`` beside them is the PDF."""
TEXT = "text/plain; charset=utf-8"
_COOKIE = b"ms-u"


def url_of(visit: Visit, secret: str) -> str:
    """The whole address of a link: as it is reached from desks, else as this page was."""
    scheme = "https" if visit.request.isSecure() else "http"
    here = f"{scheme}://{visit.request.getHeader('Host') or 'localhost'}"
    return f"{visit.rooms.handouts.url() or here}/u/{secret}"


async def made_for(visit: Visit, name: str, *, hours: int = _HOURS, once: bool = False) -> dict[str, Any]:
    """A new link for somebody, as templates show it."""
    await visit.ask("show_user", name=name)  # whose user it is is told there
    if not visit.may("change_user"):
        raise NotAllowed
    assert visit.me is not None
    secret, link = await visit.rooms.links.make(name, visit.me.name, hours=hours, once=once)
    await visit.rooms.office.note("admin.did", {"act": "handout link", "with": {"user": name}, "by": visit.me.name})
    url = url_of(visit, secret)
    return {"user": name, "url": url, "code": qr(url), "expires": visit.rooms.moment(link.expires), "once": once}


def listed(visit: Visit, name: str) -> list[dict[str, Any]]:
    """The links of somebody that are valid now, without their secrets."""
    return [
        {
            "id": one.id,
            "by": one.by,
            "made": visit.rooms.moment(one.made),
            "expires": visit.rooms.moment(one.expires),
            "opened": visit.rooms.moment(one.opened),
            "once": one.once,
        }
        for one in visit.rooms.links.of(name)
    ]


def _way(name: str) -> str:
    return f"/users/{quote(name, safe='')}/handout"


async def make(visit: Visit) -> bytes:
    """Make one; its address is shown this once."""
    name, hours = visit.path["name"], visit.text("hours", str(_HOURS))
    number = int(hours) if hours.isdigit() and len(hours) < 5 else 0
    made = await made_for(visit, name, hours=number, once=visit.flag("once"))
    return visit.page("handout_links.html", links=[made], back=_way(name))


async def revoke(visit: Visit) -> bytes:
    """Take one back."""
    name, wanted = visit.path["name"], visit.text("id")
    await visit.ask("show_user", name=name)
    if not visit.may("change_user"):
        raise NotAllowed
    if wanted not in {one.id for one in visit.rooms.links.of(name)}:
        raise NoSuchUser("That link is over already")
    await visit.rooms.links.revoke(wanted)
    assert visit.me is not None
    told = {"act": "handout link taken back", "with": {"user": name}, "by": visit.me.name}
    await visit.rooms.office.note("admin.did", told)
    return visit.go(_way(name), "The link opens nothing any more")


async def slip(visit: Visit) -> bytes:
    """One person's slip of paper."""
    found = await visit.ask("handout", name=visit.path["name"], format="page")
    return visit.file(slips([found["page"]], visit.told), "application/pdf", f"mail-{visit.path['name']}.pdf")


# --------------------------------------------------------------------------- for whoever has a link


async def _link(visit: Visit) -> HandoutLink:
    """The link that was asked for; its address is told to nobody else, and no machine is to keep it."""
    visit.request.setHeader("Referrer-Policy", "no-referrer")
    visit.request.setHeader("X-Robots-Tag", "noindex, nofollow")
    return await visit.rooms.links.find(visit.path["secret"], visit.peer)


def _browser(visit: Visit) -> str:
    value: bytes = visit.request.received_cookies.get(_COOKIE, b"")
    return value.decode("ascii", "replace")


async def opened(visit: Visit) -> bytes:
    """Somebody's page; for a link that is for once, a button first: programs that look links up press none."""
    link = await _link(visit)
    if visit.rooms.links.shows(link, _browser(visit)):
        return _shown(visit, link)
    if link.opened:
        raise PeerFault("This link was for one browser, and another one has it; ask for a new one", code=404)
    visit.request.setHeader("Referrer-Policy", "same-origin")  # else the button's request would name no origin
    return visit.page("link_once.html")


async def open_once(visit: Visit) -> bytes:
    """Give it to this browser, for a while."""
    link = await _link(visit)
    secret = await visit.rooms.links.open(link)
    way = f"/u/{visit.path['secret']}"
    visit.request.addCookie(
        _COOKIE, secret, path=way, httpOnly=True, secure=visit.request.isSecure(), sameSite="strict", max_age="1800"
    )
    return visit.go(way)


def _shown(visit: Visit, link: HandoutLink) -> bytes:
    page: Any = visit.rooms.handouts.page(link.user)
    url = "" if link.once else url_of(visit, visit.path["secret"])
    return visit.page(
        "link.html",
        page=page,
        secret=visit.path["secret"],
        code=qr(url) if url else "",
        expires=visit.rooms.moment(link.expires),
        forms=FORMS,
        reached=_reached(visit, page),
    )


def _reached(visit: Visit, page: Any) -> dict[str, Any]:
    """What this very device shows of itself by asking: the name it knows the server by, TLS, and what it can try.

    ``ways`` are addresses that mail programs ask by themselves, at the port that they take; whether the device's DNS
    leads them here, only the device can tell.
    """
    name, names = named(visit.request.getHeader("Host") or ""), visit.rooms.handouts.names()
    domains = dict.fromkeys(str(one["address"]).rpartition("@")[2].casefold() for one in page["addresses"])
    found = page["discovery"]["finds_this_server"].rpartition("@")[2]
    ways = [
        f"http://autoconfig.{one}/mail/config-v1.1.xml?emailaddress={quote(page['login'], safe='')}@{one}"
        for one in (*domains, found)
        if one and f"autoconfig.{one}" in names
    ]
    return {
        "name": name,
        "right": name == page["hostname"].casefold(),
        "secure": visit.request.isSecure(),
        "ways": list(dict.fromkeys(ways)),
    }


async def form(visit: Visit) -> bytes:
    """One form to be saved."""
    link, wanted = await _link(visit), visit.path["form"]
    if not visit.rooms.links.shows(link, _browser(visit)):
        raise PeerFault("Open the page of this link first", code=404)
    if wanted == "slip":
        return visit.file(slips([visit.rooms.handouts.page(link.user)], visit.told), "application/pdf", "mail.pdf")
    if wanted not in FORMS:
        raise NoSuchUser("There is no such form")
    if wanted == "text":
        return visit.file(slip_text(visit.rooms.handouts.page(link.user), visit.told).encode(), TEXT, "mail.txt")
    octets, kind, name = visit.rooms.handouts.form(link.user, wanted)
    return visit.file(octets, kind, name)


PAGES = (
    Page("/users/<name>/links", make, "POST"),
    Page("/users/<name>/links/revoke", revoke, "POST"),
    Page("/users/<name>/handout/slip.pdf", slip),
    Page("/u/<secret>", opened, public=True),
    Page("/u/<secret>", open_once, "POST", public=True),
    Page("/u/<secret>/<form>", form, public=True),
)
