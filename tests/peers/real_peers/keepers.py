"""Collectors that leave mail at the provider and remember by its unique-ids what they have had."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from real_peers.clients import Find, Server, delivery_script, private
from real_peers.running import ProgramFault, run


def keep_with_fetchmail(find: Find, server: Server, folder: Path) -> Path:
    """Fetchmail with ``keep``; its ``.fetchids``."""
    script, _ = delivery_script(folder)
    config = private(
        folder / "fetchmailrc",
        f"set idfile {folder}/.fetchids\nset no bouncemail\n"
        f"poll {server.host} protocol pop3 service {server.port} uidl\n"
        f'  user "{server.user}" password "{server.password}" is root here\n'
        f'  ssl sslcertck sslcertfile {server.authority} keep no rewrite mda "{script}"\n',
    )
    home = {"FETCHMAILHOME": str(folder), "HOME": str(folder)}
    command = [find("fetchmail"), "-s", "-f", config, "--pidfile", folder / "pid"]
    # Its own word for a connection to Dovecot that broke is that the next poll will do; both ends are foreign here.
    with contextlib.suppress(ProgramFault):
        run(*command, environment=home)
        return folder / ".fetchids"
    run(*command, environment=home)
    return folder / ".fetchids"


def keep_with_getmail(find: Find, server: Server, folder: Path) -> Path:
    """Getmail6 with ``delete = false`` and ``read_all = false``; its ``oldmail-`` file."""
    script, _ = delivery_script(folder)
    config = private(
        folder / "getmailrc",
        f"[retriever]\ntype = SimplePOP3SSLRetriever\nserver = {server.host}\nport = {server.port}\n"
        f"username = {server.user}\npassword = {server.password}\nca_certs = {server.authority}\n"
        f"[destination]\ntype = MDA_external\npath = {script}\nallow_root_commands = true\n"
        "[options]\ndelete = false\nread_all = false\n",
    )
    run(find("getmail"), "--quiet", "--getmaildir", folder, "--rcfile", config)
    (found,) = folder.glob("oldmail-*")
    return found


def keep_with_mpop(find: Find, server: Server, folder: Path) -> Path:
    """Mpop with ``keep on``; its uidls file."""
    script, _ = delivery_script(folder)
    config = private(
        folder / "mpoprc",
        f"account default\nhost {server.host}\nport {server.port}\nuser {server.user}\npassword {server.password}\n"
        f"tls on\ntls_starttls off\ntls_trust_file {server.authority}\nauth user\nkeep on\n"
        f"uidls_file {folder}/uidls\ndelivery mda {script}\n",
    )
    run(find("mpop"), "-q", "-C", config)
    return folder / "uidls"


KEEPERS: dict[str, Callable[[Find, Server, Path], Path]] = {
    "fetchmail": keep_with_fetchmail,
    "getmail": keep_with_getmail,
    "mpop": keep_with_mpop,
}
