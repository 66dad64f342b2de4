"""The edge's keeper of accounts makes the accounts that hubs ask for, and ends those that have expired or are given back.

An edge has one such process, the only one that is the directory's administrator. The account that wrote a request limits what it
may ask: a present replicator may have accounts made for hubs, for a bounded time, under names that cannot be guessed.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from postern.directory.adam.accounts import AccountError, AccountRequest, AdamAccounts, is_name_of
from postern.model.directory import DirectoryUnavailable
from postern.services.edge.pairs import LIFE, purpose
from postern.telemetry.log import Event, log
from postern.telemetry.rounds import rounds
from postern.trust.certificates.sealed_secrets import SealError, unseal

EVERY = 1.0
"""Seconds between two searches for requests. They go over the unix socket, and rarely find any."""
_MOST = LIFE * 2
"""Seconds from now in which an account must end."""
_SHORTEST = 20
"""Characters that a password must have; hubs make 43."""


class AccountKeeper:
    """Makes and ends accounts. `key` gives the private key (PEM) of the edge's certificate, to which passwords are sealed."""

    def __init__(
        self, accounts: AdamAccounts, edge: str, key: Callable[[], bytes], clock: Callable[[], float] = time.time
    ) -> None:
        self._accounts = accounts
        self._edge = edge
        self._key = key
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        keeping = rounds(EVERY, self.look, "keeping of accounts", expected=(DirectoryUnavailable,), at_once=True)
        self._task = asyncio.create_task(keeping)

    async def stop(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def look(self) -> None:
        """Ends the accounts that have expired, and carries out the requests, once. Raises DirectoryUnavailable."""
        now = self._clock()
        for over in await self._accounts.expire(now):
            log(Event.EDGE_ACCOUNT_ENDED, path="edgesync", account=over.dn, hub=over.hub, why="its time is over")
        requests = await self._accounts.requests()
        if not requests:
            return
        known = {account.dn.lower(): account for account in await self._accounts.replicators()}
        for request in requests:
            asker = known.get(request.by.lower())
            if asker is None:
                self._refuse(request, "who asked is no replicator any more")
            elif request.secret:
                await self._make(request, now)
            else:
                ending = known.get(request.account.lower())
                if ending is not None and (ending.bootstrap or ending.hub == asker.hub):
                    await self._accounts.remove(ending.dn)
                    log(Event.EDGE_ACCOUNT_ENDED, path="edgesync", account=ending.dn, hub=ending.hub, why="given back")
                elif ending is not None:
                    self._refuse(request, "it is another hub's account")
            await self._accounts.done(request)

    async def _make(self, request: AccountRequest, now: float) -> None:
        if not request.hub or not is_name_of(request.account, request.hub):
            self._refuse(request, "no account of a hub is called so")
            return
        if not now < request.not_after <= now + _MOST or request.not_before >= request.not_after:
            self._refuse(request, "its time is not a replication account's")
            return
        try:
            password = unseal(self._key(), request.secret, purpose(self._edge, request.hub, request.account))
            if len(password) < _SHORTEST:
                raise AccountError("the password is too short")
            await self._accounts.add(request.hub, password, request.not_before, request.not_after, request.account)
        except (SealError, AccountError, OSError) as error:
            self._refuse(request, str(error))
            return
        log(Event.EDGE_CREDENTIAL, path="edgesync", edge=self._edge, hub=request.hub, account=request.account)

    def _refuse(self, request: AccountRequest, why: str) -> None:
        log(Event.EDGE_REQUEST_REFUSED, path="edgesync", account=request.account, by=request.by, why=why)
