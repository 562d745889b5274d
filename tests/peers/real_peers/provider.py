"""The provider: Dovecot and Postfix together, and the certificates that they show."""

from __future__ import annotations

from pathlib import Path

from attrs import define
from real_peers.clients import Server
from real_peers.dovecot import Dovecot
from real_peers.postfix import Postfix


@define
class Certificates:
    """Files of an authority made for the test and of a server certificate for ``localhost`` and 127.0.0.1."""

    authority: Path
    certificate: Path
    key: Path
    both: Path


@define
class Provider:
    """An Internet provider made of Dovecot and Postfix."""

    dovecot: Dovecot
    postfix: Postfix
    authority: Path

    def pop3(self, tls: str, user: str = "mail") -> Server:
        """How to read a mailbox there."""
        port = self.dovecot.pop3s if tls == "implicit" else self.dovecot.pop3
        return Server(port, tls, user, self.dovecot.users[user], self.authority)

    def smtp(self, tls: str, user: str = "mail") -> Server:
        """How to hand in mail there."""
        port = self.postfix.submissions if tls == "implicit" else self.postfix.submission
        return Server(port, tls, user, self.dovecot.users[user], self.authority)
