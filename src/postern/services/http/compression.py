"""Answers in Brotli (RFC 7932) or gzip (RFC 9110 section 8.4.1.3), for the routes that allow it."""

from __future__ import annotations

import asyncio
import zlib
from typing import Protocol

import brotli

from postern.net.turns import turns_of
from postern.protocols.http.events import Field, RequestHead
from postern.protocols.http.negotiation import content_coding

MIN_SIZE = 1024
"""Octets of the smallest body that is compressed: a packet holds a smaller one as it is."""
SLICE = 65_536
"""Octets that are compressed in one step; then other connections have their turn."""
CODINGS = ("br", "gzip")
"""Codings that are offered. Of those that a client likes alike the first is taken: Brotli makes a little less of text in the
same time."""
LEVEL = 4
"""zlib's and Brotli's; higher levels cost several times as much and save a few percent of text."""
WINDOW = 18
"""The logarithm of the octets that Brotli looks back; an answer's compressor takes 650 KB with it."""
_KINDS = (b"text/", b"application/json", b"application/javascript", b"application/xml", b"image/svg+xml")


class _Packer(Protocol):
    def pack(self, data: bytes) -> bytes: ...

    def end(self, more: bool) -> bytes:
        """All that was kept back, and unless there is `more` the trailer."""
        ...


class _Gzip:
    def __init__(self) -> None:
        # 31: gzip's header and trailer (zlib.h, deflateInit2)
        self._packer = zlib.compressobj(LEVEL, zlib.DEFLATED, 31)

    def pack(self, data: bytes) -> bytes:
        return self._packer.compress(data)

    def end(self, more: bool) -> bytes:
        return self._packer.flush(zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH)


class _Brotli:
    def __init__(self) -> None:
        self._packer = brotli.Compressor(mode=brotli.MODE_TEXT, quality=LEVEL, lgwin=WINDOW)

    def pack(self, data: bytes) -> bytes:
        return bytes(self._packer.process(data))

    def end(self, more: bool) -> bytes:
        return bytes(self._packer.flush() if more else self._packer.finish())


class Compressed:
    """The body of one answer in one of CODINGS."""

    def __init__(self, coding: str) -> None:
        self._packer: _Packer = _Brotli() if coding == "br" else _Gzip()

    async def packed(self, data: bytes, more: bool) -> bytes:
        """The next octets of the body. What an application sends is sent on at once, and not kept for a fuller block."""
        pieces = []
        for start in range(0, len(data), SLICE):
            if start:
                await turns_of(asyncio.get_running_loop()).come()
            pieces.append(self._packer.pack(data[start : start + SLICE]))
        pieces.append(self._packer.end(more))
        return b"".join(pieces)


def compressed(head: RequestHead, status: int, fields: list[Field], size: int | None) -> Compressed | None:
    """Returns a compressor if this answer is to be compressed, whose fields are changed then. `size` is that of a body that is
    there as a whole, else None. An answer with a strong entity tag is left as it is: the tag names these very octets, and clients
    send it back with what they change (RFC 9110 section 8.8.1)."""
    named = dict(fields)
    kind = named.get(b"content-type", b"")
    if not kind.startswith(_KINDS) and b"+xml" not in kind:
        return None
    vary = named.get(b"vary", b"")
    if b"accept-encoding" not in vary.lower():
        fields[:] = [field for field in fields if field[0] != b"vary"]
        fields.append((b"vary", b", ".join(filter(None, (vary, b"Accept-Encoding")))))
    tag = named.get(b"etag", b"")
    length = int(named.get(b"content-length", b"0")) if size is None else size
    is_small = length < MIN_SIZE and (size is not None or b"content-length" in named)
    if is_small or status in (204, 206, 304) or head.method == "HEAD" or b"content-encoding" in named:
        return None
    coding = content_coding(head.field(b"accept-encoding"), CODINGS)
    if (tag and not tag.startswith(b"W/")) or coding not in CODINGS:
        return None
    fields[:] = [field for field in fields if field[0] != b"content-length"]
    fields.append((b"content-encoding", coding.encode()))
    return Compressed(coding)
