"""Forms with documents, as browsers send them: the first document counts, whatever pieces they come in."""

from __future__ import annotations

import io

import pytest

from mailshare.core.errors import PeerFault
from mailshare.web.uploads import FormBody

FORM = (
    b'--b\r\nContent-Disposition: form-data; name="to"\r\n\r\n7\r\n'
    b'--b\r\nContent-Disposition: form-data; name="none"; filename=""\r\n\r\n\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="C:\\\\x\\\\one.pdf"\r\n\r\nfirst\r\n'
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="two.pdf"\r\n\r\nsecond\r\n--b--\r\n'
)


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_the_first_document_is_taken_and_no_other(step: int) -> None:
    """A second one is not written behind the first."""
    body = FormBody("b", io.BytesIO)
    for at in range(0, len(FORM), step):
        body.write(FORM[at : at + step])
    assert body.fields == {"to": ["7"]}
    body.seek(0)
    assert (body.upload.name, body.upload.file.read()) == ("one.pdf", b"first")


def test_a_form_that_was_cut_off_is_refused() -> None:
    """Half a document is none."""
    body = FormBody("b", io.BytesIO)
    body.write(FORM[:-20])
    with pytest.raises(PeerFault, match="cannot be read"):
        body.fields  # noqa: B018 - reading is what raises
