"""The configuration file: read, checked, every mistake named at once, and written by ``mailshare export``."""

from mailshare.config.limits import Limits
from mailshare.config.loading import (
    Config,
    DeclaredAccount,
    DeclaredUser,
    Listener,
    load_config,
    parse_config,
    resolve_account,
)
from mailshare.config.problems import BrokenConfig, Problem
from mailshare.config.schema import Secret

__all__ = [
    "BrokenConfig",
    "Config",
    "DeclaredAccount",
    "DeclaredUser",
    "Limits",
    "Listener",
    "Problem",
    "Secret",
    "load_config",
    "parse_config",
    "resolve_account",
]
