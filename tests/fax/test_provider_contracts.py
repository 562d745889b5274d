"""What the shipped descriptions ask and how they read answers, against exchanges written from the documentation.

Each exchange names the page that it follows and the day on which that was read. No account of any of them was used.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from attrs import field, frozen
from twisted.internet.task import Clock
from twisted.web.http_headers import Headers

from mailshare.config.fax_providers import fitted, load_provider, shipped
from mailshare.core.fax_lines import HttpOptions
from mailshare.core.values.fax import FaxCause, FaxJob, FaxOutcome, FaxPage
from mailshare.fax.lines.http import HttpLine
from mailshare.fax.lines.provider_inbox import ProviderInbox
from mailshare.fax.lines.provider_requests import Asking
from mailshare.testing.fax_line_contract import FaxLineContract, FixedPages, NotingReceiver
from mailshare.testing.pretend_provider import Asked, PretendProvider, Said
from mailshare.wire.tiff_fax import read_tiff, write_tiff

PAGE = FaxLineContract.page
SETTINGS = {
    "sinch": {"project": "PROJECT"},
    "telnyx": {"connection": "234423"},
    "srfax": {"email": "fax@office.example", "caller": "5551230000"},
}
JOB = FaxJob("00aa11bb22cc33dd-17-1", "+13127367276", "0013127367276", 1, ident="+1 555")


@frozen
class Step:
    """One request and its answer.

    :ivar holds: what stands in the body, or a pattern of it.
    """

    method: str
    url: str
    said: Said
    holds: Sequence[str] = ()
    headers: Mapping[str, str] = field(factory=dict, hash=False)


def basic(user: str = "USER", password: str = "SECRET") -> dict[str, str]:
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


SINCH = "https://fax.api.sinch.com/v3/projects/PROJECT/faxes"
PHAXIO = "https://api.phaxio.com/v2/faxes"
INTERFAX = "https://rest.interfax.net/outbound/faxes"
TELNYX = "https://api.telnyx.com/v2/faxes"
SRFAX = "https://www.srfax.com/SRF_SecWebSvc.php"

# https://developers.sinch.com/docs/fax/api-reference/fax/tag/Faxes/ (send, get) and .../tag/Error-Messages, 2026-11-22
SINCH_FAX = {
    "id": "01HDF5S9P29WC29J578J8EKC1C", "direction": "OUTBOUND", "to": "+13127367276", "status": "IN_PROGRESS",
    "projectId": "PROJECT", "maxRetries": 0, "createTime": "2023-10-23T21:06:52.231Z",
}  # fmt: skip
# https://www.phaxio.com/docs/api/v2/faxes/create_and_send_fax, .../list_faxes, .../intro/objects, 2026-11-22
PHAXIO_FAX = {
    "id": 123456, "direction": "sent", "num_pages": 1, "status": "inprogress", "is_test": False, "caller_id": "+9",
    "recipients": [{"phone_number": "+13127367276", "status": "inprogress"}], "tags": {"reference": JOB.id},
    "error_type": None, "error_message": None, "error_id": None,
}  # fmt: skip
# https://www.interfax.net/en-us/node/10610 (record) and help.uplandsoftware.com/interfax (status codes), 2026-11-22
INTERFAX_FAX = {
    "id": 279415116, "uri": f"{INTERFAX}/279415116", "status": -3, "userId": "USER", "pagesSent": 0,
    "remoteCSID": "", "duration": 0, "reference": JOB.id, "faxNumber": "+13127367276", "pagesSubmitted": 1,
}  # fmt: skip
# https://developers.telnyx.com/docs/programmable-fax/sending-commands and its OpenAPI file, 2026-11-22
TELNYX_FAX = {
    "id": "0ccc7b54-4df3-4bca-a65a-3da1ecc777f0", "record_type": "fax", "connection_id": "234423", "status": "queued",
    "direction": "outbound", "to": "+13127367276", "from": "+9", "failure_reason": None,
}  # fmt: skip
# https://www.srfax.com/developers/internet-fax-api/queue_fax and .../get_faxstatus, 2026-11-22
SRFAX_FAX = {
    "FileName": "20261122_17|29460123", "SentStatus": "In Progress", "ToFaxNumber": "13127367276", "Pages": 1,
    "Duration": 0, "RemoteID": "", "ErrorCode": "", "AccountCode": "",
}  # fmt: skip


def sr(result: object, status: str = "Success") -> Said:
    return Said.json({"Status": status, "Result": result})


SENT: dict[str, tuple[list[Step], FaxOutcome]] = {
    "sinch": (
        [
            Step("POST", SINCH, Said.json(SINCH_FAX), ['"to": "+13127367276"', '"reference": "00aa11bb22cc33dd-17-1"',
                 '"fileType": "PDF"', '"maxRetries": 0'], basic()),
            Step("GET", f"{SINCH}/{SINCH_FAX['id']}", Said.json(SINCH_FAX), [], basic()),
            Step("GET", f"{SINCH}/{SINCH_FAX['id']}", Said.json({**SINCH_FAX, "status": "FAILURE",
                 "errorType": "LINE_ERROR", "errorCode": 17, "errorMessage": "Busy"})),
        ],
        FaxOutcome(FaxCause.BUSY, native="The provider says: Busy"),
    ),
    "phaxio": (
        [
            Step("POST", PHAXIO, Said.json({"success": True, "message": "Fax queued", "data": {"id": 123456}}),
                 ['name="to"\r\n\r\n\\+13127367276', 'name="tag\\[reference\\]"\r\n\r\n00aa11bb22cc33dd-17-1',
                  'name="file"; filename="fax.pdf"', "%PDF-1.4"], basic()),
            Step("GET", f"{PHAXIO}/123456", Said.json({"success": True, "data": PHAXIO_FAX}), [], basic()),
            Step("GET", f"{PHAXIO}/123456", Said.json({"success": True, "data": {**PHAXIO_FAX, "status": "success"}})),
        ],
        FaxOutcome(FaxCause.OK, 1),
    ),
    "interfax": (
        [
            Step("POST", f"{INTERFAX}?faxNumber=%2B13127367276&reference=00aa11bb22cc33dd-17-1&csid=%2B1%20555"
                 "&retriesToPerform=0&pageHeader=N&rendering=bw&resolution=fine",
                 Said(201, b"", Headers({"Location": [f"{INTERFAX}/279415116"]})), ["%PDF-1.4"],
                 {**basic(), "content-type": "application/pdf"}),
            Step("GET", f"{INTERFAX}/279415116", Said.json(INTERFAX_FAX), [], basic()),
            Step("GET", f"{INTERFAX}/279415116", Said.json({**INTERFAX_FAX, "status": 0, "pagesSent": 1, "duration": 24,
                 "remoteCSID": "FAR"})),
        ],
        FaxOutcome(FaxCause.OK, 1, remote_id="FAR", seconds=24.0),
    ),
    "telnyx": (
        [
            Step("POST", TELNYX, Said.json({"data": TELNYX_FAX}, 202),
                 ['name="connection_id"\r\n\r\n234423', 'name="contents"; filename="fax.pdf"'],
                 {"authorization": "Bearer SECRET"}),
            Step("GET", f"{TELNYX}/{TELNYX_FAX['id']}", Said.json({"data": {**TELNYX_FAX, "status": "sending"}})),
            Step("GET", f"{TELNYX}/{TELNYX_FAX['id']}", Said.json({"data": {**TELNYX_FAX, "status": "failed",
                 "failure_reason": "receiver_unallocated_number"}})),
        ],
        FaxOutcome(FaxCause.BAD_NUMBER, native="The provider says: receiver_unallocated_number"),
    ),
    "srfax": (
        [
            Step("POST", SRFAX, sr("29460123"), ["action=Queue_Fax", "access_id=USER", "access_pwd=SECRET",
                 "sToFaxNumber=13127367276", "sAccountCode=[0-9a-f]{20}(&|$)", "sRetries=0", "sFileContent_1=J"],
                 {"content-type": "application/x-www-form-urlencoded"}),
            Step("POST", SRFAX, sr(SRFAX_FAX), ["action=Get_FaxStatus", "sFaxDetailsID=29460123"]),
            Step("POST", SRFAX, sr({**SRFAX_FAX, "SentStatus": "Failed", "ErrorCode": "No Answer"})),
        ],
        FaxOutcome(FaxCause.NO_ANSWER, native="The provider says: No Answer"),
    ),
}


class Recorded:
    """Answers in the order of the steps, and sees that what is asked is what the documentation says."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self.steps = list(steps)

    def answer(self, asked: Asked) -> Said:
        step = self.steps.pop(0)
        assert (asked.method, asked.url) == (step.method, step.url)
        for name, value in step.headers.items():
            assert asked.headers[name] == value
        body = asked.body.decode("latin-1")
        for pattern in step.holds:
            assert pattern in body or re.search(pattern, body), pattern
        return step.said


