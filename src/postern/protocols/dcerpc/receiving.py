"""Puts bytes together to whole PDUs, and fragments to whole stubs, within bounds, for both machines."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from postern.protocols.dcerpc.pdu import DREP, HEADER, MAX_FRAGMENT, PduError, Verifier, read_verifier


@dataclass(frozen=True, slots=True)
class Received:
    """One PDU. `data` is all of it, header included."""

    kind: int
    flags: int
    call_id: int
    data: memoryview
    token_size: int

    @property
    def body(self) -> memoryview:
        return self.data[HEADER.size :]

    def verifier(self, body_at: int = HEADER.size) -> Verifier | None:
        """The verifier; None if the PDU has none. Raises PduError."""
        return read_verifier(self.data, len(self.data), self.token_size, body_at)


class Splitter:
    """Cuts a stream into PDUs. Pieces are joined only once a whole PDU is there, so that small pieces cost no more.

    Bound: linear, in whatever pieces it comes; a PDU has `max_fragment` octets at most.
    """

    def __init__(self) -> None:
        self.max_fragment = MAX_FRAGMENT
        self._data = b""
        self._at = 0
        self._waiting: list[bytes] = []
        self._waiting_size = 0
        self._need = HEADER.size

    def receive(self, data: bytes) -> None:
        self._waiting.append(data)
        self._waiting_size += len(data)

    @property
    def held(self) -> int:
        """Number of bytes that have come in and were not yet taken as PDUs."""
        return self._waiting_size + len(self._data) - self._at

    def next(self) -> Received | None:
        """The next PDU; None if more bytes are needed. Raises PduError, after which the stream cannot be read on."""
        while True:
            have = len(self._data) - self._at
            if have + self._waiting_size < self._need:
                return None
            if have < self._need:
                self._join()
            fields = HEADER.unpack_from(self._data, self._at)
            size = self._check(fields)
            if len(self._data) - self._at < size:
                if len(self._data) - self._at + self._waiting_size < size:
                    self._need = size
                    return None
                self._join()
            data = memoryview(self._data)[self._at : self._at + size]
            self._at += size
            self._need = HEADER.size
            if self._at == len(self._data):
                self._data, self._at = b"", 0
            return Received(fields[2], fields[3], fields[7], data, fields[6])

    def _join(self) -> None:
        rest = self._data[self._at :] if self._at else self._data
        self._data = b"".join((rest, *self._waiting)) if rest or len(self._waiting) > 1 else self._waiting[0]
        self._at = 0
        self._waiting = []
        self._waiting_size = 0

    def _check(self, fields: tuple[Any, ...]) -> int:
        major, minor, _, _, drep, size, token_size, _ = fields
        assert isinstance(size, int)
        if major != 5 or minor > 1 or drep != DREP:
            raise PduError("another version or data representation")
        if not HEADER.size <= size <= self.max_fragment or token_size > size - HEADER.size:
            raise PduError("a size that cannot be")
        return size


@dataclass(slots=True)
class Partial:
    """A call whose fragments are still coming. `key` must be the same for all of them."""

    key: tuple[int, ...]
    parts: list[bytes | memoryview] = field(default_factory=list)
    size: int = 0

    def add(self, piece: bytes | memoryview, last: bool) -> None:
        """Adds a piece. One that waits for others is copied, so that it does not keep alive all that came in with it; an empty
        one is not kept."""
        if last:
            self.parts.append(piece)
        elif piece:
            self.parts.append(bytes(piece))
        self.size += len(piece)

    def stub(self) -> bytes | memoryview:
        return self.parts[0] if len(self.parts) == 1 else b"".join(self.parts)


def drain(out: list[bytes]) -> bytes:
    """Returns all that waits to be sent, and empties the list."""
    if not out:
        return b""
    data = out[0] if len(out) == 1 else b"".join(out)
    out.clear()
    return data
