"""The hash that HTTP Digest needs instead of a password: H(name ":" realm ":" password), RFC 7616 section 3.4.2.

Whoever has it can log on by Digest in that realm, as with the password itself; it opens nothing else.
"""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Protocol

from postern.model.directory import Account
from postern.model.domains import fold, spellings

ALGORITHMS = ("SHA-256", "MD5")
"""The algorithms of RFC 7616 that clients have, the better one first."""


class RealmHashes(Protocol):
    """The hashes that are kept of users' passwords."""

    @property
    def digest_realm(self) -> str:
        """The realm that stands in the hashes; "" while none are kept. It changes only when all hashes are erased."""
        ...

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


def names_of(name: str) -> tuple[str, ...]:
    """Returns the spellings of a logon name for which hashes are kept: the whole name, with its domain in A-labels and in
    letters, and its local part. For example "alice@example.test" and "alice"."""
    return (*spellings(name), *([local] if (local := fold(name).rpartition("@")[0]) else []))


def realm_hashes(name: str, realm: str, password: str) -> str:
    """Makes what the directory keeps of a password: for each algorithm its hashes, in the order of `names_of`. For example
    `SHA-256$0f...$c3... MD5$7a...$11...`. The password is composed (RFC 7616 section 4)."""
    composed = unicodedata.normalize("NFC", password)
    return " ".join(
        "$".join((algorithm, *(realm_hash(algorithm, spelling, realm, composed) for spelling in names_of(name))))
        for algorithm in ALGORITHMS
    )


class DigestDirectory(Protocol):
    """A directory that keeps hashes for Digest, as verifiers of the kind "digest"."""

    @property
    def digest_realm(self) -> str: ...

    async def verifier(self, account: Account, kind: str) -> str | None: ...


class KeptRealmHashes:
    """Implements RealmHashes by what a directory keeps (`realm_hashes`)."""

    def __init__(self, directory: DigestDirectory) -> None:
        self._directory = directory

    @property
    def digest_realm(self) -> str:
        return self._directory.digest_realm

    async def realm_hash(self, account: Account, name: str, algorithm: str) -> str | None:
        names = names_of(account.name)
        kept = await self._directory.verifier(account, "digest")
        for part in (kept or "").split(" "):
            known, *hashes = part.split("$")
            if known == algorithm and name in names and len(hashes) == len(names):
                return hashes[names.index(name)]
        return None
