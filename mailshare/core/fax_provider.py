"""What is said of a fax provider's API: which requests send, look, find, cancel and fetch, and how answers are read.

A description is data (a TOML file), so that a provider is added without a program. Words in braces are filled in:
``{number}``, ``{reference}``, ``{id}`` and the others of docs/reference/fax_providers.md. Nothing here asks anybody.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import quote, urlsplit

from attrs import field, frozen

from mailshare.core.values.fax import FaxCause

WAITING, SENDING, OK, FAILED = "waiting", "sending", "ok", "failed"
_WORD = re.compile(r"\{([a-z_]+)\}")
_RANGE = re.compile(r"(<|<=|>|>=)(-?\d+)\Z")
_LOCAL = ("127.0.0.1", "::1", "localhost")

LINE_WORDS = frozenset({"user", "secret", "from", "ident", "callback"})
"""Words that come from the line's own settings."""
FAX_WORDS = frozenset({"number", "digits", "dial", "sub", "reference", "pages", "document"})
"""Words that come from the fax; ``document`` is its file in base64, fit for JSON and forms."""
ID_WORD = "id"
"""How the provider calls a fax."""


@frozen
class Ask:
    """A request.

    :ivar url: with words in braces, each percent-encoded when it is filled in.
    :ivar form: of the body: ``json``, ``form``, ``multipart``, ``raw`` (the document itself) or empty.
    :ivar fields: of the body; a field whose words are all empty is left out.
    :ivar file: name of the part that is the document, of ``multipart``.
    :ivar accept: what an answer that means yes holds, by path; the status 2xx is always asked for.
    """

    url: str
    method: str = "GET"
    form: str = ""
    fields: Mapping[str, Any] = field(factory=dict, hash=False)
    headers: Mapping[str, str] = field(factory=dict, hash=False)
    file: str = ""
    accept: Mapping[str, str] = field(factory=dict, hash=False)


@frozen
class Reading:
    """Where in an answer something stands: names and numbers with dots between; empty = nowhere.

    :ivar id: ``header Location`` takes the last part of that header's path; ``after`` = only what stands behind it.
    :ivar cause: of a failure, looked up in ``causes``; ``words`` for people.
    """

    id: str = ""
    after: str = ""
    state: str = ""
    cause: str = ""
    words: str = ""
    pages: str = ""
    seconds: str = ""
    remote: str = ""
    cost: str = ""


@frozen
class Finding:
    """How a fax is found by our reference.

    :ivar items: where the list stands; ``match`` what an item must hold, by path.
    :ivar complete: what is not in the list was never taken, and may be sent again.
    """

    ask: Ask
    items: str = ""
    match: Mapping[str, str] = field(factory=dict, hash=False)
    id: str = "id"
    after: str = ""
    complete: bool = False


@frozen
class Inbox:
    """How faxes that came in are fetched.

    :ivar coding: of the document: ``raw``, ``base64`` (at ``data`` of the answer), or ``link`` (its address is at
        ``data`` of the item).
    :ivar done: tells the provider that it is stored here; without it we remember by ourselves.
    """

    list: Ask
    document: Ask
    items: str = ""
    match: Mapping[str, str] = field(factory=dict, hash=False)
    id: str = "id"
    after: str = ""
    caller: str = ""
    called: str = ""
    station: str = ""
    coding: str = "raw"
    data: str = ""
    done: Ask | None = None


@frozen
class Hook:
    """How the provider proves that a call to us is its own.

    :ivar scheme: ``hmac-sha256``, ``hmac-sha1``, ``ed25519`` or ``basic``.
    :ivar signed: what was signed, with ``{timestamp}`` and ``{body}``.
    :ivar coding: of the signature: ``hex`` or ``base64``; ``prefix`` goes before it.
    :ivar window: seconds that a timestamp may be off; only with ``timestamp``, the header that holds it.
    :ivar id: where the id of the fax stands in the body (JSON).
    """

    scheme: str
    header: str = ""
    timestamp: str = ""
    signed: str = "{body}"
    coding: str = "hex"
    prefix: str = ""
    window: int = 300
    id: str = "id"


@frozen
class Login:
    """How we say who we are: ``basic``, ``bearer``, ``header`` (``name``) or ``none`` (it stands in the fields)."""

    kind: str = "none"
    user: str = "{user}"
    password: str = "{secret}"  # noqa: S105 - a place for one
    name: str = ""