async def secret() -> str:
    return "SECRET"


def line_for(name: str, steps: Sequence[Step]) -> tuple[HttpLine, Asking, Clock, Recorded]:
    options = HttpOptions(name, user="USER", settings=SETTINGS.get(name, {}))
    provider, words = fitted(load_provider(name, ""), options)
    recorded, clock = Recorded(steps), Clock()
    own = {"from": "+9", "ident": "+1 555"}
    asking = Asking(provider, {**words, **own}, secret, PretendProvider(recorded.answer), clock)
    line = HttpLine(name, provider, asking, clock)
    line.start()
    return line, asking, clock, recorded


def test_each_shipped_description_has_a_contract_and_its_source() -> None:
    """A description that nothing holds to its documentation is worth nothing."""
    assert shipped() == sorted(SENT)
    for name in shipped():
        provider = load_provider(name, "")
        assert provider.documentation.startswith("https://")
        assert provider.read == "2026-11-22"


@pytest.mark.parametrize("name", sorted(SENT))
async def test_a_fax_is_handed_over_and_looked_at_as_documented(name: str) -> None:
    """One request that sends, then its state until it is over."""
    steps, expected = SENT[name]
    line, _, clock, recorded = line_for(name, steps)
    call = line.send(JOB, FixedPages(PAGE))
    for _ in range(70):
        clock.advance(1.0)
    assert await call.when_done() == expected
    assert not recorded.steps
    await line.stop()


