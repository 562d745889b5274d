"""How much of a message is looked into, by whoever reads headers and parts in this process.

Headers are read at some hundred places, many of them far from any configuration, so these bounds belong to the process:
the assembly sets them once, from ``[limits]``, before an office takes its first message.
"""

from __future__ import annotations

from attrs import define


@define
class Bounds:
    """The bounds.

    :ivar header_lines: lines of a header.
    :ivar header_field: octets of one field.
    :ivar header_addresses: mailboxes of one field, and recipients of a header.
    :ivar mime_depth: parts inside parts.
    :ivar mime_parts: parts of a message.
    """

    header_lines: int = 2_000
    header_field: int = 64 * 1024
    header_addresses: int = 2_000
    mime_depth: int = 20
    mime_parts: int = 1_000


BOUNDS = Bounds()
"""Those of this process."""
