"""Mail clients that people have, driven as they drive them: read a whole mailbox, send one message."""

from __future__ import annotations

import poplib
import re
import smtplib
import ssl
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import define
from real_peers.running import run

Find = Callable[[str], str]


@define
class Server:
    """How a client reaches a server.

    :ivar tls: ``"none"``, ``"starttls"`` or ``"implicit"``.
    :ivar authority: certificate file of the authority that signed the server's.
    """

    port: int
    tls: str
    user: str
    password: str
    authority: Path
    host: str = "localhost"

    def context(self) -> ssl.SSLContext:
        """A TLS context that trusts that authority only."""
        return ssl.create_default_context(cafile=str(self.authority))

    def url(self, scheme: str, *, login: bool = False) -> str:
        """A URL for a client that takes one; the scheme gets its ``s`` for implicit TLS."""
        who = f"{urllib.parse.quote(self.user)}:{urllib.parse.quote(self.password)}@" if login else ""
        return f"{scheme}{'s' if self.tls == 'implicit' else ''}://{who}{self.host}:{self.port}"


def bare(message: bytes) -> bytes:
    """A message with single line feeds and no empty lines at its end, as clients store it in their own ways."""
    return message.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n"


def private(path: Path, text: str) -> Path:
    """Write a file that only its owner may read, as these clients demand."""
    path.write_text(text)
    path.chmod(0o600)
    return path


def delivery_script(folder: Path) -> tuple[Path, Path]:
    """A program that puts its input into a new file of a folder: ``(program, folder)``."""
    inbox = folder / "inbox"
    inbox.mkdir(parents=True, exist_ok=True)
    script = folder / "deliver"
    script.write_text(
        f"#!/bin/sh\nset -e\nname={inbox}/$(ls {inbox} | wc -l).$$\ncat > $name.part\nmv $name.part $name\n"
    )
    script.chmod(0o755)
    return script, inbox


def stored(inbox: Path) -> list[bytes]:
    """What :func:`delivery_script` was handed, in order."""
    paths = sorted(inbox.iterdir(), key=lambda path: int(path.name.partition(".")[0]))
    return [bare(path.read_bytes()) for path in paths]


# --------------------------------------------------------------------------- readers


def read_poplib(_find: Find, server: Server, _folder: Path, *, delete: bool = False) -> list[bytes]:
    """Python's poplib; it refuses lines over 2,048 octets, so the limit is lifted here."""
    poplib._MAXLINE = 1 << 20  # type: ignore[attr-defined]
    if server.tls == "implicit":
        session: poplib.POP3 = poplib.POP3_SSL(server.host, server.port, context=server.context(), timeout=240)
    else:
        session = poplib.POP3(server.host, server.port, timeout=240)
        if server.tls == "starttls":
            session.stls(server.context())
    session.user(server.user)
    session.pass_(server.password)
    found = []
    for number in range(1, session.stat()[0] + 1):
        found.append(bare(b"\r\n".join(session.retr(number)[1]) + b"\r\n"))
        if delete:
            session.dele(number)
    session.quit()
    return found


def curl_options(server: Server) -> list[str]:
    """TLS and login options of curl."""
    tls = [] if server.tls != "starttls" else ["--ssl-reqd"]
    return [
        "-sS",
        "--max-time",
        "240",
        "--cacert",
        str(server.authority),
        *tls,
        "-u",
        f"{server.user}:{server.password}",
    ]


def read_curl(find: Find, server: Server, _folder: Path) -> list[bytes]:
    """Curl: the listing, then each message."""
    listing = run(find("curl"), *curl_options(server), server.url("pop3") + "/")
    numbers = [line.split()[0].decode() for line in listing.splitlines() if line.strip()]
    return [bare(run(find("curl"), *curl_options(server), f"{server.url('pop3')}/{n}")) for n in numbers]