FOUND: dict[str, list[Step]] = {
    # https://www.phaxio.com/docs/api/v2/faxes/list_faxes, 2026-11-22
    "phaxio": [
        Step("GET", f"{PHAXIO}?direction=sent&tag%5Breference%5D=00aa11bb22cc33dd-17-1",
             Said.json({"success": True, "data": [PHAXIO_FAX]})),
        Step("GET", f"{PHAXIO}/123456", Said.json({"success": True, "data": {**PHAXIO_FAX, "status": "success"}})),
    ],
    # https://www.interfax.net/en-au/node/10614 (search), 2026-11-22
    "interfax": [
        Step("GET", "https://rest.interfax.net/outbound/search?reference=00aa11bb22cc33dd-17-1",
             Said.json([INTERFAX_FAX])),
        Step("GET", f"{INTERFAX}/279415116", Said.json({**INTERFAX_FAX, "status": 0, "pagesSent": 1})),
    ],
    "sinch": [
        Step("GET", f"{SINCH}?direction=OUTBOUND&to=%2B13127367276",
             Said.json({"faxes": [{"id": "other"}, {**SINCH_FAX, "labels": {"reference": JOB.id}}]})),
        Step("GET", f"{SINCH}/{SINCH_FAX['id']}", Said.json({**SINCH_FAX, "status": "COMPLETED"})),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(FOUND))
async def test_a_fax_is_found_by_our_reference_as_documented(name: str) -> None:
    """After a stop of the server between handing over and the answer."""
    line, _, clock, recorded = line_for(name, FOUND[name])
    call = line.find(f"ref {JOB.id}", JOB)
    assert call is not None
    clock.advance(0)
    assert (await call.when_done()).cause is FaxCause.OK
    assert not recorded.steps


async def test_a_complete_list_without_it_lets_it_be_sent_again() -> None:
    """Four looks, ten seconds apart; then the provider is believed."""
    nothing = Step("GET", FOUND["phaxio"][0].url, Said.json({"success": True, "data": []}))
    line, _, clock, recorded = line_for("phaxio", [nothing] * 4)
    call = line.find(f"ref {JOB.id}", JOB)
    assert call is not None
    for _ in range(4):
        clock.advance(10.0)
    outcome = await call.when_done()
    assert (outcome.cause, outcome.end_sent) == (FaxCause.LINE_DOWN, False)
    assert not recorded.steps


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("interfax", Step("POST", f"{INTERFAX}/7/cancel", Said(200))),
        ("telnyx", Step("POST", f"{TELNYX}/7/actions/cancel", Said.json({"data": {"result": "ok"}}, 202))),
        ("srfax", Step("POST", SRFAX, sr("Fax Cancelled"), ["action=Stop_Fax", "sFaxDetailsID=7"])),
        ("phaxio", Step("POST", f"{PHAXIO}/7/cancel", Said.json({"success": True}))),
    ],
)
async def test_a_fax_is_called_off_as_documented(name: str, step: Step) -> None:
    """What the provider has already is given up there too."""
    looking = SENT[name][0][1]
    url = looking.url.rpartition("/")[0] + "/7" if name != "srfax" else SRFAX
    line, _, clock, recorded = line_for(name, [Step(looking.method, url, looking.said), step])
    call = line.find("id 7", JOB)
    assert call is not None
    clock.advance(0)
    assert await line.cancel(JOB.id)
    assert (await call.when_done()).cause is FaxCause.CANCELLED
    assert not recorded.steps


