"""The privilege attribute certificate of a Kerberos ticket (MS-PAC 2.3): finds the logon information in it.

The Kerberos library has already verified the signatures of the bytes; `trust` decides what a membership permits.
"""

from __future__ import annotations

import struct

from postern.protocols.dcerpc.interfaces.validation import LogonInformation, read_validation
from postern.protocols.dcerpc.ndr import NdrError, Reader

MAX_SIZE = 65_536
"""Bytes of a PAC; a ticket with a larger one does not fit where tickets are sent."""
_MAX_BUFFERS = 64
_LOGON_INFORMATION = 1
_SERIALIZATION = bytes.fromhex("01100800cccccccc")
"""MS-RPCE 2.2.6.1: version 1, little-endian, 8 bytes of header."""


class PacError(ValueError):
    """Bytes that are no PAC, or one without logon information."""


def logon_information(pac: bytes) -> LogonInformation:
    """Reads the logon information of a PAC. Raises PacError.

    Bound: linear; at most 65,536 octets and 64 buffers.
    """
    if not 8 <= len(pac) <= MAX_SIZE:
        raise PacError("a PAC too small or too large")
    count, version = struct.unpack_from("<II", pac)
    if version != 0 or count > _MAX_BUFFERS or 8 + 16 * count > len(pac):
        raise PacError("a PAC with a broken head")
    for kind, size, offset in struct.iter_unpack("<IIQ", pac[8 : 8 + 16 * count]):
        if kind == _LOGON_INFORMATION:
            if offset + size > len(pac):
                raise PacError("a buffer outside of the PAC")
            return _serialized(pac[offset : offset + size])
    raise PacError("a PAC without logon information")


def _serialized(buffer: bytes) -> LogonInformation:
    """Reads one NDR structure behind the headers of type serialization version 1: MS-RPCE 2.2.6."""
    if buffer[:8] != _SERIALIZATION or len(buffer) < 20:
        raise PacError("logon information in an unknown encoding")
    try:
        data = Reader(buffer[16:])
        if not data.u32():
            raise PacError("no logon information")
        return read_validation(data, ticket=True)
    except NdrError as error:
        raise PacError(f"logon information: {error}") from error
