"""An index over the few lines of the journal that are work: reports that are due and sent, and mail to everybody.

A start looked for them among all lines of eight days. No other line is in the index, so a delivery writes no page more.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

WORK = "kind IN ('public.sent', 'report.due', 'report.sent')"


def upgrade() -> None:
    """Make it."""
    op.create_index("event_work", "event", ["kind", "at"], sqlite_where=sa.text(WORK), postgresql_where=sa.text(WORK))
