"""No table changes: bodies of middle size may lie in content files that many share (``message.storage`` 2).

An older program would look for a file of such a name, and take those that are there for files without a row.
"""

from __future__ import annotations

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """What is there stays where it lies."""
