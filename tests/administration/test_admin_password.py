"""The password of ADMIN's mailbox, given anew on the machine (rule 3.10)."""

from __future__ import annotations

from datetime import UTC

import pytest
from twisted.internet.task import Clock

from mailshare.assembly.acts import Acts
from mailshare.core.errors import NoSuchUser
from mailshare.store.memory import MemoryStore
from tests.administration.conftest import Office, finish


def test_admin_gets_a_new_password_and_the_journal_says_who_gave_it(office: Office) -> None:
    """Without an account it is the first one's; the password itself stands nowhere but in the store, hashed."""
    answer = finish(office.acts.admin_reset(password="new", by="root"))
    assert answer == {"login": "admin1", "account": "mail@company.example"}
    assert finish(office.store.directory.credentials("admin"))[1] == "new"
    assert finish(office.acts.admin_reset(password="other", account="box@firm.example"))["login"] == "admin2"
    assert finish(office.store.directory.credentials("admin2"))[1] == "other"
    lines = [event for event in finish(office.acts.log())["events"] if event["kind"] == "admin.password"]
    assert [(line["user"], line["data"]) for line in lines] == [("admin1", {"by": "root"}), ("admin2", {"by": ""})]


def test_without_the_account_there_is_no_admin(office: Office) -> None:
    """Unknown accounts, and an office that has none yet, get a sentence."""
    with pytest.raises(NoSuchUser, match="There is no account 9"):
        finish(office.acts.admin_reset(password="new", account="9"))
    empty = MemoryStore(clock=Clock())
    finish(empty.open())
    acts = Acts(empty, zone=UTC, hasher=lambda _: None, seal=str, clock=lambda: 0)  # type: ignore[arg-type,return-value]
    with pytest.raises(NoSuchUser, match="no account yet"):
        finish(acts.admin_reset(password="new"))
