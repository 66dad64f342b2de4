"""Makes the verifiers of a password that are kept: argon2id always; the NT hash, SCRAM's keys and the hashes of HTTP Digest only
where an administrator wants them.

An argon2id call costs tens of milliseconds and releases the interpreter meanwhile. Servers call it in the bounded pool of the
`Judge`. Knows no account.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Collection
from dataclasses import dataclass

import argon2

from postern.trust.ntlm.handshake import nt_hash
from postern.trust.passwords.realm_hash import realm_hashes
from postern.trust.passwords.saslprep import saslprep

MAX_LENGTH = 1024
"""Characters of a password. Longer ones are refused before any work is done."""

SCRAM_ITERATIONS = 15_000
"""RFC 7677 section 4 asks for 4,096 at least; a phone does this many in some tens of milliseconds."""

# 19 MiB, two passes, one lane: about 20 ms of one core.
_HASHER = argon2.PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODY = _HASHER.hash(secrets.token_hex(16))


@dataclass(frozen=True, slots=True)
class ScramKeys:
    """The keys that a server keeps for SCRAM (RFC 5802 section 3), with SHA-256."""

    iterations: int
    salt: bytes
    stored_key: bytes
    server_key: bytes

    def __str__(self) -> str:
        salt, stored, server = (
            base64.b64encode(part).decode() for part in (self.salt, self.stored_key, self.server_key)
        )
        return f"SCRAM-SHA-256${self.iterations}:{salt}${stored}:{server}"

    @staticmethod
    def parse(text: str) -> ScramKeys:
        """Reads keys as `__str__` writes them. Raises ValueError."""
        scheme, count, keys = text.split("$")
        if scheme != "SCRAM-SHA-256":
            raise ValueError("not SCRAM-SHA-256")
        iterations, salt = count.split(":")
        stored, server = (base64.b64decode(part, validate=True) for part in keys.split(":"))
        return ScramKeys(int(iterations), base64.b64decode(salt, validate=True), stored, server)


def verifiers(password: str, kinds: Collection[str] = (), name: str = "", realm: str = "") -> dict[str, str]:
    """Makes what the directory keeps of a new password, by kind: "argon2id", and "nt", "scram-sha-256" and "digest" if they are
    in `kinds`. The logon name and the realm stand in the hashes of "digest", which is left out without them.

    Raises ValueError with a text for the person who chose the password.
    """
    if not password:
        raise ValueError("an empty password is not allowed")
    if len(password) > MAX_LENGTH:
        raise ValueError(f"a password has at most {MAX_LENGTH} characters")
    prepared = saslprep(password)
    made = {"argon2id": _HASHER.hash(prepared)}
    if "nt" in kinds:
        made["nt"] = nt_hash(password).hex()
    if "scram-sha-256" in kinds:
        made["scram-sha-256"] = str(scram_keys(prepared, secrets.token_bytes(16), SCRAM_ITERATIONS))
    if "digest" in kinds and name and realm:
        made["digest"] = realm_hashes(name, realm, password)
    return made


def scram_keys(prepared: str, salt: bytes, iterations: int) -> ScramKeys:
    salted = hashlib.pbkdf2_hmac("sha256", prepared.encode(), salt, iterations)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    return ScramKeys(
        iterations, salt, hashlib.sha256(client_key).digest(), hmac.digest(salted, b"Server Key", "sha256")
    )


def matches(verifier: str | None, prepared: str) -> bool:
    """Whether an argon2id verifier was made of this password. Without a verifier the same work is done, and the answer is no."""
    try:
        return _HASHER.verify(verifier or _NOBODY, prepared) and verifier is not None
    except (argon2.exceptions.VerificationError, argon2.exceptions.InvalidHashError):
        return False
