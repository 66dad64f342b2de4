"""Makes keytabs of computer accounts in Active Directory: keys from the account's password, in MIT's file format.

Pure: the password, realm and version come in; `host.active_directory` keeps the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from hashlib import pbkdf2_hmac

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

AES256, AES128 = 18, 17
"""RFC 3962 section 7: aes256-cts-hmac-sha1-96 and aes128-cts-hmac-sha1-96."""
_KEY_OCTETS = {AES256: 32, AES128: 16}
_ITERATIONS = 4096
"""RFC 3962 section 4, the default, which domain controllers use (MS-KILE 3.1.1.2)."""
_FOLDED_KERBEROS = bytes.fromhex("6b65726265726f737b9b5b2b93132b93")
"""RFC 3961 appendix A.1: 128-fold("kerberos")."""
_PRINCIPAL, _SERVICE = 1, 2
"""RFC 4120 section 6.2: NT-PRINCIPAL, NT-SRV-INST."""


def string_to_key(password: str, salt: str, kind: int) -> bytes:
    """Makes the key of `kind` (AES256 or AES128) from a password (RFC 3962 section 4)."""
    octets = _KEY_OCTETS[kind]
    raw = pbkdf2_hmac("sha1", password.encode(), salt.encode(), _ITERATIONS, octets)
    key, block = b"", _FOLDED_KERBEROS
    while len(key) < octets:  # DK of RFC 3961 section 5.1: each block is the encryption of the one before
        cipher = Cipher(AES(raw), CBC(bytes(16))).encryptor()
        block = cipher.update(block) + cipher.finalize()
        key += block
    return key[:octets]


def computer_salt(realm: str, account: str) -> str:
    """Returns the salt of the computer with this sAMAccountName (HUB1$): MS-KILE 3.1.1.2."""
    return f"{realm}host{account.rstrip('$').lower()}.{realm.lower()}"


def keytab(realm: str, account: str, password: str, version: int, services: Iterable[str], timestamp: int = 0) -> bytes:
    """Returns the content of a keytab (MIT's version 0x0502): the account's keys under its own name and under each of `services`
    ("imap/cas1.corp.test"). `version` is msDS-KeyVersionNumber."""
    salt = computer_salt(realm, account)
    keys = [(kind, string_to_key(password, salt, kind)) for kind in (AES256, AES128)]
    names = [((account,), _PRINCIPAL), *((tuple(service.split("/")), _SERVICE) for service in services)]
    entries = [_entry(realm, parts, name, version, timestamp, *key) for parts, name in names for key in keys]
    return b"\x05\x02" + b"".join(entries)


def principals(content: bytes) -> set[tuple[str, int]]:
    """Reads the names ("imap/cas1.corp.test") and key versions in a keytab; empty for octets that are none."""
    entries: set[tuple[str, int]] = set()
    at = 2
    try:
        while content[:2] == b"\x05\x02" and at < len(content):
            size = struct.unpack_from(">i", content, at)[0]
            end = at + 4 + abs(size)
            if size > 0:
                count = struct.unpack_from(">H", content, at + 4)[0]
                at += 6
                parts = []
                for _ in range(count + 1):  # the realm is the first
                    length = struct.unpack_from(">H", content, at)[0]
                    parts.append(content[at + 2 : at + 2 + length].decode())
                    at += 2 + length
                entries.add(("/".join(parts[1:]), struct.unpack_from(">I", content, end - 4)[0]))
            at = end
    except (struct.error, UnicodeDecodeError):
        return set()
    return entries


def _entry(realm: str, parts: tuple[str, ...], name: int, version: int, timestamp: int, kind: int, key: bytes) -> bytes:
    body = struct.pack(">H", len(parts)) + b"".join(map(_counted, (realm.encode(), *(part.encode() for part in parts))))
    body += struct.pack(">IIBH", name, timestamp, version & 0xFF, kind) + _counted(key) + struct.pack(">I", version)
    return struct.pack(">i", len(body)) + body


def _counted(value: bytes) -> bytes:
    return struct.pack(">H", len(value)) + value
