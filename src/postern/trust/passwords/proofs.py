"""Judges secrets: by the verifiers that our own directory keeps, or by the controllers of a domain.

`Judge` and the NTLM acceptors ask a `Proofs`, and do not know which it is. Accounts come in as the directory has them now. An
unknown or disabled account costs the same work as a wrong secret, and is never right.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Protocol
from uuid import UUID

from postern.model.directory import Account, Directory, Logons, NtlmLogon
from postern.model.security import Mechanism
from postern.trust.ntlm import handshake as ntlm
from postern.trust.passwords import verifiers
from postern.trust.passwords.backoff import Guess
from postern.trust.passwords.saslprep import saslprep
from postern.trust.pool import Pool

_FIRST_REFUSAL = 0.01
"""Seconds that a refusal is taken to last before one was measured."""
_NOBODY = Account(UUID(int=0), "", enabled=False, is_server=False, change="")


@dataclass(frozen=True, slots=True)
class Unproven:
    """A wrong answer. `reason` is for the log, such as "wrong password"; it is said of accounts that may be used."""

    reason: str


WRONG = Unproven("wrong password")


def no_secret(mechanism: Mechanism) -> str:
    """Returns the reason why an account whose password was set before a mechanism was enabled cannot use it."""
    return f"no {mechanism} secret: set the password again"


class Proofs(Protocol):
    """A judge of secrets. Its methods raise DirectoryUnavailable when nobody can judge now, and `pool.Overloaded`."""

    async def password(self, account: Account | None, password: str, guess: Guess) -> bool:
        """Whether the password is right. The work takes its turn under the account and address of `guess`."""
        ...

    async def ntlm(self, account: Account | None, logon: NtlmLogon) -> ntlm.Proof | Unproven:
        """Judges the NTLMv2 answer in `logon` to our own challenge. Returns Unproven if this account did not make it."""
        ...


class Verifiers:
    """Judges by the verifiers of the directory: argon2id in a pool, and NT hashes where an administrator enabled them."""

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

    async def ntlm(self, account: Account | None, logon: NtlmLogon) -> ntlm.Proof | Unproven:
        nt_hash = None
        if account is not None and account.enabled:
            nt_hash = await self._directory.verifier(account, "nt")
        proof = ntlm.matches(bytes.fromhex(nt_hash) if nt_hash else None, logon)
        return proof or (WRONG if nt_hash else Unproven(no_secret(Mechanism.NTLM)))


class DomainProofs:
    """Judges by the controllers of a domain. `domain` is its NetBIOS name; accounts of other domains are unknown here."""

    def __init__(self, directory: Directory, logons: Logons, domain: str) -> None:
        self._directory = directory
        self._logons = logons
        self._domain = domain
        self._refusal = _FIRST_REFUSAL

    async def password(self, account: Account | None, password: str, guess: Guess) -> bool:
        if account is None or not account.enabled:
            # No controller is asked about an unknown account, so this waits as long as a refusal takes.
            await asyncio.sleep(self._refusal)
            return False
        started = time.monotonic()
        right = await self._logons.password(account, password, guess.address)
        if not right:
            self._refusal += (min(time.monotonic() - started, 1.0) - self._refusal) / 8
        return right

    async def ntlm(self, account: Account | None, logon: NtlmLogon) -> ntlm.Proof | Unproven:
        """Judges an NTLMv2 answer. The controller looks the name up by its own rules, so the account that it judged is compared
        with the one that the directory gave."""
        verdict = await self._logons.ntlm(logon)
        if verdict.status:
            return Unproven(f"the domain controller refused it with NTSTATUS {verdict.status:#010x}")
        if account is None or not account.enabled:
            return WRONG
        judged = await self._directory.account(f"{self._domain}\\{verdict.name}")
        if judged is None or not judged.enabled or judged.guid != account.guid:
            return Unproven("the domain controller judged another account")
        return ntlm.Proof(verdict.session_base_key, verdict.groups)
