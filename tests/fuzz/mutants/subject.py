"""What is fuzzed: one function of octets each, with seeds, and the errors that are its proper answer."""

from __future__ import annotations

from collections.abc import Callable

from attrs import frozen

from mailshare.core.errors import LocalFault, MailshareError

FINDINGS = "findings"


@frozen
class Subject:
    """One engine or reader.

    :ivar name: of its files below ``findings/``.
    :ivar run: takes octets; raises nothing but ``proper`` ones.
    :ivar seeds: whole, correct inputs, from which mutants are made.
    :ivar words: pieces of its language, which mutation puts in.
    :ivar proper: errors that say "this input is wrong".
    """

    name: str
    run: Callable[[bytes], object]
    seeds: tuple[bytes, ...]
    words: tuple[bytes, ...] = ()
    proper: tuple[type[Exception], ...] = (MailshareError,)

    def feed(self, data: bytes) -> None:
        """Run it on an input.

        :raises Exception: a find. A :class:`LocalFault` is one too: it says that the program is wrong, not the input.
        """
        try:
            self.run(data)
        except LocalFault:
            raise
        except self.proper:
            return
