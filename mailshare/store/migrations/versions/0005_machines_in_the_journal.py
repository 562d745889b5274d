"""The index over the journal's work knows the messages of machines too: a start counts those of the last hour."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WORK = "kind IN ('device.sent', 'public.sent', 'report.due', 'report.sent')"


def upgrade() -> None:
    """Make it anew."""
    op.drop_index("event_work", table_name="event")
    op.create_index("event_work", "event", ["kind", "at"], sqlite_where=sa.text(WORK), postgresql_where=sa.text(WORK))
