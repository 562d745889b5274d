"""All subjects."""

from __future__ import annotations

from mutants.office import OFFICE_SUBJECTS
from mutants.text import TEXT
from mutants.wire import WIRE

SUBJECTS = (*WIRE, *TEXT, *OFFICE_SUBJECTS)
