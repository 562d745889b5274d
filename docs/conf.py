"""How the documents are built: offline, with every warning an error."""

import configparser
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
_metadata = configparser.ConfigParser()
_metadata.read(ROOT / "setup.cfg")

project = "mailshare"
author = _metadata["metadata"]["author"]
copyright = f"2026, {author}"
release = version = _metadata["metadata"]["version"]

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.viewcode"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build", "newsfragments"]
html_theme = "furo"
html_title = "mailshare"
html_static_path = ["_static"]
html_show_sourcelink = False

myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

autodoc_default_options = {"members": True, "member-order": "bysource", "show-inheritance": False}
autodoc_typehints = "none"
autodoc_class_signature = "separated"
nitpicky = True
# Nothing is fetched while building, so names of other packages cannot be looked up.
nitpick_ignore_regex = [
    (r"py:.*", r"(twisted|zope|attrs?|collections|typing|array|enum|cryptography|hypothesis|sqlalchemy)(\..*)?"),
    # Names inside docstrings that the reader meets on the same page.
    (r"py:(exc|class|obj|meth|attr|func|mod|data)", r".*"),
]
