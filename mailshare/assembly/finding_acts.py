"""Looking for a provider's servers, and trying a login before the account is kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from attrs import asdict

from mailshare.assembly.changes import Changes
from mailshare.core.errors import Unavailable
from mailshare.isp.finding import Finder
from mailshare.isp.login_test import LoginTest


class FindingActs(Changes):
    """Put together with a class that tells those who watch.

    :ivar finder, login_test: ``None`` where nothing may go out.
    """

    finder: Finder | None = None
    login_test: LoginTest | None = None
    tell: Callable[[str, Mapping[str, object]], None]

    async def find_servers(self, *, address: str) -> Mapping[str, object]:
        """Ways to reach the mailbox of an address, the surest first."""
        if self.finder is None:
            raise Unavailable("The server does not run; start it first")
        return {"address": address, "ways": [asdict(one) for one in await self.finder.find(address)]}

    async def test_login(self, *, address: str, password: str, by: str = "", **facts: Any) -> Mapping[str, object]:
        """Log in at both servers and leave; each step is told at once to those who watch, and all of them in the end.

        :returns: ``ok`` and ``steps`` of ``what``, ``ok`` and ``words``.
        """
        if self.login_test is None:
            raise Unavailable("The server does not run; start it first")
        account, _ = self._read({"address": address, **{key: value for key, value in facts.items() if value}})
        steps: list[Mapping[str, object]] = []

        def told(step: Mapping[str, object]) -> None:
            """A step has begun, or is done."""
            if steps and steps[-1]["what"] == step["what"]:
                steps.pop()
            steps.append(step)
            self.tell("login-test", {"by": by, "steps": json.loads(json.dumps(steps))})

        good = await self.login_test.run(account, password, told)
        return {"ok": good, "steps": steps}
