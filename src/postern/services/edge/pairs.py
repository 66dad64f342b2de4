"""Accounts for EdgeSync, one for each pair of a hub and an edge, as hubs keep them: which one to use now, and new ones in time.

A new account is made 7 days before the old one ends and begins 3 days before that, as Exchange has it; any hub that can write to
an edge makes accounts for all hubs of its subscription. The password is sealed to the hub's key in the organization's directory,
and to the edge's certificate in what the edge is asked. The edge's side is `credentials`.
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
    """What a password is sealed for."""
    return f"EdgeSync {edge} {hub} {username}"


@dataclass(frozen=True, slots=True)
class ReplicationAccount:
    """An account to bind with."""

    credential: EdgeCredential
    password: str

    def __repr__(self) -> str:
        return f"ReplicationAccount({self.credential.username})"


class EdgePairs:
    """The accounts of one hub, one for each edge. `key` is its private key for passwords (PEM), of
    `trust.certificates.sealed_secrets.new_key`."""

    def __init__(self, hub: str, key: bytes, store: SubscriptionStore) -> None:
        self._hub = hub
        self._private = key
        self.key = public_part(key)
        self._store = store

    async def introduce(self, subscription: Subscription) -> None:
        """Puts this hub's public key into the subscription, so that whichever hub replicates can make it an account."""
        if (self._hub, self.key) not in subscription.hub_keys:
            await self._store.add_hub_key(subscription.name, self._hub, self.key)

    def logins(self, subscription: Subscription, now: float) -> list[ReplicationAccount]:
        """This hub's accounts that are good now, the newest first and the bootstrap account last."""
        mine = [one for one in subscription.credentials if one.hub == self._hub and one.valid(now)]
        mine.sort(key=lambda one: (one.bootstrap, -one.effective))
        found = []
        for one in mine:
            try:
                password = unseal(self._private, one.for_hub, purpose(subscription.name, one.hub, one.username))
            except SealError:
                continue  # sealed to a key that this hub had before
            found.append(ReplicationAccount(one, password))
        return found

    async def renew(self, subscription: Subscription, replica: EdgeReplica, now: float) -> list[ReplicationAccount]:
        """Makes the accounts that are due, drops those that are over; returns the new ones of this hub."""
        for one in subscription.credentials:
            if one.expires <= now:
                await self._store.drop_credential(subscription.name, one)
        made = []
        for hub, key in subscription.hub_keys:
            pairs = [
                one
                for one in subscription.credentials
                if one.hub == hub and not one.bootstrap and one.expires > now and self._opens(subscription, one)
            ]
            last = max((one.expires for one in pairs), default=0.0)
            if last > now + RENEW_BEFORE:
                continue
            effective = max(now, last - BEGIN_BEFORE) if last else now
            login = await self._make(subscription, replica, hub, key, effective)
            if hub == self._hub:
                made.append(login)
        return made

    async def end_bootstrap(self, subscription: Subscription, replica: EdgeReplica) -> None:
        """The account of the subscription file has done its work."""
        for one in subscription.credentials:
            if one.bootstrap:
                await replica.ask_end(one.username, self._hub)
                await self._store.drop_credential(subscription.name, one)

    def _opens(self, subscription: Subscription, one: EdgeCredential) -> bool:
        """Whether its hub can still use it; of other hubs' accounts that is for them to say."""
        if one.hub != self._hub:
            return True
        try:
            unseal(self._private, one.for_hub, purpose(subscription.name, one.hub, one.username))
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
        # The edge first: an account that nobody knows ends by itself, a password without an account would be tried.
        await replica.ask_account(username, hub, effective - BACKDATED, credential.expires, for_edge)
        await self._store.add_credential(subscription.name, credential)
        log(Event.EDGE_CREDENTIAL, path="edgesync", edge=subscription.name, hub=hub, account=username)
        return ReplicationAccount(credential, password)


def good_until(subscription: Subscription, hub: str) -> float:
    """When the last account of this hub ends; 0 if it has none."""
    return max((one.expires for one in subscription.credentials if one.hub == hub), default=0.0)


def hubs_of(subscription: Subscription) -> Sequence[str]:
    """The hubs that have accounts, or asked for one."""
    return sorted({one.hub for one in subscription.credentials} | {hub for hub, _ in subscription.hub_keys})
