"""Every number of mailshare that bounds something, with its default, its range and its meaning.

These tables are the one place for them: the configuration's ``[limits]`` is read into the first, ``mailshare check
--defaults`` prints both, docs/reference/configuration.md repeats them (a test compares the two).
"""

from __future__ import annotations

from typing import Any

from attrs import field, fields, frozen


def _bound(
    default: int, unit: str, meaning: str, least: int = 1, most: int = 2**53, *, at_start: bool = False
) -> Any:
    metadata = {"unit": unit, "meaning": meaning, "least": least, "most": most, "at_start": at_start}
    return field(default=default, metadata=metadata)


def _steps(default: tuple[int, ...], unit: str, meaning: str, most: int, *, at_start: bool = False) -> Any:
    """As :func:`_bound`, for a list: the last one holds from then on."""
    metadata = {"unit": unit, "meaning": meaning, "least": 1, "most": most, "at_start": at_start}
    return field(default=default, metadata=metadata)


def _fixed(default: int, unit: str, meaning: str, least: int = 1, most: int = 2**53) -> Any:
    """As :func:`_bound`, for what is only looked at when the server starts."""
    return _bound(default, unit, meaning, least, most, at_start=True)


@frozen(kw_only=True)
class Limits:
    """The limits of one server: whole numbers, and two lists of them.

    Metadata of each field: ``unit, meaning, least, most``, and ``at_start``: a change is taken over when the server
    starts; one of the others by a reload, for what comes in from then on.
    """

    command_line: int = _bound(2048, "octets", "longest SMTP command line, then 500 and the connection ends", 512)
    auth_line: int = _bound(12288, "octets", "longest line of a login exchange", 512, 65536)
    body_line: int = _bound(65536, "octets", "longest line inside a message", 1000)
    message_size: int = _bound(50_000_000, "octets", "largest message taken from clients; SIZE announces it", 65536)
    collected_size: int = _fixed(100_000_000, "octets", "largest message fetched from the provider", 65536)
    header_size: int = _bound(262_144, "octets", "header block that is still looked into", 4096)
    header_lines: int = _fixed(2000, "lines", "of a header that are looked into; with more: ADMIN", 100, 100_000)
    header_field: int = _fixed(65536, "octets", "one header field that is looked into; the same", 2000, 262_144)
    header_addresses: int = _fixed(2000, "addresses", "recipients named in a header; the same", 10, 5000)
    mime_depth: int = _fixed(50, "levels", "parts inside parts that are taken apart, for printers", 3, 100)
    mime_parts: int = _fixed(1000, "parts", "parts of a message that are taken apart", 10, 100_000)
    mime_parameters: int = _fixed(100, "pieces", "parameters of a field, and pieces of them (RFC 2231)", 10, 999)
    mime_boundary: int = _fixed(200, "octets", "longest boundary that is believed (RFC 2046: 70)", 70, 2048)
    received_hops: int = _bound(30, "fields", "Received fields after which a message counts as looping", 10, 1000)
    recipients: int = _bound(200, "recipients", "recipients of one message (RFC 5321 wants 100 or more)", 100)
    unknown_recipients: int = _bound(20, "recipients", "refused in a session, then each is put off and a mistake")
    connections: int = _bound(200, "connections", "open connections of one listener")
    connections_per_peer: int = _bound(20, "connections", "open connections from one address")
    pop3_per_user: int = _bound(10, "connections", "POP3 connections logged in as one user")
    errors_slow: int = _bound(5, "errors", "mistakes of a session after which each answer waits")
    errors_pause: int = _bound(1, "seconds", "that it waits", 0, 60)
    errors_close: int = _bound(15, "errors", "mistakes of a session after which it ends")
    idle_commands: int = _bound(50, "commands", "NOOP, RSET, VRFY and such without a message; then they are mistakes")
    greeting_timeout: int = _bound(30, "seconds", "from the greeting to EHLO", 5, 3600)
    smtp_idle: int = _bound(300, "seconds", "wait for the next SMTP command (RFC 5321: 300)", 10, 86400)
    pop3_idle: int = _bound(600, "seconds", "wait for the next POP3 command (RFC 1939: 600)", 10, 86400)
    data_block: int = _bound(180, "seconds", "wait for the next octets of a message", 5, 86400)
    data_whole: int = _bound(1800, "seconds", "time for the whole of a message", 30, 86400)
    data_rate: int = _bound(200, "octets a second", "slowest a client may send a message", 0)
    data_rate_over: int = _bound(60, "seconds", "over which that is measured", 5, 3600)
    tls_handshake: int = _bound(20, "seconds", "time for a TLS handshake", 2, 600)
    session: int = _bound(7200, "seconds", "longest life of a session", 60, 604800)
    auth_tries: int = _bound(5, "tries", "wrong passwords on one connection", 1, 100)
    auth_delays: tuple[int, ...] = _steps(
        (500, 2000, 4000, 8000, 15000),
        "milliseconds",
        "wait after each wrong password, by address (IPv6: /64) and by user; the last from then on",
        60_000,
    )
    auth_forget: int = _bound(900, "seconds", "after which wrong passwords of an address are forgotten", 1, 86400)
    client_connect: int = _fixed(30, "seconds", "time to reach the provider", 1, 600)
    client_tls: int = _fixed(20, "seconds", "time for the TLS handshake with the provider", 1, 600)
    client_greeting: int = _fixed(60, "seconds", "time for the provider's greeting", 1, 600)
    client_command: int = _fixed(120, "seconds", "time for one answer of the provider", 1, 3600)
    client_message: int = _fixed(60, "seconds", "least time for a message from or to the provider", 1, 3600)
    client_rate: int = _fixed(2048, "octets a second", "what a larger message gets on top: its size by this", 1)
    client_run: int = _fixed(3600, "seconds", "longest session with the provider", 60, 86400)
    reply_line: int = _fixed(8192, "octets", "longest line of an answer of a provider's mailbox", 512, 1_048_576)
    unique_id: int = _fixed(255, "octets", "longest unique-id of a provider's message that is believed", 70, 4096)
    listing_rows: int = _fixed(100_000, "rows", "longest listing taken from a provider's mailbox")
    capabilities: int = _fixed(100, "lines", "lines of a provider's CAPA", 20, 10_000)
    relay_reply_line: int = _fixed(4096, "octets", "longest line of an answer of a smarthost", 512, 1_048_576)
    relay_reply_lines: int = _fixed(100, "lines", "lines of one answer of a smarthost", 5, 10_000)
    fetch_tries: int = _fixed(3, "runs", "in which a message cannot be fetched, then it is left and ADMIN told", 1, 100)
    login_refusals: int = _fixed(2, "refusals", "of a login at a provider in a row, then login_refused_pause", 1, 10)
    login_refused_pause: int = _fixed(3600, "seconds", "pause of an account whose login is refused", 60, 604800)
    retry_first: tuple[int, ...] = _steps(
        (60, 300, 900, 3600), "seconds", "between the first tries of waiting mail", 86400, at_start=True
    )
    retry_last: int = _fixed(3600, "seconds", "between all later ones", 60)
    delay_notice: int = _fixed(14400, "seconds", "after which the sender hears that mail is late", 60)
    give_up: int = _fixed(432_000, "seconds", "after which waiting mail goes back to its sender", 300)
    disk_reserve: int = _fixed(100_000_000, "octets", "free room below which no mail is taken", 0)
    duplicate_window: int = _fixed(14, "days", "within which the same message enters a mailbox once", 0, 3650)
    former_mailbox: int = _fixed(30, "days", "that the mail of a deleted user is kept", 0, 3650)
    threads: int = _fixed(2, "threads", "for passwords and files", 1, 64)

    @classmethod
    def read_at_start(cls) -> tuple[str, ...]:
        """The limits whose change waits for a restart."""
        return tuple(one.name for one in fields(cls) if one.metadata["at_start"])

    @classmethod
    def table(cls) -> tuple[tuple[str, int | list[int], str, str], ...]:
        """``(name, default, unit, meaning)`` of every limit, in order, as TOML and JSON write it."""
        return tuple(
            (
                one.name,
                list(one.default) if isinstance(one.default, tuple) else one.default,
                one.metadata["unit"],
                one.metadata["meaning"],
            )
            for one in fields(cls)
        )


FIXED = (
    ("tls_least", "1.2", "version", "of TLS, to clients and to providers, whose certificates are checked"),
    ("memory", "512", "MB", "of the process, by examples/mailshare.service"),
)
"""What bounds something and cannot be set in the file: ``(name, value, unit, meaning)``. A test compares it."""
