"""All subjects."""

from __future__ import annotations

from mutants.of_faxes import FAXES
from mutants.of_printing import PRINTING
from mutants.of_texts import TEXT
from mutants.of_the_office import OFFICE_SUBJECTS
from mutants.of_the_wire import WIRE

SUBJECTS = (*WIRE, *PRINTING, *FAXES, *TEXT, *OFFICE_SUBJECTS)
