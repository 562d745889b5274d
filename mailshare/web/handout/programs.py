"""Configuration files of msmtp, mpop, fetchmail, getmail and Thunderbird.

Each has its own idea of quoting; what a file cannot carry is refused, never bent. No password stands inside unless one
is given; the programs ask for it then, or read it from their own safe place.
"""

from __future__ import annotations

import json

from mailshare.core.errors import ConfigFault, PeerFault
from mailshare.web.handout.description import Door, Handout
from mailshare.web.handout.plain_text import exact

AUTHORITY_FILE = "/usr/local/share/ca-certificates/mailshare.crt"
SYSTEM_FILE = "/etc/ssl/certs/ca-certificates.crt"
_LINE = 480  # msmtp and mpop read lines of 500 octets


def msmtp(handout: Handout, *, password: str = "", authority: str = AUTHORITY_FILE) -> str:
    """``~/.msmtprc``, for sending.

    :param authority: where the desk keeps the certificate of a private authority.
    """
    door = handout.needed("smtp")
    sender = _spoken("from", str(handout.address))
    return _account(handout, door, "~/.msmtprc", "msmtp", password, authority, [sender])


def mpop(
    handout: Handout, *, password: str = "", authority: str = AUTHORITY_FILE, mailbox: str = "~/Mail"
) -> str:
    """``~/.mpoprc``, for reading into a Maildir.

    :param mailbox: a Maildir that exists.
    """
    door = handout.needed("pop3")
    rest = ["# The Maildir must be there first; mail that was read is taken off the server.", "keep off"]
    rest.append(_line("delivery maildir", exact(mailbox, "mailbox")))
    return _account(handout, door, "~/.mpoprc", "mpop", password, authority, rest)


def _account(
    handout: Handout, door: Door, file: str, program: str, password: str, authority: str, rest: list[str]
) -> str:
    """What msmtp and mpop have in common."""
    lines = [f"# {file} (mode 600): {program} of {handout.name}", *_about_authority(handout, authority, "# ")]
    lines += ["account mailshare", _line("host", door.host), f"port {door.port}"]
    if door.tls == "none":
        lines += ["tls off", f"auth {'user' if door.protocol == 'pop3' else 'plain'}"]
    else:
        trust = _spoken("tls_trust_file", authority) if handout.authority else "tls_trust_file system"
        lines += ["tls on", f"tls_starttls {'on' if door.tls == 'starttls' else 'off'}", trust, "auth on"]
    lines.append(_spoken("user", handout.login))
    lines.append(_spoken("password", password) if password else "# The password is asked for, or see passwordeval.")
    return "\n".join([*lines, *rest, "account default : mailshare"]) + "\n"


def _spoken(key: str, value: str) -> str:
    """A line of msmtp and mpop: they take one pair of quotes off, and know no other escapes."""
    return _line(key, f'"{exact(value, key)}"')


def _line(key: str, value: str) -> str:
    line = f"{key} {value}"
    if len(line.encode()) > _LINE:
        raise PeerFault(f"The {key} is too long for this program", code=400)
    return line


def fetchmail(handout: Handout, *, password: str = "", authority: str = AUTHORITY_FILE) -> str:
    """``~/.fetchmailrc``, for reading; what is fetched goes on to the desk's own mail server."""
    door = handout.needed("pop3")
    tls = {"none": 'sslproto ""', "starttls": 'sslproto "TLS1.2+" sslcertck', "implicit": "ssl sslcertck"}[door.tls]
    if handout.authority is not None and door.tls != "none":
        tls += f" sslcertfile {_c_string(authority)}"
    lines = [
        f"# ~/.fetchmailrc (mode 600): fetchmail of {handout.name}",
        *_about_authority(handout, authority, "# "),
        f"poll {_c_string(door.host)} protocol pop3 service {door.port}",
        f"  user {_c_string(handout.login)}",
        f"  password {_c_string(password)}" if password else "  # The password is asked for, or taken from ~/.netrc.",
        f"  {tls}",
        "  fetchall no rewrite",
    ]
    return "\n".join(lines) + "\n"


