"""The frame around the first token of a GSS mechanism (RFC 2743 section 3.1), which names the mechanism."""

from __future__ import annotations

from postern.protocols.ber import BerError, next_element, take

KERBEROS = bytes.fromhex("2a864886f712010202")
SPNEGO = bytes.fromhex("2b0601050502")
_FRAME, _OID = 0x60, 0x06


def unframed(token: bytes) -> tuple[bytes, bytes] | None:
    """Returns the OID of the mechanism and the token inside the frame; None for a token without this frame.

    Bound: linear in the token, for what is copied.
    """
    if token[:1] != bytes([_FRAME]):
        return None
    try:
        _, body, _ = next_element(token, 0)
        oid, end = take(body, 0, _OID)
    except BerError:
        return None
    return oid, body[end:]
