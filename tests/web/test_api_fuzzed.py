"""The API under schemathesis: requests made from its own description, right ones and wrong ones, always the same."""

from __future__ import annotations

import json
from typing import Any

import pytest_twisted
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from twisted.internet.threads import deferToThread

from mailshare.web.openapi import document
from tests.web.conftest import House

_EXAMPLES = 3
_ENDLESS = {"events"}
_OUTSIDE = {"send_receive", "probe_account", "test_login", "find_servers", "test_printer", "test_tag"}
"""These speak with other servers; what they take is checked as everywhere."""
_CODES = {200, 400, 401, 403, 404, 405, 409, 412, 413, 422, 503}
"""What docs/reference/manager.md tells of."""


def _wrong(answer: Any) -> str:
    """What an answer does that its description does not say; empty for nothing."""
    kind = "".join(answer.headers.get("content-type", []))
    if answer.status_code not in _CODES:
        return f"status {answer.status_code}"
    if answer.status_code == 200:
        return "" if kind == "application/json" and "etag" in answer.headers else f"200 of type {kind}"
    told = json.loads(answer.content)
    if kind != "application/problem+json" or told.get("status") != answer.status_code:
        return f"a refusal of type {kind}: {told}"
    detail = str(told.get("detail", ""))
    return "" if detail[:1].strip() and "\n" not in detail and "Traceback" not in detail else f"the detail {detail!r}"


def _ask(operation: Any, mode: Any, base: str, token: str) -> list[str]:
    """Some requests to one operation; what was wrong, with the request."""
    found: list[str] = []

    @seed(26_11)
    @settings(
        max_examples=_EXAMPLES, deadline=None, database=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:
        answer = case.call(base_url=base, headers={"Authorization": token}, timeout=30)
        if wrong := _wrong(answer):
            found.append(f"{case.method} {case.formatted_path} {case.query} {case.body!r:.200}: {wrong}")

    ask()
    return found


def _fuzz(base: str, token: str) -> list[str]:
    """Every operation, with what its description allows and with what it does not."""
    right, wrong = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
    found: list[str] = []
    for made in schemathesis.openapi.from_dict(document("1")).get_all_operations():
        operation = made.ok()
        if operation.definition.raw["operationId"] not in _ENDLESS | _OUTSIDE | {"openapi"}:
            taking = operation.body or list(operation.iter_parameters())
            for mode in (right, wrong) if taking else (right,):
                found += _ask(operation, mode, base, token)
    return found


@pytest_twisted.ensureDeferred
async def test_nothing_that_the_description_allows_or_forbids_gets_an_answer_of_another_shape(house: House) -> None:
    """Never a 500; refusals are problem documents with a sentence; answers are JSON with the directory's version."""
    await house.admin()
    made = await house.office.acts.add_token(owner="admin", label="fuzz", level="admin")
    found = await deferToThread(_fuzz, f"http://127.0.0.1:{house.port}", f"Bearer {made['token']}")
    assert not found, "\n".join(found[:20])
