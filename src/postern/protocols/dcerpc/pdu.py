"""Connection-oriented PDUs: C706 chapter 12.6 with MS-RPCE's additions. It packs and unpacks, and
keeps no state of a connection.

Only little-endian peers with IEEE floats and ASCII are supported (the drep that every implementation in use sends).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from uuid import UUID

from postern.protocols.dcerpc.interface import Syntax
from postern.protocols.dcerpc.protection import Association, Level

HEADER = struct.Struct("<BBBB4sHHI")
CALL_HEADER = struct.Struct("<BBBB4sHHIIHH")
"""Header, alloc_hint, p_cont_id, and opnum of a request or cancel_count of a response."""
_TRAILER = struct.Struct("<BBBBI")
_FAULT = struct.Struct("<IHBBII")
DREP = b"\x10\0\0\0"
MIN_FRAGMENT = 1432
"""MustRecvFragSize: C706 12.6.3.1."""
MAX_FRAGMENT = 65_528
STRANGER_FRAGMENT = 5840
NDR = Syntax(UUID("8a885d04-1ceb-11c9-9fe8-08002b104860"), 2)
_FEATURES = bytes.fromhex("2c1cb76c12984045")
"""First half of the bind time feature negotiation UUID: MS-RPCE 3.3.1.5.3; the features follow as bits."""
FEATURES_SUPPORTED = 0x03
"""SecurityContextMultiplexingSupported, KeepConnectionOnOrphanSupported."""


class Kind(IntEnum):
    REQUEST = 0
    RESPONSE = 2
    FAULT = 3
    BIND = 11
    BIND_ACK = 12
    BIND_NAK = 13
    ALTER_CONTEXT = 14
    ALTER_CONTEXT_RESP = 15
    AUTH3 = 16
    SHUTDOWN = 17
    CO_CANCEL = 18
    ORPHANED = 19


class Pfc:
    """PFC flags, as plain numbers, because they are read several times for each fragment."""

    FIRST = 0x01
    LAST = 0x02
    SIGN_HEADER = 0x04
    """In bind and alter_context: MS-RPCE 2.2.2.3. In other PDUs: a cancel is pending."""
    MULTIPLEX = 0x10
    DID_NOT_EXECUTE = 0x20
    OBJECT = 0x80


WHOLE = Pfc.FIRST | Pfc.LAST


class Status(IntEnum):
    """Fault codes: C706 appendix E, MS-RPCE 3.1.1.5.5 (Windows' codes)."""

    ACCESS_DENIED = 0x00000005
    BAD_STUB = 0x000006F7
    CANCELLED = 0x1C00000D
    UNSPECIFIED = 0x1C000012
    CONTEXT_MISMATCH = 0x1C00001A
    NO_MEMORY = 0x1C00001D
    OP_RANGE = 0x1C010002
    UNKNOWN_INTERFACE = 0x1C010003
    PROTOCOL = 0x1C01000B
    TOO_BUSY = 0x1C010014
    SECURITY = 0x00000721
    """RPC_S_SEC_PKG_ERROR."""


class Nak(IntEnum):
    """Reasons of bind_nak: C706 12.6.3.1, MS-RPCE 2.2.2.5."""

    NOT_SPECIFIED = 0
    LOCAL_LIMIT = 2
    VERSION = 4
    AUTH_TYPE = 8
    CHECKSUM = 9


class Result(IntEnum):
    ACCEPTED = 0
    USER_REJECTION = 1
    PROVIDER_REJECTION = 2
    NEGOTIATE_ACK = 3


ABSTRACT_SYNTAX_NOT_SUPPORTED = 1
TRANSFER_SYNTAXES_NOT_SUPPORTED = 2
LIMIT_EXCEEDED = 3


class PduError(ValueError):
    """The bytes are no PDU. The rest of the connection cannot be understood."""


@dataclass(frozen=True, slots=True)
class Verifier:
    """The sec_trailer and auth_value of a PDU. `at` is where the trailer begins in the PDU."""

    type: int
    level: int
    pad: int
    id: int
    token: bytes
    at: int


@dataclass(frozen=True, slots=True)
class Offer:
    """One presentation context of a bind: an interface and the transfer syntaxes that the client offers."""

    id: int
    abstract: Syntax
    transfers: tuple[Syntax, ...]

    @property
    def features(self) -> int | None:
        """The bits of a bind time feature negotiation (MS-RPCE 3.3.1.5.3), if this is one and no offer; else None."""
        if len(self.transfers) == 1 and self.transfers[0].uuid.bytes_le.startswith(_FEATURES):
            return int.from_bytes(self.transfers[0].uuid.bytes_le[8:10], "little")
        return None


@dataclass(frozen=True, slots=True)
class Bind:
    max_xmit: int
    max_recv: int
    group: int
    offers: tuple[Offer, ...]


@dataclass(frozen=True, slots=True)
class BindAnswer:
    """The body of a bind_ack. `results` has (result, reason) for each offer, in order."""

    max_xmit: int
    max_recv: int
    group: int
    results: tuple[tuple[int, int], ...]


def pdu(kind: Kind, flags: int, call_id: int, body: bytes, verifier: bytes = b"", token_size: int = 0) -> bytes:
    """Makes a PDU that is not protected. `verifier` is sec_trailer and auth_value, already padded to its place."""
    size = HEADER.size + len(body) + len(verifier)
    return HEADER.pack(5, 0, kind, flags, DREP, size, token_size, call_id) + body + verifier


def with_token(body: bytes, association: Association, token: bytes) -> tuple[bytes, bytes]:
    """Returns the body padded to 4, and the verifier that carries a token of a handshake."""
    pad = -len(body) % 4
    trailer = _TRAILER.pack(association.type, association.level, pad, 0, association.id)
    return body + bytes(pad), trailer + token


def read_verifier(data: memoryview, size: int, token_size: int, body_at: int) -> Verifier | None:
    """Reads the verifier of a PDU of `size` bytes; None if it has none. Raises PduError."""
    if not token_size:
        return None
    at = size - token_size - _TRAILER.size
    if at < body_at:
        raise PduError("the verifier is larger than the PDU")
    kind, level, pad, _, context = _TRAILER.unpack_from(data, at)
    if pad > at - body_at:
        raise PduError("more padding than body")
    return Verifier(kind, level, pad, context, bytes(data[at + _TRAILER.size : size]), at)


def bind_body(bind: Bind) -> bytes:
    out = struct.pack("<HHIBxxx", bind.max_xmit, bind.max_recv, bind.group, len(bind.offers))
    for offer in bind.offers:
        out += struct.pack("<HBx", offer.id, len(offer.transfers)) + _syntax(offer.abstract)
        out += b"".join(_syntax(transfer) for transfer in offer.transfers)
    return out


def read_bind(data: memoryview) -> Bind:
    """Reads the body of a bind or alter_context. Raises PduError.

    Bound: linear; at most 255 contexts of 255 syntaxes.
    """
    try:
        max_xmit, max_recv, group, count = struct.unpack_from("<HHIB", data, 0)
        at, offers = 12, []
        for _ in range(count):
            number, transfers = struct.unpack_from("<HB", data, at)
            syntaxes = [_read_syntax(data, at + 4 + 20 * i) for i in range(transfers + 1)]
            offers.append(Offer(number, syntaxes[0], tuple(syntaxes[1:])))
            at += 4 + 20 * (transfers + 1)
    except struct.error as error:
        raise PduError("a bind that is cut off") from error
    return Bind(max_xmit, max_recv, group, tuple(offers))


def bind_answer_body(answer: BindAnswer, address: str) -> bytes:
    """Writes the body of a bind_ack or alter_context_resp. `address` is the secondary address (the port); the latter has ""."""
    name = address.encode("ascii") + b"\0" if address else b""
    out = struct.pack("<HHIH", answer.max_xmit, answer.max_recv, answer.group, len(name)) + name
    out += bytes(-(HEADER.size + len(out)) % 4) + struct.pack("<Bxxx", len(answer.results))
    for result, reason in answer.results:
        transfer = _syntax(NDR) if result == Result.ACCEPTED else bytes(20)
        out += struct.pack("<HH", result, reason) + transfer
    return out


def read_bind_answer(data: memoryview) -> BindAnswer:
    """Reads the body of a bind_ack or alter_context_resp. Raises PduError.

    Bound: linear; at most 255 results.
    """
    try:
        max_xmit, max_recv, group, length = struct.unpack_from("<HHIH", data, 0)
        at = 10 + length
        at += -(HEADER.size + at) % 4
        count = struct.unpack_from("<B", data, at)[0]
        results = [struct.unpack_from("<HH", data, at + 4 + 24 * i) for i in range(count)]
    except struct.error as error:
        raise PduError("an answer that is cut off") from error
    return BindAnswer(max_xmit, max_recv, group, tuple((r, s) for r, s in results))


def nak(call_id: int, reason: Nak) -> bytes:
    """Makes a bind_nak with the one version that is supported (MS-RPCE 2.2.2.9)."""
    return pdu(Kind.BIND_NAK, WHOLE, call_id, struct.pack("<HBBB", reason, 1, 5, 0) + b"\0\0\0")


def fault(call_id: int, context: int, status: int, executed: bool) -> bytes:
    flags = WHOLE if executed else WHOLE | Pfc.DID_NOT_EXECUTE
    return pdu(Kind.FAULT, flags, call_id, _FAULT.pack(0, context, 0, 0, status, 0))


def read_fault(data: memoryview) -> int:
    """Reads the status of a fault. Raises PduError."""
    if len(data) < 12:
        raise PduError("a fault that is cut off")
    status: int = struct.unpack_from("<I", data, 8)[0]
    return status


def cut(
    kind: Kind,
    call_id: int,
    context: int,
    number: int,
    stub: bytes | bytearray,
    max_fragment: int,
    association: Association | None = None,
    sign_header: bool = False,
    object_: bytes = b"",
) -> bytes:
    """Cuts a request or response into fragments, signed or sealed if `association` asks for it. `number` is the opnum or cancel
    count. `object_` is the image of the UUID that a request is about (C706 12.6.4.9); each fragment repeats it."""
    if association is not None and association.protection is not None and association.level > Level.CONNECT:
        return _cut_protected(kind, call_id, context, number, stub, max_fragment, association, sign_header, object_)
    head_size, always = CALL_HEADER.size + len(object_), Pfc.OBJECT if object_ else 0
    room = (max_fragment - head_size) & ~7
    total = len(stub)
    if total <= room:
        size = head_size + total
        head = CALL_HEADER.pack(5, 0, kind, WHOLE | always, DREP, size, 0, call_id, total, context, number)
        return head + object_ + stub
    parts: list[bytes | memoryview] = []
    view = memoryview(stub)
    for at in range(0, total, room):
        piece = view[at : at + room]
        flags = always | (Pfc.FIRST if at == 0 else 0) | (Pfc.LAST if at + room >= total else 0)
        size = head_size + len(piece)
        head = CALL_HEADER.pack(5, 0, kind, flags, DREP, size, 0, call_id, total - at, context, number)
        parts += (head, object_, piece)
    return b"".join(parts)


def _cut_protected(
    kind: Kind,
    call_id: int,
    context: int,
    number: int,
    stub: bytes | bytearray,
    max_fragment: int,
    association: Association,
    sign_header: bool,
    object_: bytes,
) -> bytes:
    protection, level = association.protection, association.level
    assert protection is not None
    total = len(stub)
    # In DCE style the size of a Kerberos token does not depend on the stub's; to be sure the largest stub is asked for.
    head_size, always = CALL_HEADER.size + len(object_), Pfc.OBJECT if object_ else 0
    largest = (max_fragment - head_size - _TRAILER.size) & ~15
    room = (largest - protection.token_size(level, largest)) & ~15
    parts: list[bytes] = []
    for at in range(0, total or 1, room):
        piece = bytes(stub[at : at + room]) if total > room else bytes(stub)
        pad = -len(piece) % 16
        flags = always | (Pfc.FIRST if at == 0 else 0) | (Pfc.LAST if at + room >= total else 0)
        padded = piece + bytes(pad)
        token_size = protection.token_size(level, len(padded))
        size = head_size + len(padded) + _TRAILER.size + token_size
        head = CALL_HEADER.pack(5, 0, kind, flags, DREP, size, token_size, call_id, total - at, context, number)
        head += object_
        trailer = _TRAILER.pack(association.type, level, pad, 0, association.id)
        sealed, token = protection.protect(level, sign_header, head, padded, trailer)
        parts += (head, sealed, trailer, token)
    return b"".join(parts)


def uncut(
    data: memoryview, head_size: int, verifier: Verifier, association: Association, sign_header: bool
) -> bytes | None:
    """Returns the clear stub of one protected fragment; None if it was tampered with. `head_size` counts an object UUID, too."""
    protection = association.protection
    if protection is None or verifier.level != association.level or verifier.type != association.type:
        return None
    head, stub = bytes(data[:head_size]), bytes(data[head_size : verifier.at])
    trailer = bytes(data[verifier.at : verifier.at + _TRAILER.size])
    clear = protection.unprotect(association.level, sign_header, head, stub, trailer, verifier.token)
    if clear is None or not verifier.pad:
        return clear
    return clear[: -verifier.pad]


def syntax_bytes(syntaxes: Sequence[Syntax]) -> bytes:
    return b"".join(_syntax(syntax) for syntax in syntaxes)


def _syntax(syntax: Syntax) -> bytes:
    return syntax.uuid.bytes_le + struct.pack("<HH", syntax.major, syntax.minor)


def _read_syntax(data: memoryview, at: int) -> Syntax:
    image = bytes(data[at : at + 16])
    if len(image) < 16:
        raise PduError("a syntax that is cut off")
    major, minor = struct.unpack_from("<HH", data, at + 16)
    return Syntax(UUID(bytes_le=image), major, minor)