TIFF = write_tiff([PAGE])
CAME: dict[str, list[Step]] = {
    "sinch": [
        Step("GET", f"{SINCH}?direction=INBOUND&status=COMPLETED",
             Said.json({"faxes": [
                 {"id": "IN1", "direction": "INBOUND", "from": "+4930", "to": "+9", "hasFile": True}]})),
        Step("GET", f"{SINCH}/IN1/file", Said(200, TIFF)),
    ],
    "phaxio": [
        Step("GET", f"{PHAXIO}?direction=received&status=success",
             Said.json({"data": [{"id": 5, "direction": "received", "from_number": "+4930", "to_number": "+9"}]})),
        Step("GET", f"{PHAXIO}/5/file", Said(200, TIFF)),
    ],
    # https://www.interfax.net/en-us/dev/rest/reference/2935 (list), 2026-11-22
    "interfax": [
        Step("GET", "https://rest.interfax.net/inbound/faxes?unreadOnly=true",
             Said.json([{"messageId": 229167854, "phoneNumber": "+9", "callerId": "+4930", "imageStatus": "UNREAD"}])),
        Step("GET", "https://rest.interfax.net/inbound/faxes/229167854/content", Said(200, TIFF)),
        Step("POST", "https://rest.interfax.net/inbound/faxes/229167854/mark?unread=false", Said(200)),
    ],
    "telnyx": [
        Step("GET", f"{TELNYX}?filter%5Bdirection%5D%5Beq%5D=inbound",
             Said.json({"data": [{"id": "IN1", "direction": "inbound", "status": "received", "from": "+4930",
                                  "to": "+9", "media_url": "https://s3.amazonaws.com/faxes-prod/1.pdf?X-Amz-Signature=1"}]})),
        Step("GET", "https://s3.amazonaws.com/faxes-prod/1.pdf?X-Amz-Signature=1", Said(200, TIFF)),
    ],
    # https://www.srfax.com/developers/internet-fax-api/get_fax_inbox, 2026-11-22
    "srfax": [
        Step("POST", SRFAX, sr([{"FileName": "2026_1|77", "CallerID": "+4930", "ViewedStatus": "N"}]),
             ["action=Get_Fax_Inbox", "sViewedStatus=UNREAD"]),
        Step("POST", SRFAX, sr(base64.b64encode(TIFF).decode()), ["action=Retrieve_Fax", "sFaxDetailsID=77"]),
        Step("POST", SRFAX, sr("Changed"), ["action=Update_Viewed_Status", "sMarkasViewed=Y"]),
    ],
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(CAME))
async def test_a_fax_that_came_in_is_fetched_as_documented(name: str, tmp_path: Any) -> None:
    """Listed, fetched, given over page by page, then marked where the provider has marks."""
    line, asking, clock, recorded = line_for(name, CAME[name])
    inbox, receiver = load_provider(name, "").inbox, NotingReceiver()
    assert inbox is not None

    async def pages(data: bytes) -> list[FaxPage]:
        return [one.page for one in read_tiff(data) if one.page is not None]

    async def aside(act: Any) -> object:
        return act()

    fetching = ProviderInbox(name, inbox, asking, pages, str(tmp_path / "known.json"), aside, clock, 60.0)
    fetching.set_receiver(receiver)
    fetching.start()
    assert receiver.pages == [PAGE]
    assert receiver.ends[0][0].caller == "+4930"
    assert not recorded.steps
    await fetching.stop()
    await line.stop()


@pytest.mark.parametrize(
    ("code", "cause"), [("263", FaxCause.BUSY), ("205000", FaxCause.LINE_DOWN), ("6001", FaxCause.DROPPED)]
)
def test_failures_of_interfax_are_told_apart_as_far_as_they_are_known(code: str, cause: FaxCause) -> None:
    """A code that nobody has explained is tried again, and never called final."""
    description = load_provider("interfax", "")
    assert (description.state(code), description.cause(code)) == ("failed", cause)
