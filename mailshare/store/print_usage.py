"""Counts from the rows of print jobs how much was printed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from mailshare.core.print_usage import PrintUsage
from mailshare.core.values import PrintState
from mailshare.store.print_rows import KIND

_COMPLETED = int(PrintState.COMPLETED)
_USAGE = f"""
SELECT strftime('%Y-%m', json_extract(manifest, '$.completed') / 1000000, 'unixepoch') AS month,
       member.key AS printer,
       coalesce(nullif(json_extract(manifest, '$.ticket.mail.sender'), ''), json_extract(manifest, '$.ticket.user'), '')
         AS sender,
       count(*),
       sum(json_extract(member.value, '$.state') = {_COMPLETED}),
       sum(json_extract(member.value, '$.state') = {int(PrintState.ABORTED)}
         AND json_extract(member.value, '$.certainty') <> 'unknown'),
       sum(json_extract(member.value, '$.certainty') = 'unknown'),
       sum(CASE WHEN json_extract(member.value, '$.impressions') >= 0 THEN json_extract(member.value, '$.impressions')
                WHEN json_extract(member.value, '$.state') = {_COMPLETED}
                THEN max(coalesce(json_extract(manifest, '$.ticket.mail.pages'), 0), 0) ELSE 0 END),
       sum(max(json_extract(member.value, '$.sheets'), 0))
FROM assembly, json_each(assembly.manifest, '$.members') AS member
WHERE kind = '{KIND}' AND state >= {int(PrintState.CANCELED)}
  AND json_extract(manifest, '$.completed') >= ? AND json_extract(manifest, '$.completed') < ?
GROUP BY month, printer, sender ORDER BY month, printer, sender
"""


def read_usage(connection: sqlite3.Connection, first: int, until: int) -> Sequence[PrintUsage]:
    """Jobs that were over from ``first`` up to before ``until``, microseconds UTC."""
    return [PrintUsage(*row) for row in connection.execute(_USAGE, (first, until)).fetchall()]
