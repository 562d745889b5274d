"""The key that passwords for the provider are sealed with in the store."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

from mailshare.assembly.keys import data_directory
from mailshare.config import Config
from mailshare.config.loading import SEALING_KEY
from mailshare.core.errors import ConfigFault
from mailshare.isp.secrets import SealingKey


def sealing_key(config: Config) -> SealingKey:
    """The key of this installation; its file is made when it is first needed."""
    return SealingKey(os.path.join(data_directory(config.data), SEALING_KEY), os.urandom)


def at_rest(secret: str, key: SealingKey) -> str:
    """A secret reference (JSON) as the store keeps it: a password itself only sealed."""
    return json.dumps(_sealed(json.loads(secret), key)) if secret else ""


def alike(one: str, other: str, key: SealingKey) -> bool:
    """Two secret references (JSON) lead to the same, whether sealed or not: sealing never gives the same text twice."""
    return one == other or _opened(one, key) == _opened(other, key)


def _sealed(reference: Mapping[str, Any], key: SealingKey) -> dict[str, Any]:
    if "plain" in reference:
        return {"sealed": key.seal(reference["plain"])}
    return {name: _sealed(one, key) if isinstance(one, Mapping) else one for name, one in reference.items()}


def _opened(secret: str, key: SealingKey) -> object:
    """The reference with what is sealed in the clear; unchanged where the key does not fit."""

    def opened(reference: Mapping[str, Any]) -> dict[str, Any]:
        if "sealed" in reference:
            return {"plain": key.unseal(reference["sealed"])}
        return {name: opened(one) if isinstance(one, Mapping) else one for name, one in reference.items()}

    try:
        return opened(json.loads(secret)) if secret else {}
    except ConfigFault:
        return secret
