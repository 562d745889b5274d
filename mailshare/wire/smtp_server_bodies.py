"""The part of the SMTP server engine that reads bodies, whole or piece by piece, and octets that belong to nothing.

:mod:`mailshare.wire.smtp_server_body` judges them.
"""

from __future__ import annotations

from collections.abc import Callable

from mailshare.core.envelope import Envelope
from mailshare.core.errors import MailshareError
from mailshare.wire.replies import ANSWERED
from mailshare.wire.smtp_server_body import ChunkReader, DataReader, whole_message
from mailshare.wire.smtp_server_core import GO_ON, Ask, EngineCore
from mailshare.wire.smtp_server_events import BodyDropped, BodyEnded, BodyRead, MessageRead, SMTPSettings

_PIECE = 131_072  # octets of a body that are looked at at once


class BodyEngine(EngineCore):
    """One session, as far as it is about bodies."""

    _envelope: Envelope | None = None
    _fresh = False  # DATA was agreed to, and nothing came behind it
    _data: DataReader | None = None
    _chunks: ChunkReader | None = None
    _begin_chunk: tuple[int, bool] | None = None
    _skip: tuple[int, bytes] | None = None
    _then: Callable[[], object | None] | None = None
    _open = False

    def __init__(self, settings: SMTPSettings) -> None:
        super().__init__(settings)
        self._whole = settings.whole_envelopes

    @property
    def receiving(self) -> bool:
        """A body, or octets that must be skipped, are on their way in."""
        if self._fresh or self._data is not None or self._skip is not None:
            return True
        return self._chunks is not None and self._chunks.left > 0

    def fail_body(self, error: MailshareError) -> None:
        """The octets of a message cannot be kept: eat the rest, then answer so."""
        reader = self._data or self._chunks
        if reader is not None and reader.judge.fault is None:
            reader.judge.fault = error
        self._open = False

    def _begin_body(self) -> None:
        self._open = True
        if self._begin_chunk is None:
            self._fresh = True
            self._say(354, None, GO_ON)
            return
        size, last = self._begin_chunk
        self._chunks = ChunkReader(self.settings)
        self._chunks.begin(size, last=last)
        if not size:
            self._then = self._chunk_over

    def _skip_on(self, left: int, answer: bytes) -> object | None:
        """Eat octets that belong to nothing, then answer."""
        left -= len(self._lines.take(left))
        self._skip = (left, answer) if left else None
        if left:
            return None
        self._out.append(answer)
        return ANSWERED

    def _message_at_once(self, data: bytes) -> object | None:
        """The message, if these are all its octets and nothing is wrong with them. Nothing may wait before them."""
        message = whole_message(data, self.settings)
        if message is None:
            return None
        self._fresh = self._open = False
        self.spent = True
        return self._question(Ask.MESSAGE, MessageRead(message))

    def _read_data(self) -> object | None:
        if not len(self._lines):
            return None
        reader = self._data
        if reader is None:
            reader = self._data = DataReader(self.settings)
            self._fresh = False
        message, rest = reader.read(self._lines.take(_PIECE))
        self._lines.give_back(rest)
        if reader.done:
            self._then = self._body_over
        return self._pass_on(message, reader.judge.fault)

    def _read_chunk(self, reader: ChunkReader) -> object | None:
        message = reader.read(self._lines.take(min(_PIECE, reader.left)))
        if not reader.left:
            self._then = self._chunk_over
        return self._pass_on(message, reader.judge.fault)

    def _pass_on(self, message: bytes, fault: MailshareError | None) -> object | None:
        """Octets for the session; when the message is at fault it hears once that it can forget them."""
        if not self._open:
            return None
        if fault is not None:
            self._open = False
            return BodyDropped()
        return BodyRead(message) if message else None

    def _chunk_over(self) -> object | None:
        """All octets of a chunk were read and, if they could be, kept."""
        reader = self._chunks
        if reader is None:
            return None
        missing = reader.finish() if reader.last else b""
        if not reader.last and reader.judge.fault is None:
            return self._say(250, (2, 0, 0), "Chunk taken")
        self._then = self._body_over
        return self._pass_on(missing, reader.judge.fault)

    def _body_over(self) -> object:
        """The message has ended: ask for its fate, or say what was wrong with it."""
        reader = self._data or self._chunks
        fault = reader.judge.fault if reader is not None else None
        self._data = self._chunks = self._begin_chunk = None
        if fault is None:
            return self._question(Ask.MESSAGE, BodyEnded())
        self._end_transaction()
        return self._fault(fault.code, fault.enhanced, fault.public)

    def _drop_body(self) -> object:
        """End the transaction; the session is told if it holds octets of it."""
        open_body = self._open
        self._end_transaction()
        return BodyDropped() if open_body else ANSWERED

    def _end_transaction(self) -> None:
        self._envelope = None
        self._data = self._chunks = self._begin_chunk = None
        self._fresh = self._open = False
        self._whole = self.settings.whole_envelopes
