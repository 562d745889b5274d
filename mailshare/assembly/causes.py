"""Why something failed, in one sentence that names its cause."""

from __future__ import annotations

from mailshare.core.errors import MailshareError


def cause_of(fault: BaseException) -> str:
    """What was said, then the details of it and of what led to it, each once.

    ``Not available now; please try again later`` alone helps nobody; with ``(why: the store is closing)`` it does.
    """
    said = [_words(fault)]
    seen = {id(fault)}
    while True:
        if isinstance(fault, MailshareError):
            said += [f"{name}: {value}" for name, value in fault.detail.items() if value not in ("", None)]
        earlier = fault.__cause__
        if earlier is None or id(earlier) in seen:
            break
        seen.add(id(earlier))
        fault = earlier
        said.append(_words(fault))
    first, *rest = dict.fromkeys(said)
    rest = [each for each in rest if each not in first]
    return f"{first} ({'; '.join(rest)})" if rest else first


def _words(fault: BaseException) -> str:
    if isinstance(fault, MailshareError):
        return fault.public
    return f"{type(fault).__name__}: {fault}" if str(fault) else type(fault).__name__
