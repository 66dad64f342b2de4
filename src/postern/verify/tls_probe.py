"""Looks at an LDAP server's TLS, from the first byte or after StartTLS: its certificate and the seal. Also tells whether a port
answers at all.

It uses Python's own TLS on a socket, only to the real port of a row. It never validates: the caller compares the certificate.
"""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass

from postern.model.security import Seal

TIMEOUT = 5.0
_KNOCK = 0.9
"""Seconds. The kernel repeats its first packet after one second (RFC 6298): so a firewall in between drops one packet only."""
START_TLS = bytes.fromhex("301d02010177188016") + b"1.3.6.1.4.1.1466.20037"
"""RFC 4511 section 4.14.1, with the message ID 1."""
_SUCCESS = bytes.fromhex("0a0100")
"""A result code of 0 (an ENUMERATED)."""


@dataclass(frozen=True, slots=True)
class Shown:
    certificate: bytes
    seal: Seal


def look(host: str, number: int, context: ssl.SSLContext, start_tls: bool = False) -> Shown:
    """The certificate (DER) and the seal; `host` is an IP address. Raises OSError where there is no TLS to be had."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as plain:
        plain.settimeout(TIMEOUT)
        plain.connect((host, number))
        if start_tls:
            plain.sendall(START_TLS)
            if _SUCCESS not in plain.recv(4096):
                raise ConnectionRefusedError("StartTLS is refused")
        with context.wrap_socket(plain) as sealed:
            cipher = sealed.cipher()
            seal = Seal(sealed.version() or "", cipher[0] if cipher else "")
            return Shown(sealed.getpeercert(True) or b"", seal)


def listens(host: str, number: int) -> bool:
    """Whether a host that is near accepts a connection; nothing is sent over it."""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as plain:
        plain.settimeout(_KNOCK)
        return plain.connect_ex((host, number)) == 0
