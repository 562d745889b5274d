"""The tables of the configuration file, as attrs classes. Defaults stand here and nowhere else.

The field names are the keys of the file; ``metadata["meaning"]`` is the sentence that the reference prints.
Which keys contradict each other is told in :mod:`mailshare.config.checks`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from attrs import field, frozen

from mailshare.config.fax_schema import (
    FaxBoxTable,
    FaxCallerTable,
    FaxContactTable,
    FaxCoverTable,
    FaxLineTable,
    FaxMailboxTable,
    FaxRouteTable,
    FaxTable,
)
from mailshare.config.limits import Limits
from mailshare.config.printer_schema import (
    PrinterContactTable,
    PrinterGuestTable,
    PrinterKeyTable,
    PrinterSenderTable,
    PrinterTable,
)
from mailshare.config.written_keys import Secret, WindowTable, keys_of, written_key
from mailshare.config.written_keys import key as _key

__all__ = [
    "REQUIRED",
    "AccountTable",
    "AdminTable",
    "AppPasswordTable",
    "DemonstrationTable",
    "DestinationTable",
    "DeviceTable",
    "ExtensionTable",
    "FaxContactTable",
    "FaxLineTable",
    "FaxRouteTable",
    "FaxTable",
    "FileTables",
    "ListenTable",
    "LogTable",
    "PrintTable",
    "PrinterContactTable",
    "PrinterGuestTable",
    "PrinterKeyTable",
    "PrinterSenderTable",
    "PrinterTable",
    "PublicTable",
    "RuleTable",
    "Secret",
    "ServerTable",
    "StoreTable",
    "TrustedTable",
    "UserTable",
    "VacationTable",
    "WindowTable",
    "keys_of",
    "written_key",
]


@frozen(kw_only=True)
class ServerTable:
    """``[server]``: what the server is called and where it keeps its things."""

    hostname: str = _key("the name this server gives itself on the wire and in Received lines", "localhost")
    data: str = _key("directory for the store, keys and the control socket, relative to this file; made 0700", "var")
    zone: str = _key("IANA time zone of the log's days and of timetables without their own; empty = the system's", "")
    from_policy: Literal["fix", "enforce", "keep"] = _key(
        "what becomes of a From that is not the sender's: set right, refused, or left", "fix"
    )
    grace: int = _key("seconds that open sessions get to finish at SIGTERM", 30, least=0, most=3600)


@frozen(kw_only=True)
class StoreTable:
    """``[store]``: where the mail lies."""

    url: str = _key("sqlite: (a file under data), or memory: (forgets everything at the end)", "sqlite:")


@frozen(kw_only=True)
class ListenTable:
    """``[listen]``: where clients connect; lists of Twisted endpoint strings. Nothing given = the loopback defaults."""

    pop3: tuple[str, ...] = _key("POP3; STLS when certificates are known", factory=tuple)
    pop3s: tuple[str, ...] = _key("POP3 inside TLS: tls:DIRECTORY:PORT", factory=tuple)
    smtp: tuple[str, ...] = _key("SMTP of the local network", factory=tuple)
    submission: tuple[str, ...] = _key("submission with STARTTLS; log in first", factory=tuple)
    submissions: tuple[str, ...] = _key("submission inside TLS: tls:DIRECTORY:PORT; log in first", factory=tuple)
    device: tuple[str, ...] = _key("SMTP for the machines of [[device]] and nobody else", factory=tuple)
    ipp: tuple[str, ...] = _key("printing: a virtual printer for each [[destination]]", factory=tuple)
    ipps: tuple[str, ...] = _key("the same inside TLS: tls:DIRECTORY:PORT", factory=tuple)
    lpd: tuple[str, ...] = _key("printing by the old LPD protocol; the queue is the destination's name", factory=tuple)
    web: tuple[str, ...] = _key("the manager, for browsers: tls:DIRECTORY:PORT, or tcp: on this machine", factory=tuple)
    certificates: str = _key("directory of PEM files for STLS, STARTTLS and IPP's Upgrade, relative to this file", "")
    authority: str = _key("PEM file of the private authority behind the certificates; handed out to clients", "")

    def endpoints(self) -> tuple[tuple[str, str], ...]:
        """``(service, endpoint)`` of each listener, in order; those of destinations stand with them."""
        services = ("pop3", "pop3s", "smtp", "submission", "submissions", "device", "ipp", "ipps", "lpd", "web")
        return tuple((name, text) for name in services for text in getattr(self, name))


LOOPBACK_LISTENERS = (("pop3", "tcp:8110:interface=127.0.0.1"), ("smtp", "tcp:8025:interface=127.0.0.1"))


@frozen(kw_only=True)
class TrustedTable:
    """``[trusted]``: networks that are known."""

    networks: tuple[str, ...] = _key(
        "from here passwords may come without TLS, who does not log in may write to people here, "
        "and the address forms of the LAN are understood",
        ("127.0.0.0/8", "::1/128"),
    )
    devices: Mapping[str, str] = _key(
        "address or network to login: machines that send as that user without logging in, e.g. scanners", factory=dict
    )


@frozen(kw_only=True)
class WebTable:
    """``[web]``: the manager."""

    names: tuple[str, ...] = _key(
        "further names that browsers call the manager by, besides the server's own name and addresses", factory=tuple
    )
    lock: int = _key("idle minutes after which it asks for the password again; 0 = never", 30, least=0, most=720)
    decided: tuple[Literal["listen", "account", "probe", "users", "timer"], ...] = _key(
        "steps of the first run that this file has settled and nobody is asked: listen, account, probe, users, timer",
        factory=tuple,
    )


@frozen(kw_only=True)
class LogTable:
    """``[log]``: the journal per day. Where the server's own log goes is twistd's business."""

    days: int = _key("days of the journal that are kept besides today; -1 = for ever", 30, least=-1, most=36500)


@frozen(kw_only=True)
class DemonstrationTable:
    """``[demonstration]``: a pretend provider in the same process."""

    isp: bool = _key("start the pretend provider", False)
    every: int = _key("seconds between mails from outside; 0 = none come", 5, least=0, most=86400)
    mailboxes: tuple[str, ...] = _key(
        "addresses of further mailboxes there; the login is what stands before the @", factory=tuple
    )
    pop3: int = _key("its POP3 port on 127.0.0.1", 9110, least=0, most=65535)
    smtp: int = _key("its SMTP port on 127.0.0.1", 9025, least=0, most=65535)


@frozen(kw_only=True)
class AppPasswordTable:
    """A line of ``app_passwords``."""

    label: str = _key("what it is for")
    mark: str = _key("its first letters")
    hash: str = field(default="", repr=False, metadata={"meaning": "argon2 hash"})
    scram: str = field(default="", repr=False, metadata={"meaning": "SCRAM verifier; empty = none"})
    made: int = _key("microseconds since 1970 UTC", 0, least=0)


@frozen(kw_only=True)
class AdminTable:
    """``admin`` of an account: what commands have set of its ADMINn."""

    names: tuple[str, ...] = _key("further names that mean ADMIN", factory=tuple)
    password: Secret = _key("of ADMIN's mailbox: {hash=, scram=}", factory=Secret)
    cc: tuple[str, ...] = _key("login names that get a copy of what ADMIN gets", factory=tuple)
    enabled: bool = _key("false = nobody logs in as ADMIN; mail still arrives", True)
    local_only: bool = _key("true = ADMIN sends nothing to the outside", False)
    quota: int = _key("octets after which ADMIN is warned; 0 = no bound", 0, least=0)
    quota_messages: int = _key("messages after which ADMIN is warned; 0 = no bound", 0, least=0)
    forward: tuple[str, ...] = _key("addresses outside that get everything ADMIN gets", factory=tuple)
    forward_keep: bool = _key("false = ADMIN's mailbox keeps only what could not be forwarded", True)
    app_passwords: tuple[AppPasswordTable, ...] = _key("ADMIN's further passwords", factory=tuple)


@frozen(kw_only=True)
class PublicTable:
    """``public`` of an account: what commands have set of its PUBLICn."""

    names: tuple[str, ...] = _key("further names that mean everybody", factory=tuple)
    enabled: bool = _key("false = nobody here may write to everybody", True)


@frozen(kw_only=True)
class AccountTable:
    """``[[account]]``: a mailbox at the provider that people share."""

    address: str = _key("its address, e.g. mail@company.example; required")
    mode: Literal["regular", "domain"] = _key("regular = one address, domain = catch-all of domains", "regular")
    enabled: bool = _key("false = neither collect nor send", True)
    domains: tuple[str, ...] = _key("the domains of a catch-all", factory=tuple)
    aliases: tuple[str, ...] = _key("further addresses that reach the same mailbox", factory=tuple)
    tag_delimiter: str = _key("what stands between name and tag in mail+andrew@; empty = no tags", "+")
    collect: str = _key("server to fetch from: imaps://login@host[:port] or pop3s:; also imap: and pop3:", "")
    relay: str = _key("server to send through: submissions://login@host[:port]; also submission: and smtp:", "")
    password: Secret = _key("of both servers: {env=}, {file=}, {credential=}, {command=[]}, or a text", factory=Secret)
    timetable: tuple[WindowTable, ...] = _key("when to collect", factory=lambda: (WindowTable(),))
    zone: str = _key("IANA zone of the timetable; empty = the server's", "")
    threshold: int = _key("waiting mails that start a send/receive; 0 = off", 1, least=0, most=100000)
    hold_outside: bool = _key("true = waiting mail also keeps to the timetable", False)
    leave_on_server_days: int = _key("days that collected mail stays there; -1 = for ever", 0, least=-1, most=36500)
    ambiguous: Literal["admin", "all"] = _key("who gets mail whose name fits several users", "admin")
    options: Mapping[str, object] = _key("rarer settings, see the reference", factory=dict)
    found: Mapping[str, object] = _key(
        "what was learned about the provider, as export writes it; only for an account that is new here", factory=dict
    )
    admin: AdminTable = _key(
        "what was set of ADMINn, as export writes it; only for an account that is new here", factory=AdminTable
    )
    public: PublicTable = _key(
        "what was set of PUBLICn, as export writes it; only for an account that is new here", factory=PublicTable
    )


@frozen(kw_only=True)
class VacationTable:
    """``vacation`` of a user: the answer while somebody is away."""

    text: str = _key("what senders are told; empty = no answer")
    subject: str = _key("its subject; empty = that of what is answered")
    start: str = _key("YYYY-MM-DD, first day; empty = always")
    end: str = _key("YYYY-MM-DD, last day; empty = no end")


@frozen(kw_only=True)
class UserTable:
    """``[[user]]``: somebody with a local mailbox."""

    name: str = _key("login name; required")
    names: tuple[str, ...] = _key("full names and aliases that mail may be addressed to", factory=tuple)
    password: Secret = _key("as of an account, or {hash=, scram=} as export writes it", factory=Secret)
    accounts: tuple[str, ...] = _key("addresses of the accounts; mail leaves by the first", factory=tuple)
    cc: tuple[str, ...] = _key("login names that get a copy of everything", factory=tuple)
    enabled: bool = _key("false = no login, and mail goes to ADMIN", True)
    local_only: bool = _key("true = no mail from or to the outside", False)
    quota: int = _key("octets that the mailbox may hold; 0 = no bound", 0, least=0)
    quota_messages: int = _key("messages that the mailbox may hold; 0 = no bound", 0, least=0)
    forward: tuple[str, ...] = _key("addresses outside that get everything this user gets", factory=tuple)
    forward_keep: bool = _key("false = the mailbox keeps only what could not be forwarded", True)
    vacation: VacationTable = _key(
        "the answer while away, as export writes it; only for a user who is new here", factory=VacationTable
    )
    app_passwords: tuple[AppPasswordTable, ...] = _key(
        "further passwords, as export writes them; only for a user who is new here", factory=tuple
    )


@frozen(kw_only=True)
class DeviceTable:
    """``[[device]]``: a machine that sends without a login, known by its address: a scanner, an alarm, a printer."""

    name: str = _key("what it is called in the journal; required")
    networks: tuple[str, ...] = _key("addresses or networks it sends from; required")
    user: str = _key("login it sends as; From and envelope are always this user's; required")
    recipients: tuple[str, ...] = _key(
        "whom it may write to: local, an address, @domain, or * for everybody", ("local",)
    )
    per_hour: int = _key("messages it may send in an hour; 0 = no bound", 60, least=0, most=1_000_000)


@frozen(kw_only=True)
class RuleTable:
    """``[[rule]]``: where mail goes that names nobody; as taught by ``mailshare admin always-give`` and exported."""

    account: str = _key("address of the account whose mail it is; required")
    kind: Literal["list", "from", "to"] = _key("by mailing list, by sender, or by what it was written to", "from")
    match: str = _key("list, address, @domain of a sender, or name to be equal to, in any case; required")
    users: tuple[str, ...] = _key("login names that get such mail", factory=tuple)


@frozen(kw_only=True)
class PrintTable:
    """``[print]``: what holds for printing to all destinations."""

    defaults: Mapping[str, object] = _key(
        "options of jobs that neither the job nor its destination sets, by their IPP names", factory=dict
    )
    networks: tuple[str, ...] = _key("from where jobs are taken; none = the trusted networks", factory=tuple)
    login: bool = _key("IPP clients must name a user of the office and the password, by HTTP Basic", False)
    operators: tuple[str, ...] = _key(
        "from where queues are paused and everybody's jobs are cancelled", ("127.0.0.0/8", "::1/128")
    )
    fetch_from: tuple[str, ...] = _key(
        "hosts, or host:port, that documents may be fetched from when a client gives an address in place of a document",
        factory=tuple,
    )
    announce: tuple[str, ...] = _key(
        "addresses of this machine on whose networks queues are announced by DNS-SD, or all; none = nowhere",
        factory=tuple,
    )
    document_size: int = _key("octets of the largest document", 1 << 30, least=1 << 16)
    jobs: int = _key("jobs that may wait for one destination", 1000, least=1, most=100_000)
    document_wait: int = _key("seconds that an open job waits for its next document", 300, least=30, most=86_400)
    keep_documents: int = _key("hours that the documents of a finished job are kept", 24, least=0, most=87_600)
    keep_jobs: int = _key("days that finished jobs are listed", 30, least=1, most=3650)


@frozen(kw_only=True)
class DocumentsTable:
    """``[documents]``: how much one document may ask for while it is worked out, in a process of its own."""

    seconds: int = _key("of time, and of processor time", 60, least=1, most=3600)
    memory: int = _key("octets of address space; less than 512 MiB opens little", 1 << 30, least=1 << 28)
    size: int = _key("octets of the largest document that is opened", 1 << 30, least=1 << 16)
    result: int = _key("octets of the largest file that comes of one", 1 << 29, least=1 << 20)
    pages: int = _key("pages of a document, and of what comes of it", 500, least=1, most=1_000_000)
    pixels: int = _key("most pixels of a picture, and of a page of raster", 120_000_000, least=1_000_000)
    tools: tuple[str, ...] = _key(
        "programs outside that may be used where they are installed: gs opens PostScript and writes PCL, pdftops "
        "writes PostScript, soffice opens office documents, jbgtopbm pages of faxes in JBIG, which take longer "
        "without it; by name, or by path where they lie elsewhere than usual",
        ("gs", "pdftops", "soffice", "jbgtopbm"),
    )


@frozen(kw_only=True)
class DestinationTable:
    """``[[destination]]``: a printer elsewhere that programs print to, or a group of them."""

    name: str = _key("of the queue, as programs see it; required")
    address: str = _key("where its jobs go: a mail address, or that of a device; empty for a group")
    title: str = _key("a line for people; empty = made from the name")
    location: str = _key("where the printer stands")
    members: tuple[str, ...] = _key("names of the destinations of a group; each gets every job", factory=tuple)
    defaults: Mapping[str, object] = _key("options of jobs that set them not, by their IPP names", factory=dict)
    color: bool = _key("false = it prints black only", True)
    duplex: bool = _key("false = it prints on one side only", True)
    formats: tuple[str, ...] = _key("media types of documents that are taken; none = all that are known", factory=tuple)
    media: tuple[str, ...] = _key("names of paper sizes, the usual one first; none = the common ones", factory=tuple)
    resolutions: tuple[int, ...] = _key("dots per inch", (150, 300, 600))
    socket: tuple[str, ...] = _key("endpoints that take documents as printers do on port 9100", factory=tuple)
    account: str = _key("address of the account that its mails leave by; empty = the first one")
    key: Secret = _key(
        "what signs its jobs, {env=}, {file=} ...: a shared secret of 32 octets at least, or a private key",
        factory=Secret,
    )
    key_id: str = _key("the name that both sides have for the key")
    signature: Literal["HS256", "EdDSA"] = _key("HS256 = the key is a shared secret; EdDSA = a private key", "HS256")
    printer_key: str = _key("EdDSA: the public key of the printer, 32 octets in base64, by which it reports")
    part_size: int = _key("octets of a document in one mail; 0 = as the provider takes them", 0, least=0)
    compress: bool = _key("pack documents that this makes smaller: PostScript, raster, PCL, text", True)
    encrypt: bool = _key("encrypt documents with the key, so that only the printing server can read them", False)
    lifetime: int = _key("hours after which the printing server prints a job no more", 24, least=1, most=168)


@frozen(kw_only=True)
class ExtensionTable:
    """``[[extension]]``: a part of another distribution, found by its entry point."""

    group: Literal["realms", "checkers", "agents", "gates", "printers"] = _key("what kind of part it is", "gates")
    kind: str = _key("the name of its entry point; required")
    options: Mapping[str, object] = _key("what the part itself asks for", factory=dict)


@frozen(kw_only=True)
class FileTables:
    """A whole file."""

    server: ServerTable = field(factory=ServerTable)
    store: StoreTable = field(factory=StoreTable)
    listen: ListenTable = field(factory=ListenTable)
    trusted: TrustedTable = field(factory=TrustedTable)
    limits: Limits = field(factory=Limits)
    log: LogTable = field(factory=LogTable)
    web: WebTable = field(factory=WebTable)
    demonstration: DemonstrationTable = field(factory=DemonstrationTable)
    account: tuple[AccountTable, ...] = ()
    user: tuple[UserTable, ...] = ()
    rule: tuple[RuleTable, ...] = ()
    device: tuple[DeviceTable, ...] = ()
    print: PrintTable = field(factory=PrintTable)
    documents: DocumentsTable = field(factory=DocumentsTable)
    destination: tuple[DestinationTable, ...] = ()
    printer: tuple[PrinterTable, ...] = ()
    fax: FaxTable = field(factory=FaxTable)
    fax_line: tuple[FaxLineTable, ...] = ()
    fax_contact: tuple[FaxContactTable, ...] = ()
    fax_route: tuple[FaxRouteTable, ...] = ()
    fax_box: tuple[FaxBoxTable, ...] = ()
    fax_caller: tuple[FaxCallerTable, ...] = ()
    fax_cover: tuple[FaxCoverTable, ...] = ()
    fax_mailbox: tuple[FaxMailboxTable, ...] = ()
    extension: tuple[ExtensionTable, ...] = ()

    @property
    def prints(self) -> bool:
        """Whether the file says anything about printing; if not, nothing of it is imported."""
        listen = self.listen
        declared = self.destination or self.printer or self.print != PrintTable()
        return bool(declared or listen.ipp or listen.ipps or listen.lpd)

    @property
    def faxes(self) -> bool:
        """Whether the file says anything about faxes; likewise."""
        return bool(
            self.fax_line
            or self.fax_contact
            or self.fax_route
            or self.fax_mailbox
            or self.fax_box
            or self.fax_caller
            or self.fax_cover
            or self.fax != FaxTable()
        )

    def endpoints(self) -> tuple[tuple[str, str, tuple[str | int, ...]], ...]:
        """``(service, endpoint, where it stands)`` of every listener."""
        counts: dict[str, int] = {}
        out: list[tuple[str, str, tuple[str | int, ...]]] = []
        for service, text in self.listen.endpoints():
            index = counts[service] = counts.get(service, -1) + 1
            out.append((service, text, ("listen", service, index)))
        for number, one in enumerate(self.destination):
            for index, text in enumerate(one.socket):
                out.append((f"socket {one.name}", text, ("destination", number, "socket", index)))
        return tuple(out)


REQUIRED = {
    "account": ("address",),
    "user": ("name",),
    "device": ("name", "networks", "user"),
    "rule": ("account", "match"),
    "destination": ("name",),
    "printer": ("name", "device"),
    "fax_line": ("name", "kind"),
    "fax_contact": ("name",),
    "fax_route": ("to",),
    "fax_box": ("name",),
    "fax_cover": ("name",),
    "fax_mailbox": ("account", "header", "user", "senders"),
    "extension": ("kind",),
}
