"""Which reactor runs is for the program to choose: importing mailshare installs none."""

from __future__ import annotations

import subprocess
import sys

_PROGRAM = """
import importlib, pkgutil, sys
import mailshare
for found in pkgutil.walk_packages(mailshare.__path__, "mailshare."):
    if ".migrations" in found.name:
        continue  # Alembic runs these by path
    importlib.import_module(found.name)
    if "twisted.internet.reactor" in sys.modules:
        sys.exit(f"importing {found.name} installs a reactor")
print(len([name for name in sys.modules if name.startswith("mailshare.")]))
"""


def test_no_module_installs_a_reactor() -> None:
    """All of them are imported, in a process of their own."""
    found = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) > 150
