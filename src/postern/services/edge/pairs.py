"""Keeps a hub's accounts for EdgeSync, one for each edge: it chooses the one to use now, and makes new ones in time.

A new account is made 7 days before the old one ends and begins 3 days before that, as Exchange has it. Any hub that can write to
an edge makes accounts for all hubs of its subscription. The password is sealed to the hub's key in the organization's directory,
and to the edge's certificate in the request to the edge. `credentials` is the edge's side.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from postern.directory.adam.accounts import new_name
from postern.directory.adam.replica import EdgeReplica
from postern.model.edge import EdgeCredential, Subscription, SubscriptionStore
from postern.telemetry.log import Event, log
from postern.trust.certificates.sealed_secrets import SealError, key_of_certificate, public_part, seal, unseal

LIFE = 30 * 86400.0
RENEW_BEFORE = 7 * 86400.0
BEGIN_BEFORE = 3 * 86400.0
BACKDATED = 60.0
"""Seconds that an account begins early: the edge's clock may be behind the hub's."""


def purpose(edge: str, hub: str, username: str) -> str:
    """The purpose that a password is sealed for: it can be opened for the same one only."""
    return f"EdgeSync {edge} {hub} {username}"


@dataclass(frozen=True, slots=True)
class ReplicationAccount:
    """An account to bind with."""

    credential: EdgeCredential
    password: str

    def __repr__(self) -> str:
        return f"ReplicationAccount({self.credential.username})"


class EdgePairs:
    """The accounts of one hub, one for each edge. `key` is the hub's private key for passwords (PEM), made
    by `trust.certificates.sealed_secrets.new_key`."""

    def __init__(self, hub: str, key: bytes, store: SubscriptionStore) -> None:
        self._hub = hub
        self._private = key
        self.key = public_part(key)
        self._store = store

    async def introduce(self, subscription: Subscription) -> None:
        """Puts this hub's public key into the subscription, so that the hub that replicates can make it an account."""
        if (self._hub, self.key) not in subscription.hub_keys:
            await self._store.add_hub_key(subscription.name, self._hub, self.key)

    def logins(self, subscription: Subscription, now: float) -> list[ReplicationAccount]:
        """This hub's accounts that are valid now, the newest first and the bootstrap account last."""
        mine = [
            credential
            for credential in subscription.credentials
            if credential.hub == self._hub and credential.valid(now)
        ]
        mine.sort(key=lambda credential: (credential.bootstrap, -credential.effective))
        accounts = []
        for credential in mine:
            try:
                password = unseal(
                    self._private, credential.for_hub, purpose(subscription.name, credential.hub, credential.username)
                )
            except SealError:
                continue  # sealed to a key that this hub had before
            accounts.append(ReplicationAccount(credential, password))
        return accounts

    async def renew(self, subscription: Subscription, replica: EdgeReplica, now: float) -> list[ReplicationAccount]:
        """Makes the accounts that are due, and drops those that have expired. Returns the new ones of this hub."""
        for credential in subscription.credentials:
            if credential.expires <= now:
                await self._store.drop_credential(subscription.name, credential)
        made = []
        for hub, key in subscription.hub_keys:
            pairs = [
                credential
                for credential in subscription.credentials
                if credential.hub == hub
                and not credential.bootstrap
                and credential.expires > now
                and self._opens(subscription, credential)
            ]
            last = max((credential.expires for credential in pairs), default=0.0)
            if last > now + RENEW_BEFORE:
                continue
            effective = max(now, last - BEGIN_BEFORE) if last else now
            login = await self._make(subscription, replica, hub, key, effective)
            if hub == self._hub:
                made.append(login)
        return made

    async def end_bootstrap(self, subscription: Subscription, replica: EdgeReplica) -> None:
        """Ends the bootstrap account, which came with the subscription file."""
        for credential in subscription.credentials:
            if credential.bootstrap:
                await replica.ask_end(credential.username, self._hub)
                await self._store.drop_credential(subscription.name, credential)

    def _opens(self, subscription: Subscription, credential: EdgeCredential) -> bool:
        """Whether this hub can still open the password. Accounts of other hubs count as usable: only they can tell."""
        if credential.hub != self._hub:
            return True
        try:
            unseal(self._private, credential.for_hub, purpose(subscription.name, credential.hub, credential.username))
        except SealError:
            return False
        return True

    async def _make(
        self, subscription: Subscription, replica: EdgeReplica, hub: str, key: bytes, effective: float
    ) -> ReplicationAccount:
        password, username = secrets.token_urlsafe(32), new_name(hub)
        use = purpose(subscription.name, hub, username)
        for_edge = seal(key_of_certificate(subscription.certificate), password, use)
        credential = EdgeCredential(hub, username, effective, effective + LIFE, seal(key, password, use), for_edge)
        # The edge first: an unused account ends by itself, but a password without an account would be tried.
        await replica.ask_account(username, hub, effective - BACKDATED, credential.expires, for_edge)
        await self._store.add_credential(subscription.name, credential)
        log(Event.EDGE_CREDENTIAL, path="edgesync", edge=subscription.name, hub=hub, account=username)
        return ReplicationAccount(credential, password)


def good_until(subscription: Subscription, hub: str) -> float:
    """The end of this hub's last account, in seconds since 1970; 0 if it has none."""
    return max((credential.expires for credential in subscription.credentials if credential.hub == hub), default=0.0)


def hubs_of(subscription: Subscription) -> Sequence[str]:
    """The hubs that have an account, or have asked for one."""
    return sorted(
        {credential.hub for credential in subscription.credentials} | {hub for hub, _ in subscription.hub_keys}
    )
