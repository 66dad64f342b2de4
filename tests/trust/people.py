"""A directory in memory: its accounts change when a test says so, and it can be away."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import replace
from typing import Any, TypeVar
from uuid import UUID, uuid4

from postern.model.directory import UNKNOWN, Account, CertificateNames, DirectoryUnavailable, Recipient, Unknown
from postern.model.organization import AcceptedDomain
from postern.model.security import Peer
from postern.trust.passwords import verifiers as passwords

PEER = Peer("192.0.2.1", 40_000)
T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


class People:
    """`add` makes a user with every verifier. `asked` counts look-ups of accounts."""

    def __init__(self) -> None:
        self.accounts: dict[str, Account] = {}
        self.verifiers: dict[str, dict[str, str]] = {}
        self.enabled: set[str] = set()
        self.identities: dict[str, str] = {}
        """By a value of altSecurityIdentities, the account that has it."""
        self.away = False
        self.asked = 0
        self._changes = 0

    def add(self, name: str, password: str, enabled: bool = True, is_server: bool = False) -> Account:
        kinds = ("nt", "scram-sha-256")
        return self._put(Account(uuid4(), name, enabled, is_server, ""), passwords.verifiers(password, kinds))

    def set(self, name: str, password: str | None = None, enabled: bool = True) -> Account:
        old = self.accounts[name]
        kept = passwords.verifiers(password) if password else self.verifiers[name]
        credentials = f"set at {self._changes}" if password else old.credentials
        return self._put(Account(old.guid, name, enabled, old.is_server, "", credentials=credentials), kept)

    def _put(self, account: Account, verifiers: dict[str, str]) -> Account:
        self._changes += 1
        account = replace(account, change=str(self._changes), recipient=account.name)
        self.accounts[account.name] = account
        self.verifiers[account.name] = verifiers
        return account

    async def account(self, name: str) -> Account | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise DirectoryUnavailable
        short = name.rpartition("\\")[2].lower()
        for known, account in self.accounts.items():
            if short in (known.lower(), known.partition("@")[0].lower()):
                return account
        return None

    async def account_of_certificate(self, names: CertificateNames) -> Account | None:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise DirectoryUnavailable
        mapped = [self.identities[value] for value in names.identities if value in self.identities]
        return self.accounts.get(mapped[0] if mapped else names.principal)

    async def accounts_by_guid(self, guids: Sequence[UUID]) -> dict[UUID, Account]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.away:
            raise DirectoryUnavailable
        return {account.guid: account for account in self.accounts.values() if account.guid in guids}

    async def verifier(self, account: Account, kind: str) -> str | None:
        await asyncio.sleep(0)
        if self.away:
            raise DirectoryUnavailable
        return self.verifiers.get(account.name, {}).get(kind)

    async def enabled_verifiers(self) -> frozenset[str]:
        if self.away:
            raise DirectoryUnavailable
        return frozenset(self.enabled)

    async def accepted_domains(self) -> tuple[AcceptedDomain, ...]:
        return ()

    async def recipients(self, addresses: Sequence[str]) -> dict[str, Recipient]:
        return {}

    async def recipient(self, address: str) -> Recipient | None:
        return None

    def cached_recipient(self, address: str) -> Recipient | Unknown | None:
        return UNKNOWN
