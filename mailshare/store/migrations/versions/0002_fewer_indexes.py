"""Two indexes less: each delivery wrote a page of its own for each of them.

Message-IDs are looked up by people, a few times a day, and old duplicate keys are searched once an hour: both may read
the whole table.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Drop them."""
    op.drop_index("message_field", table_name="message")
    op.drop_index("duplicate_at", table_name="duplicate")