def _c_string(text: str) -> str:
    """A text between quotes for fetchmail: octets that are not plain ASCII go in as backslash, x and two digits."""
    octets = exact(text, "value").encode()
    return '"' + "".join(chr(one) if 32 <= one < 127 and one not in b'"\\' else f"\\x{one:02x}" for one in octets) + '"'


def getmail(
    handout: Handout, *, password: str = "", authority: str = AUTHORITY_FILE, mailbox: str = "~/Mail/"
) -> str:
    """``~/.config/getmail/getmailrc``, for reading into a Maildir.

    :param mailbox: a Maildir that exists, with a slash at the end.
    :raises ConfigFault: only STARTTLS is offered, which getmail does not have.
    """
    door = handout.needed("pop3")
    if door.tls == "starttls":
        raise ConfigFault("getmail has no STARTTLS; give the server a listener pop3s under [listen]")
    secure = door.tls == "implicit"
    lines = [
        f"# ~/.config/getmail/getmailrc (mode 600): getmail of {handout.name}",
        *_about_authority(handout, authority, "# "),
        "[retriever]",
        f"type = {'SimplePOP3SSLRetriever' if secure else 'SimplePOP3Retriever'}",
        f"server = {door.host}",
        f"port = {door.port}",
        f"username = {_unquoted(handout.login, 'login')}",
        f"password = {_unquoted(password, 'password')}" if password else "# The password is asked for.",
    ]
    if secure:
        lines.append(f"ca_certs = {_unquoted(authority if handout.authority else SYSTEM_FILE, 'file name')}")
    lines += ["[destination]", "type = Maildir", f"path = {_unquoted(mailbox, 'mailbox')}"]
    lines += ["[options]", "delete = true"]
    return "\n".join(lines) + "\n"


def _unquoted(text: str, what: str) -> str:
    """A value for getmail: it knows no quotes and drops blanks at both ends."""
    if text != text.strip():
        raise PeerFault(f"getmail's file cannot hold a {what} with blanks around it", code=400)
    return exact(text, what)


def thunderbird(handout: Handout) -> str:
    """``user.js`` of a fresh Thunderbird profile, for those who set up many desks; it asks for the password."""
    reading, sending = handout.needed("pop3"), handout.needed("smtp")
    sockets = {"implicit": 3, "starttls": 2, "none": 0}
    facts: dict[str, str | int | bool] = {
        "mail.accountmanager.accounts": "account1",
        "mail.accountmanager.defaultaccount": "account1",
        "mail.account.account1.server": "server1",
        "mail.account.account1.identities": "id1",
        "mail.server.server1.type": "pop3",
        "mail.server.server1.name": exact(str(handout.address), "address"),
        "mail.server.server1.hostname": reading.host,
        "mail.server.server1.port": reading.port,
        "mail.server.server1.socketType": sockets[reading.tls],
        "mail.server.server1.userName": handout.login,
        "mail.server.server1.authMethod": 3,
        "mail.server.server1.leave_on_server": False,
        "mail.identity.id1.fullName": handout.name,
        "mail.identity.id1.useremail": exact(str(handout.address), "address"),
        "mail.identity.id1.smtpServer": "smtp1",
        "mail.identity.id1.valid": True,
        "mail.smtpservers": "smtp1",
        "mail.smtp.defaultserver": "smtp1",
        "mail.smtpserver.smtp1.hostname": sending.host,
        "mail.smtpserver.smtp1.port": sending.port,
        "mail.smtpserver.smtp1.try_ssl": sockets[sending.tls],
        "mail.smtpserver.smtp1.username": handout.login,
        "mail.smtpserver.smtp1.authMethod": 3,
    }
    lines = [f"// user.js: Thunderbird of {handout.name}", *_about_authority(handout, "", "// ")]
    lines += [f"user_pref({json.dumps(name)}, {json.dumps(value)});" for name, value in facts.items()]
    return "\n".join(lines) + "\n"


def _about_authority(handout: Handout, file: str, mark: str) -> list[str]:
    """Comment lines on a private authority."""
    if handout.authority is None:
        return []
    where = f"Put its certificate into {exact(file, 'file name')} first." if file else "Import its certificate first."
    return [
        f"{mark}The server's certificate comes from a private authority. {where}",
        f"{mark}Its SHA-256 fingerprint: {handout.authority.fingerprint}",
    ]
