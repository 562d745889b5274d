"""What Postfix asks about each recipient: a policy server (SMTPD_POLICY_README), such as programs that greylist are."""

from __future__ import annotations

import socketserver
import threading

from attrs import define, field


@define(eq=False)
class Policy:
    """Answers for recipients, which a test may change at any time; ``DUNNO`` for all others.

    :ivar actions: recipient to Postfix's action, e.g. ``"451 4.7.1 Greylisted"``.
    :ivar asked: every recipient that was asked for, in order.
    """

    actions: dict[str, str] = field(factory=dict)
    asked: list[str] = field(factory=list)
    _server: socketserver.ThreadingTCPServer = field(init=False)

    @_server.default
    def _listening(self) -> socketserver.ThreadingTCPServer:
        policy = self

        class Answering(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                facts: dict[bytes, bytes] = {}
                for line in self.rfile:
                    name, _, value = line.rstrip(b"\n").partition(b"=")
                    if name:
                        facts[name] = value
                        continue
                    recipient = facts.get(b"recipient", b"").decode()
                    policy.asked.append(recipient)
                    self.wfile.write(f"action={policy.actions.get(recipient, 'DUNNO')}\n\n".encode())
                    facts = {}

        socketserver.ThreadingTCPServer.daemon_threads = True
        return socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answering)

    @property
    def port(self) -> int:
        """Where Postfix finds it."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Answer from now on."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def forget(self) -> None:
        """Everybody is welcome again."""
        self.actions.clear()
        self.asked.clear()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