@frozen
class Provider:
    """A description, whole.

    :ivar hosts: that are ever asked; the secret goes nowhere else. ``files`` = further ones that hold documents.
    :ivar settings: words that the line's ``settings`` must give.
    :ivar document: ``pdf`` or ``tiff``; ``most_octets`` of it, 0 = no bound known.
    :ivar reference: characters of the longest reference it keeps.
    :ivar poll: seconds between two looks; ``patience`` seconds after which a fax is given up as not known.
    :ivar states: pattern to waiting, sending, ok, failed or a cause; ``causes`` pattern to a cause. The first counts.
    """

    title: str
    documentation: str
    read: str
    base: str
    hosts: tuple[str, ...]
    send: Ask
    sent: Reading
    status: Ask
    seen: Reading
    states: Mapping[str, str] = field(hash=False)
    causes: Mapping[str, str] = field(hash=False)
    login: Login = field(factory=Login)
    files: tuple[str, ...] = ()
    settings: tuple[str, ...] = ()
    document: str = "pdf"
    most_pages: int = 0
    most_octets: int = 0
    reference: int = 60
    poll: int = 15
    patience: int = 7200
    find: Finding | None = None
    cancel: Ask | None = None
    inbox: Inbox | None = None
    hook: Hook | None = None

    def state(self, text: str) -> str:
        """What a state of theirs means; one that is not known is waited for, since nothing says that it is over."""
        return _mapped(self.states, text) or WAITING

    def cause(self, text: str) -> FaxCause:
        """Why a fax failed."""
        word = _mapped(self.causes, text)
        return FaxCause(word) if word else FaxCause.DROPPED

    def reference_of(self, job: str) -> str:
        """Our own key for a job, as long as the provider keeps it; the same for the same job for ever."""
        if len(job) <= self.reference:
            return job
        return hashlib.sha256(job.encode()).hexdigest()[: self.reference]

    def may_ask(self, url: str, *, document: bool = False) -> bool:
        """Whether this address is the provider's, and safe from eavesdroppers."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        hosts = (*self.hosts, *(self.files if document else ()))
        return (parts.scheme == "https" or host in _LOCAL) and any(fnmatchcase(host, one) for one in hosts)


def fill(template: str, words: Mapping[str, str], *, in_address: bool = False) -> str:
    """Put words in their places.

    :param in_address: percent-encode them; ``base`` is an address already.
    """

    def word(found: re.Match[str]) -> str:
        value = words[found[1]]
        return value if not in_address or found[1] == "base" else quote(value, safe="")

    return _WORD.sub(word, template)


def filled(value: Any, words: Mapping[str, str]) -> Any:
    """A value of a request with its words; ``None`` when they are all empty, so that it is left out."""
    if isinstance(value, str):
        used = _WORD.findall(value)
        return None if used and not any(words[one] for one in used) else fill(value, words)
    if isinstance(value, Mapping):
        inner = {name: found for name, one in value.items() if (found := filled(one, words)) is not None}
        return inner if inner or not value else None
    if isinstance(value, list):
        return [found for one in value if (found := filled(one, words)) is not None]
    return value


def at(value: Any, path: str) -> Any:
    """What stands at a path of a JSON value; ``None`` when there is nothing. An empty path is the value itself."""
    for name in path.split(".") if path else ():
        if isinstance(value, Mapping):
            value = value.get(name)
        elif isinstance(value, Sequence) and not isinstance(value, str) and name.isdecimal():
            value = value[int(name)] if int(name) < len(value) else None
        else:
            return None
    return value


def text_at(value: Any, path: str, most: int = 200) -> str:
    """The same as a text; numbers and truth values in the way JSON writes them."""
    found = at(value, path) if path else None
    if found is None or isinstance(found, (Mapping, list)):
        return ""
    return str(found).lower() if isinstance(found, bool) else str(found)[:most]


def number_at(value: Any, path: str) -> float:
    """The same as a number, 0 where there is none."""
    try:
        found = float(text_at(value, path))
    except ValueError:
        return 0.0
    return found if 0 <= found < 1e9 else 0.0


def holds(item: Any, wanted: Mapping[str, str], words: Mapping[str, str]) -> bool:
    """Whether an item holds all that is asked for."""
    return all(text_at(item, path).casefold() == fill(value, words).casefold() for path, value in wanted.items())


def id_at(item: Any, path: str, after: str) -> str:
    """The provider's id of a fax; empty when it gives none that could stand in an address."""
    text = text_at(item, path)
    if after:
        text = text.rpartition(after)[2] if after in text else ""
    return text if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._:=+|-]{0,199}", text) else ""


def decoded(text: str) -> bytes:
    """A document in base64.

    :raises ValueError: it is not.
    """
    return base64.b64decode("".join(text.split()), validate=True)


def words_of(ask: Ask) -> set[str]:
    """The words that a request needs."""
    return _words_in([ask.url, dict(ask.fields), dict(ask.headers), dict(ask.accept)])


def _words_in(value: Any) -> set[str]:
    if isinstance(value, str):
        return set(_WORD.findall(value))
    inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, (list, tuple)) else ()
    return set[str]().union(*(_words_in(one) for one in inner))


def _mapped(table: Mapping[str, str], text: str) -> str:
    wanted = text.casefold()
    return next((word for pattern, word in table.items() if _fits(pattern.casefold(), wanted)), "")


def _fits(pattern: str, text: str) -> bool:
    ordered = _RANGE.match(pattern)
    if ordered is None:
        return fnmatchcase(text, pattern)
    try:
        value, bound = int(text), int(ordered[2])
    except ValueError:
        return False
    return {"<": value < bound, "<=": value <= bound, ">": value > bound, ">=": value >= bound}[ordered[1]]
