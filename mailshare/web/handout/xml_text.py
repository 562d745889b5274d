"""XML documents written by the standard library, with what XML cannot carry taken out first."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from mailshare.web.handout.plain_text import exact


def leaf(parent: ET.Element, tag: str, text: str) -> None:
    """Add an element that holds a text.

    :raises PeerFault: XML 1.0 cannot carry the text.
    """
    ET.SubElement(parent, tag).text = exact(text, tag)


def document(root: ET.Element) -> str:
    """The whole document, indented, as text for UTF-8."""
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"
