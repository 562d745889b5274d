"""The key that passwords for the provider are sealed with in the store."""

from __future__ import annotations

import os

from mailshare.assembly.keys import data_directory
from mailshare.config import Config
from mailshare.isp.secrets import SealingKey


def sealing_key(config: Config) -> SealingKey:
    """The key of this installation; its file is made when it is first needed."""
    return SealingKey(os.path.join(data_directory(config.data), "sealing.key"), os.urandom)