def read_mpop(find: Find, server: Server, folder: Path) -> list[bytes]:
    """Mpop into a Maildir, leaving nothing on the server."""
    for part in ("cur", "new", "tmp"):
        (folder / "maildir" / part).mkdir(parents=True, exist_ok=True)
    tls = f"tls on\ntls_starttls {'on' if server.tls == 'starttls' else 'off'}\ntls_trust_file {server.authority}\n"
    config = private(
        folder / "mpoprc",
        f"account default\nhost {server.host}\nport {server.port}\nuser {server.user}\npassword {server.password}\n"
        f"{'tls off' + chr(10) if server.tls == 'none' else tls}auth user\nkeep off\nreceived_header off\n"
        f"uidls_file {folder}/uidls\ndelivery maildir {folder}/maildir\n",
    )
    run(find("mpop"), "-q", "-C", config)
    paths = sorted((folder / "maildir" / "new").iterdir(), key=lambda path: path.stat().st_mtime_ns)
    return [bare(path.read_bytes()) for path in paths]


def read_fetchmail(find: Find, server: Server, folder: Path) -> list[bytes]:
    """Fetchmail into a delivery program, headers left as they are."""
    script, inbox = delivery_script(folder)
    tls = {
        "none": 'sslproto ""',
        "starttls": f'sslproto "TLS1.2+" sslcertck sslcertfile {server.authority}',
        "implicit": f"ssl sslcertck sslcertfile {server.authority}",
    }[server.tls]
    config = private(
        folder / "fetchmailrc",
        f"set invisible\nset idfile {folder}/ids\nset no bouncemail\n"
        f"poll {server.host} protocol pop3 service {server.port}\n"
        f'  user "{server.user}" password "{server.password}" is root here\n'
        f'  {tls} fetchall no rewrite mda "{script}"\n',
    )
    home = {"FETCHMAILHOME": str(folder), "HOME": str(folder)}
    run(find("fetchmail"), "-s", "-f", config, "--pidfile", folder / "pid", environment=home)
    return stored(inbox)


def read_getmail(find: Find, server: Server, folder: Path) -> list[bytes]:
    """Getmail6 into a delivery program: it writes no Maildir as root. It has no STLS."""
    script, inbox = delivery_script(folder)
    secure = server.tls == "implicit"
    config = private(
        folder / "getmailrc",
        f"[retriever]\ntype = {'SimplePOP3SSLRetriever' if secure else 'SimplePOP3Retriever'}\n"
        f"server = {server.host}\nport = {server.port}\nusername = {server.user}\npassword = {server.password}\n"
        + (f"ca_certs = {server.authority}\n" if secure else "")
        + f"[destination]\ntype = MDA_external\npath = {script}\nallow_root_commands = true\n"
        f"[options]\ndelete = true\nreceived = false\ndelivered_to = false\n",
    )
    run(find("getmail"), "--quiet", "--getmaildir", folder, "--rcfile", config)
    return stored(inbox)


def nail_options(server: Server) -> list[str]:
    """TLS options of s-nail."""
    options = ["-S", "v15-compat", "-S", f"tls-ca-file={server.authority}", "-S", "tls-verify=strict"]
    return [
        *options,
        "-S",
        "tls-ca-no-defaults",
        *(["-S", "pop3-use-starttls", "-S", "smtp-use-starttls"] * (server.tls == "starttls")),
    ]


def read_nail(find: Find, server: Server, folder: Path) -> list[bytes]:
    """S-nail saves every message into an mbox file, which is split again."""
    target = folder / "mbox"
    login = ["-S", "pop3-auth=plain", "-S", "pop3-keepalive=0"]
    argv = [find("s-nail"), "-n", *nail_options(server), *login, "-Rf", server.url("pop3", login=True)]
    run(*argv, data=f"copy * {target}\nexit\n".encode(), environment={"MAILRC": "/dev/null", "HOME": str(folder)})
    parts = re.split(
        rb"(?m)^From \S+ +(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) .*\n", target.read_bytes() if target.exists() else b""
    )
    status = re.compile(rb"(?m)^(Status|X-Status|Content-Length|Lines): .*\n")
    return [bare(status.sub(b"", part)) for part in parts[1:]]


