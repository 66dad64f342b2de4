"""Answers in gzip (RFC 9110 section 8.4.1.3), for the routes that allow it."""

from __future__ import annotations

import asyncio
import zlib

from postern.net.turns import turns_of
from postern.protocols.http.events import Field, RequestHead
from postern.protocols.http.negotiation import content_coding

MIN_SIZE = 1024
"""Octets of the smallest body that is compressed: a packet holds a smaller one as it is."""
SLICE = 65_536
"""Octets that are compressed in one step; then other connections have their turn."""
LEVEL = 4
"""zlib's; higher levels cost several times as much and save a few percent of text."""
_KINDS = (b"text/", b"application/json", b"application/javascript", b"application/xml", b"image/svg+xml")


class Gzip:
    """The body of one answer."""

    def __init__(self) -> None:
        self._packer = zlib.compressobj(
            LEVEL, zlib.DEFLATED, 31
        )  # 31: gzip's header and trailer (zlib.h, deflateInit2)

    async def packed(self, data: bytes, more: bool) -> bytes:
        """The next octets of the body. What an application sends is sent on at once, and not kept for a fuller block."""
        pieces = []
        for start in range(0, len(data), SLICE):
            if start:
                await turns_of(asyncio.get_running_loop()).come()
            pieces.append(self._packer.compress(data[start : start + SLICE]))
        pieces.append(self._packer.flush(zlib.Z_SYNC_FLUSH if more else zlib.Z_FINISH))
        return b"".join(pieces)


def gzip_for(head: RequestHead, status: int, fields: list[Field], size: int | None) -> Gzip | None:
    """Returns a packer if this answer is to be compressed, whose fields are changed then. `size` is that of a body that is there
    as a whole, else None. An answer with a strong entity tag is left as it is: the tag names these very octets, and clients send
    it back with what they change (RFC 9110 section 8.8.1)."""
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
    if (tag and not tag.startswith(b"W/")) or content_coding(head.field(b"accept-encoding")) != "gzip":
        return None
    fields[:] = [field for field in fields if field[0] != b"content-length"]
    fields.append((b"content-encoding", b"gzip"))
    return Gzip()
