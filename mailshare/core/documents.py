"""Why nothing can be made of a document, in a word for programs and a sentence for people."""

from __future__ import annotations

from enum import StrEnum

from mailshare.core.errors import PolicyRefusal


class Hindrance(StrEnum):
    """Causes; a cause never changes its name."""

    UNKNOWN_FORMAT = "unknown-format"
    NOT_TAKEN = "not-taken"  # known, and switched off, or nothing here can make of it what is wanted
    TOOL_MISSING = "tool-missing"
    DAMAGED = "damaged"
    ENCRYPTED = "encrypted"
    EMPTY = "empty"
    TOO_LARGE = "too-large"
    TOO_MANY_PAGES = "too-many-pages"
    TOO_MANY_PIXELS = "too-many-pixels"
    TOO_LONG = "too-long"
    TOO_MUCH_MEMORY = "too-much-memory"
    RESULT_TOO_LARGE = "result-too-large"
    NO_SUCH_PAGES = "no-such-pages"
    CRASHED = "crashed"


SENTENCES = {
    Hindrance.UNKNOWN_FORMAT: "It is of a kind that is not known here; PDF is always right",
    Hindrance.NOT_TAKEN: "Documents of this kind are not taken here; PDF is always right",
    Hindrance.TOOL_MISSING: "The program that opens documents of this kind is not installed here; PDF is always right",
    Hindrance.DAMAGED: "The document is damaged and cannot be opened",
    Hindrance.ENCRYPTED: "The document opens only with a password; please send it without one",
    Hindrance.EMPTY: "The document has no pages",
    Hindrance.TOO_LARGE: "The document is larger than is taken here",
    Hindrance.TOO_MANY_PAGES: "The document has more pages than are taken here",
    Hindrance.TOO_MANY_PIXELS: "A picture or page of the document is larger than is taken here",
    Hindrance.TOO_LONG: "The document takes longer to work out than is allowed here",
    Hindrance.TOO_MUCH_MEMORY: "The document needs more memory to work out than is allowed here",
    Hindrance.RESULT_TOO_LARGE: "What would come of the document is larger than is allowed here",
    Hindrance.NO_SUCH_PAGES: "The document has none of the pages that were asked for",
    Hindrance.CRASHED: "The document could not be worked out: the program that opened it came to a sudden end",
}


class NotConvertible(PolicyRefusal):
    """Nothing can be made of this document; trying again changes nothing.

    :ivar cause: a word for programs.
    """

    default_code = 554
    default_enhanced = (5, 6, 1)

    def __init__(self, cause: Hindrance, public: str = "", *, detail: dict[str, object] | None = None) -> None:
        super().__init__(public or SENTENCES[cause], detail={"cause": cause.value, **(detail or {})})
        self.cause = cause
