"""What a secret is proven against: the verifiers that our own directory keeps, or a domain whose controllers judge.

`Judge` and the NTLM acceptors ask one `Proofs`, and do not know which. Accounts come in as the directory has them now; one
that is unknown or disabled costs the same work as a wrong secret and is never right.
"""

from __future__ import annotations

import asyncio
import time
from typing import Protocol
from uuid import UUID

from postern.model.directory import Account, Directory, Logons, NtlmLogon
from postern.trust.ntlm import handshake as ntlm
from postern.trust.passwords import verifiers
from postern.trust.passwords.backoff import Guess
from postern.trust.passwords.saslprep import saslprep
from postern.trust.pool import Pool

_FIRST_REFUSAL = 0.01
"""Seconds that a refusal is taken to last before one was measured."""
_NOBODY = Account(UUID(int=0), "", enabled=False, is_server=False, change="")


class Proofs(Protocol):
    """Both raise DirectoryUnavailable when nobody can judge now, and `pool.Overloaded`."""

    async def password(self, account: Account | None, password: str, guess: Guess) -> bool:
        """`guess` says under which account and address the work takes its turn."""
        ...

    async def ntlm(self, account: Account | None, logon: NtlmLogon) -> ntlm.Proof | None:
        """`logon` holds an NTLMv2 answer to our own challenge; None if it is not this account's."""
        ...


class Verifiers:
    """Against what the directory keeps: argon2id in a pool, and NT hashes where an administrator enabled them."""

    def __init__(self, directory: Directory, pool: Pool) -> None:
        self._directory = directory
        self._pool = pool

    async def password(self, account: Account | None, password: str, guess: Guess) -> bool:
        verifier = await self._directory.verifier(account or _NOBODY, "argon2id")
        if account is None or not account.enabled:
            verifier = None
        try:
            prepared = saslprep(password)
        except ValueError:
            prepared, verifier = "", None
        return await self._pool.run(lambda: verifiers.matches(verifier, prepared), guess.account, guess.address)

    async def ntlm(self, account: Account | None, logon: NtlmLogon) -> ntlm.Proof | None:
        known = None
        if account is not None and account.enabled:
            known = await self._directory.verifier(account, "nt")
        return ntlm.matches(bytes.fromhex(known) if known else None, logon)


class DomainProofs:
    """By a domain's controllers. `domain` is the NetBIOS domain: accounts of others are nobody's here."""

    def __init__(self, directory: Directory, logons: Logons, domain: str) -> None:
        self._directory = directory
        self._logons = logons
        self._domain = domain
        self._refusal = _FIRST_REFUSAL

    async def password(self, account: Account | None, password: str, guess: Guess) -> bool:
        if account is None or not account.enabled:
            # A controller is asked nothing about nobody, so the time of a refusal is waited out.
            await asyncio.sleep(self._refusal)
            return False
        started = time.monotonic()
        right = await self._logons.password(account, password, guess.address)
        if not right:
            self._refusal += (min(time.monotonic() - started, 1.0) - self._refusal) / 8
        return right

    async def ntlm(self, account: Account | None, logon: NtlmLogon) -> ntlm.Proof | None:
        """The controller looks the name up by its own rules, so whom it found is compared with whom the directory named."""
        verdict = await self._logons.ntlm(logon)
        if verdict.status or account is None or not account.enabled:
            return None
        found = await self._directory.account(f"{self._domain}\\{verdict.name}")
        if found is None or not found.enabled or found.guid != account.guid:
            return None
        return ntlm.Proof(verdict.session_base_key, verdict.groups)