# --------------------------------------------------------------------------- senders


def send_smtplib(_find: Find, server: Server, sender: str, to: Sequence[str], message: bytes, _folder: Path) -> None:
    """Python's smtplib."""
    if server.tls == "implicit":
        session: smtplib.SMTP = smtplib.SMTP_SSL(server.host, server.port, context=server.context(), timeout=240)
    else:
        session = smtplib.SMTP(server.host, server.port, timeout=240)
        if server.tls == "starttls":
            session.starttls(context=server.context())
    with session:
        session.login(server.user, server.password)
        session.sendmail(sender, list(to), message)


def send_msmtp(find: Find, server: Server, sender: str, to: Sequence[str], message: bytes, folder: Path) -> None:
    """Msmtp, as sendmail replacements are called."""
    tls = f"tls on\ntls_starttls {'on' if server.tls == 'starttls' else 'off'}\ntls_trust_file {server.authority}\n"
    config = private(
        folder / "msmtprc",
        f"account default\nhost {server.host}\nport {server.port}\nfrom {sender}\nauth plain\nuser {server.user}\n"
        f"password {server.password}\n{'tls off' + chr(10) if server.tls == 'none' else tls}",
    )
    run(find("msmtp"), "-C", config, "--", *to, data=message.replace(b"\r\n", b"\n"))


def send_swaks(find: Find, server: Server, sender: str, to: Sequence[str], message: bytes, folder: Path) -> None:
    """Swaks, with the whole message from a file."""
    (folder / "data.eml").write_bytes(message.replace(b"\r\n", b"\n"))
    tls = {"none": [], "starttls": ["--tls"], "implicit": ["--tls-on-connect"]}[server.tls]
    verify = [] if server.tls == "none" else ["--tls-verify", "--tls-ca-path", str(server.authority)]
    login = ["--auth", "PLAIN", "--auth-user", server.user, "--auth-password", server.password]
    who = ["--from", sender, "--to", ",".join(to)]
    where = ["--server", server.host, "--port", str(server.port), "--ehlo", "client.office.example"]
    run(find("swaks"), "--silent", "2", *where, *tls, *verify, *login, *who, "--data", f"@{folder / 'data.eml'}")


def send_curl(find: Find, server: Server, sender: str, to: Sequence[str], message: bytes, folder: Path) -> None:
    """Curl's SMTP."""
    (folder / "upload.eml").write_bytes(message)
    recipients = [part for address in to for part in ("--mail-rcpt", address)]
    options = [*curl_options(server), "--mail-from", sender, *recipients, "-T", str(folder / "upload.eml")]
    run(find("curl"), *options, server.url("smtp") + "/client.office.example")


def send_nail(find: Find, server: Server, sender: str, to: Sequence[str], message: bytes, folder: Path) -> None:
    """S-nail composes the message itself: Subject and text of ours, its own other fields."""
    head, _, text = message.replace(b"\r\n", b"\n").partition(b"\n\n")
    subject = re.search(rb"(?mi)^Subject: (.*)$", head)
    marks = ["-S", f"from={sender}", "-S", "smtp-auth=plain", "-S", f"mta={server.url('smtp', login=True)}"]
    argv = [find("s-nail"), "-n", *nail_options(server), *marks, "-S", "hostname=client.office.example"]
    run(
        *(*argv, "-s", subject[1].decode() if subject else "none", *to),
        data=text,
        environment={"MAILRC": "/dev/null", "HOME": str(folder)},
    )


READERS = {
    "poplib": read_poplib,
    "curl": read_curl,
    "mpop": read_mpop,
    "fetchmail": read_fetchmail,
    "getmail": read_getmail,
    "s-nail": read_nail,
}
SENDERS = {
    "smtplib": send_smtplib,
    "msmtp": send_msmtp,
    "swaks": send_swaks,
    "curl": send_curl,
    "s-nail": send_nail,
}
