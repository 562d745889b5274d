"""What a ``[[rule]]`` must mean: an account and users that are declared beside it, and no rule twice."""

from __future__ import annotations

import difflib

from mailshare.config.problems import Findings
from mailshare.config.schema import FileTables


def check_rules(tables: FileTables, findings: Findings) -> None:
    """Note every rule that leads nowhere."""
    accounts = {one.address.casefold(): one.address for one in tables.account}
    people = {one.name.casefold(): one.name for one in tables.user}
    for number, _ in enumerate(tables.account, 1):  # their own ADMINn and PUBLICn come with them
        people.update({f"{kind}{number}": f"{kind}{number}" for kind in ("admin", "public")})
    seen: set[tuple[str, str, str]] = set()
    for index, rule in enumerate(tables.rule):
        path = ("rule", index)
        if rule.account and rule.account.casefold() not in accounts:
            near = difflib.get_close_matches(rule.account.casefold(), accounts, 1)
            hint = f"did you mean {accounts[near[0]]!r}?" if near else ""
            findings.error((*path, "account"), f"no [[account]] here is called {rule.account!r}", hint)
        for place, name in enumerate(rule.users):
            if name.casefold() not in people:
                near = difflib.get_close_matches(name.casefold(), people, 1)
                hint = f"did you mean {people[near[0]]!r}?" if near else ""
                findings.error((*path, "users", place), f"no [[user]] here is called {name!r}", hint)
        if not rule.users:
            findings.error(path, "a rule needs users that such mail goes to")
        key = (rule.account.casefold(), rule.kind, rule.match.casefold())
        if key in seen:
            findings.error((*path, "match"), f"{rule.match!r} is declared twice")
        seen.add(key)
