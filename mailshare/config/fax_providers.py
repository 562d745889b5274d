"""Descriptions of fax providers: those that come along, and those of the office's own, from TOML files."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from importlib import resources
from urllib.parse import urlsplit

from attrs import evolve

from mailshare.core.fax_lines import HttpOptions
from mailshare.core.fax_provider import Provider, fill
from mailshare.core.fax_provider_reading import read_provider

_NAME = re.compile(r"[a-z0-9]+\Z")
_MOST = 262_144  # octets of a description


def load_provider(name: str, directory: str) -> Provider:
    """A description by its name or path.

    :param directory: from which a path counts.
    :raises ValueError: there is none, or it is wrong; in words.
    """
    try:
        if _NAME.match(name):
            octets = resources.files("mailshare").joinpath(f"fax/providers/{name}.toml").read_bytes()
        else:
            with open(os.path.join(directory, name), "rb") as stream:
                octets = stream.read(_MOST)
        return read_provider(tomllib.loads(octets.decode()))
    except FileNotFoundError as fault:
        raise ValueError(f"there is no description of {name!r}; known are {', '.join(shipped())}, or a path") from fault
    except OSError as fault:
        raise ValueError(f"the description {name} cannot be read: {fault.strerror}") from fault
    except ValueError as fault:
        raise ValueError(f"the description {name} is wrong: {fault}") from fault


def shipped() -> list[str]:
    """Names of the descriptions that come along."""
    folder = resources.files("mailshare").joinpath("fax/providers")
    return sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml"))


def fitted(provider: Provider, options: HttpOptions) -> tuple[Provider, Mapping[str, str]]:
    """The description for one line, and the words that its settings give.

    :raises ValueError: a setting is missing, or an address cannot be.
    """
    for name in provider.settings:
        if not options.settings.get(name):
            raise ValueError(f"settings.{name} is missing: the provider asks for it")
    for name, value in options.settings.items():
        if name not in provider.settings:
            raise ValueError(f"settings.{name} is nothing that the provider asks for")
        if not isinstance(value, str):
            raise ValueError(f"settings.{name} is a text")  # noqa: TRY004 - what is wrong in a file is a value
    words = {**options.settings, "user": options.user}
    base = (options.base or fill(provider.base, words, in_address=True)).rstrip("/")
    if options.base:
        provider = evolve(provider, hosts=(urlsplit(base).hostname or "",))
    if not provider.may_ask(base):
        raise ValueError(f"{base} is not asked: an address of an API begins with https://")
    if options.callback and not options.callback.startswith("https://"):
        raise ValueError("callback begins with https://")
    if options.fetch < 5 or options.poll < 0:
        raise ValueError("fetch is 5 seconds or more, and poll 0 or more")
    return provider, {**words, "base": base, "callback": options.callback}


def check_provider(options: HttpOptions, directory: str, secrets: Collection[str]) -> None:
    """See before anything runs whether a line of the kind http can be made.

    :param secrets: the names that are given.
    :raises ValueError: it cannot, in words.
    """
    provider, _ = fitted(load_provider(options.provider, directory), options)
    if "key" not in secrets:
        raise ValueError("secrets.key is missing: the password or API key that the provider gave")
    if options.listen and "hook" not in secrets:
        raise ValueError("secrets.hook is missing: calls that nobody proves are not heard")
    if options.listen and provider.hook is None:
        raise ValueError("the description does not say how this provider proves its calls, so listen cannot be used")
