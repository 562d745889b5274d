"""Envelopes to which a submitter agreed before: the same one is agreed to again without asking for each recipient.

With it stands what the door is told of where such a message comes from, but for its trace.

Only answers stand here that follow from the envelope, from who hands it in, from the directory and from the rules, and
from nothing that changes by itself, as the room in a mailbox does.
"""

from __future__ import annotations

from attrs import define, field

from mailshare.core.envelope import Envelope
from mailshare.core.values import Directory, Origin, User

_MOST = 1_000  # envelopes, of 200 recipients at most unless more are allowed
_Known = tuple[Origin, User | None]


@define
class Agreed:
    """What was agreed to under one directory and one set of rules. Others, which every change makes, forget them all.

    Addresses are known by their identity: the same line of a client gives the same object again, and the objects are
    kept here, so that no other can take their place.
    """

    _directory: Directory | None = None
    _rules: object = None
    _known: dict[tuple[object, ...], tuple[_Known, Envelope]] = field(factory=dict)

    def find(
        self, envelope: Envelope, who: tuple[object, ...], directory: Directory, rules: object
    ) -> _Known | None:
        """What was kept with it, if this was agreed to: where it comes from, and the user who hands it in."""
        if directory is not self._directory or rules is not self._rules:
            return None
        found = self._known.get((id(envelope.sender), id(envelope.recipients), who))
        return None if found is None else found[0]

    def keep(
        self, envelope: Envelope, who: tuple[object, ...], directory: Directory, rules: object, known: _Known
    ) -> None:
        """Remember that it was.

        :param who: all that the answer and ``known`` follow from, apart from the envelope.
        """
        if directory is not self._directory or rules is not self._rules or len(self._known) >= _MOST:
            self._directory, self._rules = directory, rules
            self._known.clear()
        self._known[id(envelope.sender), id(envelope.recipients), who] = known, envelope
