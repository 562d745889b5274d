"""JSON that was put together of pieces is that which its values give."""

from __future__ import annotations

from mailshare.core.json_text import JSONObject, as_json, object_text


def test_an_object_is_read_only_when_somebody_looks_into_it() -> None:
    """It is a mapping as any other, and its text goes out as it came in."""
    plain = {"user": None, "peer": 'ä"b', "secure": True, "steps": [["tag", "x"]]}
    made = JSONObject(as_json(plain))
    text = '{"user": null, "peer": "ä\\"b", "secure": true, "steps": [["tag", "x"]]}'
    assert object_text(made) == object_text(plain) == text
    assert made == plain
    assert (list(made), len(made), made["peer"], made.get("none")) == (list(plain), 4, 'ä"b', None)
