"""How much of a message is looked into by whoever reads one in this process, and how often one is fetched.

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
    :ivar mime_parameters: parameters of a field; pieces of one count as such (RFC 2231 section 3).
    :ivar fetch_tries: runs in which a message could not be fetched, after which it is left alone and ADMIN told.
    :ivar mime_boundary: octets of a boundary; the standard says 70, some senders use more (RFC 2046 section 5.1.1).
    """

    header_lines: int = 2_000
    header_field: int = 64 * 1024
    header_addresses: int = 2_000
    mime_depth: int = 50
    mime_parts: int = 1_000
    mime_parameters: int = 100
    mime_boundary: int = 200
    fetch_tries: int = 3


BOUNDS = Bounds()
"""Those of this process."""
