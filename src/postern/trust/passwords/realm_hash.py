"""The hash that HTTP Digest needs instead of a password: H(name ":" realm ":" password), RFC 7616 section 3.4.2.

Whoever has it can log on by Digest in that realm, as with the password itself; it opens nothing else.
"""

from __future__ import annotations

import hashlib
from typing import Protocol

from postern.model.directory import Account

ALGORITHMS = ("SHA-256", "MD5")
"""The algorithms of RFC 7616 that clients have, the better one first."""


class RealmHashes(Protocol):
    """The hashes that are kept of users' passwords."""

    async def realm_hash(self, account: Account, name: str, algorithm: str) -> str | None:
        """Returns the hash, in small hexadecimal, that was made for this spelling of the account's name; None if there is none.
        Raises DirectoryUnavailable."""
        ...


def digest(algorithm: str, text: str) -> str:
    """Hashes a text in UTF-8, and returns small hexadecimal."""
    return hashlib.new("sha256" if algorithm == "SHA-256" else "md5", text.encode(), usedforsecurity=False).hexdigest()


def realm_hash(algorithm: str, name: str, realm: str, password: str) -> str:
    """Makes the hash of a password for one spelling of a name."""
    return digest(algorithm, f"{name}:{realm}:{password}")
