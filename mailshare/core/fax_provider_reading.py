"""A provider's description as its file says it, read and judged whole: what is wrong is told before a fax is sent."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, TypeVar

from attrs import AttrsInstance, evolve, fields

from mailshare.core.fax_provider import (
    FAILED,
    FAX_WORDS,
    ID_WORD,
    LINE_WORDS,
    OK,
    SENDING,
    WAITING,
    Ask,
    Finding,
    Hook,
    Inbox,
    Login,
    Provider,
    Reading,
    words_of,
)
from mailshare.core.values.fax import FaxCause

T = TypeVar("T", bound=AttrsInstance)
_FORMS = ("", "json", "form", "multipart", "raw")
_CODINGS = ("raw", "base64", "link")
_SCHEMES = ("hmac-sha256", "hmac-sha1", "ed25519", "basic")
_LOGINS = ("basic", "bearer", "header", "none")


def read_provider(value: Mapping[str, Any]) -> Provider:
    """The description that a file holds.

    :param value: what the TOML file says.
    :raises ValueError: something is unknown, missing or cannot be; in words, with its place.
    """
    tables = {
        "send": (Ask, {}),
        "sent": (Reading, {}),
        "status": (Ask, {}),
        "seen": (Reading, {}),
        "login": (Login, {}),
        "find": (Finding, {"ask": Ask}),
        "cancel": (Ask, {}),
        "inbox": (Inbox, {"list": Ask, "document": Ask, "done": Ask}),
        "hook": (Hook, {}),
    }
    parts: dict[str, Any] = {
        name: _table(kind, _mapping(value[name], name), name, inner)
        for name, (kind, inner) in tables.items()
        if name in value
    }
    provider = _table(Provider, {**value, **parts}, "", {})
    _judge(provider)
    return evolve(provider, hosts=tuple(one.casefold() for one in provider.hosts))


def _mapping(value: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{place} is a table")  # noqa: TRY004 - what is wrong in a file is a value
    return value


def _table(kind: type[T], given: Mapping[str, Any], place: str, inner: Mapping[str, type[Any]]) -> T:
    known = {one.name: one for one in fields(kind)}
    out: dict[str, Any] = {}
    for name, value in given.items():
        where = f"{place}.{name}" if place else name
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise ValueError(f"{where} is not known" + (f"; did you mean {near[0]}?" if near else ""))
        if name in inner:
            out[name] = _table(inner[name], _mapping(value, where), where, {})
        else:
            out[name] = tuple(value) if isinstance(value, list) else value
            _form(known[name].type, out[name], where)
    missing = [name for name, one in known.items() if name not in out and _is_required(one)]
    if missing:
        raise ValueError(f"{f'{place}.' if place else ''}{missing[0]} is missing")
    return kind(**out)


def _is_required(one: Any) -> bool:
    return repr(one.default) == "NOTHING"


def _form(kind: Any, value: Any, where: str) -> None:
    text = str(kind)
    fitting = {
        "str": isinstance(value, str),
        "int": isinstance(value, int) and not isinstance(value, bool) and value >= 0,
        "bool": isinstance(value, bool),
    }.get(text, True)
    if text.startswith("tuple"):
        fitting = isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    if text.startswith("Mapping[str, str]"):
        fitting = isinstance(value, Mapping) and all(isinstance(one, str) for one in value.values())
    elif text.startswith("Mapping"):
        fitting = isinstance(value, Mapping)
    if not fitting:
        raise ValueError(f"{where} has the wrong form: {value!r}")


def _judge(provider: Provider) -> None:
    _one_of(provider.document, ("pdf", "tiff"), "document")
    _one_of(provider.login.kind, _LOGINS, "login.kind")
    causes = [one.value for one in FaxCause]
    for pattern, word in provider.states.items():
        _one_of(word, [WAITING, SENDING, OK, FAILED, *causes], f"states.{pattern}")
    for pattern, word in provider.causes.items():
        _one_of(word, causes, f"causes.{pattern}")
    if not provider.hosts:
        raise ValueError("hosts names nobody who could be asked")
    if not provider.sent.id or not provider.seen.state:
        raise ValueError("sent.id and seen.state are needed: without them nothing is known of a fax")
    if provider.poll < 1 or provider.patience < provider.poll:
        raise ValueError("poll is 1 second or more, and patience is longer")
    if provider.reference < 16:
        raise ValueError("reference is 16 or more: a shorter one would not be unique")
    line = LINE_WORDS | set(provider.settings) | {"base"}
    _words("base", Ask(provider.base), set(provider.settings))
    _words("send", provider.send, line | FAX_WORDS)
    _words("status", provider.status, line | {ID_WORD})
    if provider.cancel is not None:
        _words("cancel", provider.cancel, line | {ID_WORD})
    if provider.find is not None:
        _words("find.ask", provider.find.ask, line | {"reference", "number", "digits"})
    if provider.inbox is not None:
        _one_of(provider.inbox.coding, _CODINGS, "inbox.coding")
        _words("inbox.list", provider.inbox.list, line)
        _words("inbox.document", provider.inbox.document, line | {ID_WORD, "link"})
        if provider.inbox.done is not None:
            _words("inbox.done", provider.inbox.done, line | {ID_WORD})
    if provider.hook is not None:
        _one_of(provider.hook.scheme, _SCHEMES, "hook.scheme")
        _one_of(provider.hook.coding, ("hex", "base64"), "hook.coding")
        if provider.hook.scheme != "basic" and not provider.hook.header:
            raise ValueError("hook.header is missing: the signature has to stand somewhere")


def _words(place: str, ask: Ask, allowed: set[str] | frozenset[str]) -> None:
    _one_of(ask.form, _FORMS, f"{place}.form")
    for word in sorted(words_of(ask) - set(allowed)):
        near = difflib.get_close_matches(word, allowed, 1)
        raise ValueError(f"{place}: nobody gives {{{word}}} here" + (f"; did you mean {{{near[0]}}}?" if near else ""))


def _one_of(word: str, known: Any, place: str) -> None:
    if word not in known:
        near = difflib.get_close_matches(word, known, 1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ValueError(f"{place} is {word!r}, which is none of {', '.join(known)}{hint}")
