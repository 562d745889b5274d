"""A list's copy and the direct copy of one message, with and without ``collapse_lists``."""

import pytest
from attrs import evolve

from mailshare.core.envelope import Envelope
from tests.delivery.conftest import Office, collected, finish

DIRECT = (
    b"From: x@example.net\r\nTo: Andrew <mail@company.example>\r\nMessage-ID: <m1@example.net>\r\n"
    b"Date: Sat, 21 Nov 2026 12:00:00 +0000\r\n\r\nBody\r\n"
)
LISTED = b"List-Id: <news.example.net>\r\n" + DIRECT + b"--\r\nYou are on a list\r\n"


@pytest.mark.parametrize("first", [DIRECT, LISTED])
@pytest.mark.parametrize(("collapse", "kept"), [(True, 1), (False, 2)])
def test_a_list_copy_and_a_direct_copy_3_5(office: Office, first: bytes, collapse: bool, kept: int):
    """With the option one of the two is kept, whichever comes first; without it both are, for the texts differ."""
    account = office.store.directory.current().accounts[0]
    finish(office.store.directory.change_account(evolve(account, options={"collapse_lists": collapse})))
    for number, octets in enumerate([first, LISTED if first is DIRECT else DIRECT]):
        finish(office.intake.accept(Envelope(None), office.body(octets), collected(f"{number:016x}")))
    assert len(office.mailbox("andrew")) == kept
