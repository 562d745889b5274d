"""Writes mailshare/store/fresh_schema.py from the metadata: `python tests/store/write_fresh_schema.py`.

Whoever changes mailshare/store/schema.py runs this and commits the result; test_schema_versions.py compares the two.
"""

from __future__ import annotations

from pathlib import Path

import mailshare.store
from mailshare.store.schema import sqlite_statements

TARGET = Path(mailshare.store.__file__).with_name("fresh_schema.py")
TOP = '''"""The newest schema as SQLite statements, so that making a store imports neither SQLAlchemy nor Alembic.

Written by tests/store/write_fresh_schema.py from :mod:`mailshare.store.schema`; change it there.
"""

from __future__ import annotations

FRESH = (
'''


def text_of(statements: tuple[str, ...]) -> str:
    """The module's text."""
    tidy = ["\n".join(line.rstrip().replace("\t", "    ") for line in each.strip().split("\n")) for each in statements]
    return TOP + "".join(f'    """{each}""",\n' for each in tidy) + ")\n"


if __name__ == "__main__":
    TARGET.write_text(text_of(sqlite_statements()))
