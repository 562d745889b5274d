"""What a run of sending and receiving does, step by step, in words for a person who looks on.

Whoever signs on, collects or relays tells a :class:`Narrator`; what is heard is nobody's business here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

from attrs import frozen

from mailshare.core.values import Account, Server
from mailshare.shell.trust import Protection


class State(StrEnum):
    """How a step is."""

    BUSY = "busy"
    GOOD = "good"
    BAD = "bad"


@frozen
class RunStep:
    """One step.

    :ivar stage: steps of the same stage that follow each other are one step that goes on.
    :ivar words: for a person, with what the server said.
    """

    stage: str
    words: str
    state: State = State.GOOD


BEGIN, SENT = "begin", "sent"
"""Stages that are not shown as they are told: a run begins, one recipient was reached."""
Hear = Callable[[int, RunStep], None]
"""Is given an account's id and its newest step."""


@frozen
class Narrator:
    """Tells the steps of one direction.

    :ivar hear: ``None`` = nobody listens, which costs nothing.
    """

    hear: Hear | None = None

    def _tell(self, account: Account, stage: str, words: str, state: State = State.GOOD) -> None:
        if self.hear is not None:
            self.hear(account.id, RunStep(stage, words, state))

    def begins(self, account: Account) -> None:
        """A run begins; what was told of the one before is over."""
        self._tell(account, BEGIN, "", State.BUSY)

    # ------------------------------------------------------------------ getting in

    def connecting(self, account: Account, server: Server) -> None:
        """The way to the server is being made."""
        self._tell(account, "connect", f"connecting to {server.host}, port {server.port}", State.BUSY)

    def connected(self, account: Account, server: Server, greeting: str) -> None:
        """The server has greeted."""
        words = f"connected to {server.host}, port {server.port}"
        self._tell(account, "connect", f"{words}; {said(greeting)}" if greeting else words)

    def signing_on(self, account: Account, server: Server, found: Protection | None) -> None:
        """TLS is on, or is not wanted; the login follows.

        :param found: what the connection is encrypted with; ``None`` = with nothing.
        """
        words = "the connection is not encrypted"
        if found is not None:
            issuer = said(found.issuer) or "an unnamed authority"
            words = f"encrypted with {found.version}; certificate of {issuer}, good for {found.days} more days"
        self._tell(account, "tls", words)
        self._tell(account, "login", f"logging in as {server.login or account.address}", State.BUSY)

    def signed_on(self, account: Account, server: Server) -> None:
        """The server lets us in."""
        self._tell(account, "login", f"logged in as {server.login or account.address}")

    # ------------------------------------------------------------------ fetching

    def listed(self, account: Account, count: int, wanted: int) -> None:
        """What lies there is known."""
        self._tell(account, "list", f"{count} messages lie there, {wanted} of them are new here")

    def collected(self, account: Account, done: int, wanted: int, users: Mapping[str, int]) -> None:
        """One more message is stored."""
        state = State.BUSY if done < wanted else State.GOOD
        self._tell(account, "fetch", f"{done} of {wanted} collected", state)
        if users:
            shares = ", ".join(f"{name} {number}" for name, number in users.items())
            self._tell(account, "sort", f"sorted to {shares}")

    def left(self, account: Account, deleted: int, staying: int) -> None:
        """The server was taken leave of, so that what it was asked to delete is deleted."""
        self._tell(account, "leave", f"{deleted} deleted at the provider, {staying} stay there")

    # ------------------------------------------------------------------ sending

    def handed_on(self, account: Account, address: str, reply: str, *, taken: bool) -> None:
        """The provider had its word on one recipient."""
        if taken:
            self._tell(account, SENT, address)
        else:
            self._tell(account, "refused", f"{address}: {said(reply)}", State.BAD)

    # ------------------------------------------------------------------ the end

    def trouble(self, account: Account, words: str) -> None:
        """It ends here."""
        self._tell(account, "trouble", words, State.BAD)


def reached(count: int) -> str:
    """How many recipients the provider has taken over."""
    return f"{count} recipients handed on to the provider"


def said(text: str) -> str:
    """A server's words, short and printable."""
    return "".join(char if char.isprintable() else " " for char in text[:200]).strip()
