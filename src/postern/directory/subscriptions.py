"""Keeps edge subscriptions in the organization's directory. Active Directory and the private directory have them in the same
entries.

Implements `model.edge.SubscriptionStore`. An edge is a `posternEdgeSubscription` with its certificate. Each credential, and each
hub's public key, is one JSON value of its posternSecret, so that two hubs never write over each other. Passwords are sealed
before they come here.
"""

from __future__ import annotations

import base64
import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from postern.directory import entries
from postern.directory.ad import names
from postern.directory.ldap.client import (
    ADD,
    BASE,
    DELETE,
    ONE_LEVEL,
    REPLACE,
    AlreadyThere,
    Client,
    Entry,
    NoSuchEntry,
    escape_rdn,
)
from postern.model.edge import EdgeCredential, Subscription

KEPT_CERTIFICATES = 2
"""The number of certificates that are kept of a hub: the one that it shows, and the one before."""
_ATTRIBUTES = (
    *("cn", names.SERVER_FQDN, names.SITE, names.CERTIFICATE, names.ADAM_PORT),
    names.SECRET,
)


class DirectorySubscriptions:
    """The subscriptions of one directory. `places` returns the distinguished names of the subscriptions' container and of the
    servers' container."""

    def __init__(self, client: Client, places: Callable[[], Awaitable[tuple[str, str]]]) -> None:
        self._client = client
        self._places = places

    @staticmethod
    def private(client: Client, suffix: str) -> DirectorySubscriptions:
        """Returns the subscriptions of the private directory."""

        async def places() -> tuple[str, str]:
            container = f"cn=Edge Subscriptions,cn=Configuration,{suffix}"
            with contextlib.suppress(AlreadyThere):
                await client.add(container, {"objectClass": [b"container"], "cn": [b"Edge Subscriptions"]})
            return container, f"ou=Servers,{suffix}"

        return DirectorySubscriptions(client, places)

    @staticmethod
    def active_directory(
        client: Client, root: Callable[[], Awaitable[Mapping[str, Sequence[bytes]]]]
    ) -> DirectorySubscriptions:
        """Returns the subscriptions of Active Directory, where `postern setup ad` made the containers; `root` returns the
        rootDSE."""

        async def places() -> tuple[str, str]:
            configuration = entries.text(await root(), "configurationNamingContext")
            return f"{names.EDGE_SUBSCRIPTIONS},{configuration}", f"{names.SERVERS},{configuration}"

        return DirectorySubscriptions(client, places)

    async def subscriptions(self) -> tuple[Subscription, ...]:
        container, _ = await self._places()
        which = f"(objectClass={names.EDGE_SUBSCRIPTION_CLASS})"
        matches = await self._client.search(container, ONE_LEVEL, which, _ATTRIBUTES)
        return tuple(sorted((_subscription(entry) for entry in matches), key=lambda subscription: subscription.name))

    async def publish(self, subscription: Subscription) -> None:
        dn = await self._dn(subscription.name)
        values: dict[str, list[bytes]] = {
            names.SERVER_FQDN: [subscription.fqdn.encode()],
            names.SITE: [subscription.site.encode()],
            names.CERTIFICATE: [subscription.certificate],
            names.ADAM_PORT: [str(subscription.ssl_port).encode()],
            names.SECRET: [
                *(_credential(credential) for credential in subscription.credentials),
                *(_key(hub, key) for hub, key in subscription.hub_keys),
            ],
        }
        kind = names.EDGE_SUBSCRIPTION_CLASS.encode()
        try:
            await self._client.add(dn, {"objectClass": [kind], "cn": [subscription.name.encode()], **values})
        except AlreadyThere:
            await self._client.modify(dn, [(REPLACE, name, content or None) for name, content in values.items()])

    async def remove(self, name: str) -> bool:
        try:
            await self._client.delete(await self._dn(name))
        except NoSuchEntry:
            return False
        return True

    async def add_credential(self, name: str, credential: EdgeCredential) -> None:
        with contextlib.suppress(AlreadyThere):
            await self._client.modify(await self._dn(name), [(ADD, names.SECRET, [_credential(credential)])])

    async def drop_credential(self, name: str, credential: EdgeCredential) -> None:
        with contextlib.suppress(NoSuchEntry):
            await self._client.modify(await self._dn(name), [(DELETE, names.SECRET, [_credential(credential)])])

    async def add_hub_key(self, name: str, hub: str, key: bytes) -> None:
        dn = await self._dn(name)
        matches = await self._client.search(dn, BASE, "(objectClass=*)", (names.SECRET,))
        former = [value for entry in matches for value in entry.attributes.get(names.SECRET, ()) if _is_key(value, hub)]
        new = _key(hub, key)
        if former == [new]:
            return
        for value in former:
            with contextlib.suppress(NoSuchEntry):
                await self._client.modify(dn, [(DELETE, names.SECRET, [value])])
        with contextlib.suppress(AlreadyThere):
            await self._client.modify(dn, [(ADD, names.SECRET, [new])])

    async def publish_hub(self, hub: str, certificate: bytes) -> None:
        _, servers = await self._places()
        dn = f"cn={escape_rdn(hub)},{servers}"
        matches = await self._client.search(dn, BASE, "(objectClass=*)", (names.CERTIFICATE,))
        former = matches[0].attributes.get(names.CERTIFICATE, []) if matches else []
        if matches and certificate not in former:
            kept = [certificate, *former[: KEPT_CERTIFICATES - 1]]
            await self._client.modify(dn, [(REPLACE, names.CERTIFICATE, kept)])

    async def hub_certificates(self) -> Mapping[str, tuple[bytes, ...]]:
        _, servers = await self._places()
        matches = await self._client.search(servers, ONE_LEVEL, f"({names.CERTIFICATE}=*)", ("cn", names.CERTIFICATE))
        return {entries.text(e.attributes, "cn"): tuple(e.attributes[names.CERTIFICATE]) for e in matches}

    async def _dn(self, name: str) -> str:
        container, _ = await self._places()
        return f"cn={escape_rdn(name)},{container}"


def _subscription(entry: Entry) -> Subscription:
    values = entry.attributes
    secrets = [_read(value) for value in values.get(names.SECRET, ())]
    return Subscription(
        name=entries.text(values, "cn"),
        fqdn=entries.text(values, names.SERVER_FQDN),
        site=entries.text(values, names.SITE),
        certificate=(values.get(names.CERTIFICATE) or [b""])[0],
        ssl_port=entries.number(values, names.ADAM_PORT),
        credentials=tuple(
            sorted(
                (secret for secret in secrets if isinstance(secret, EdgeCredential)),
                key=lambda secret: (secret.hub, secret.expires),
            )
        ),
        hub_keys=tuple(sorted(secret for secret in secrets if isinstance(secret, tuple))),
    )


def _credential(credential: EdgeCredential) -> bytes:
    return _json(
        {
            "hub": credential.hub,
            "username": credential.username,
            "effective": credential.effective,
            "expires": credential.expires,
            "for-hub": base64.b64encode(credential.for_hub).decode(),
            "for-edge": base64.b64encode(credential.for_edge).decode(),
            "bootstrap": credential.bootstrap,
        }
    )


def _key(hub: str, key: bytes) -> bytes:
    return _json({"hub": hub, "key": base64.b64encode(key).decode()})


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _is_key(value: bytes, hub: str) -> bool:
    secret = _read(value)
    return isinstance(secret, tuple) and secret[0] == hub


def _read(value: bytes) -> EdgeCredential | tuple[str, bytes] | None:
    """Reads a credential, or the key of a hub. Returns None for what is neither: a later version may have written it, or a
    person."""
    try:
        fields = json.loads(value)
        if "key" in fields:
            return str(fields["hub"]), base64.b64decode(fields["key"])
        return EdgeCredential(
            str(fields["hub"]),
            str(fields["username"]),
            float(fields["effective"]),
            float(fields["expires"]),
            base64.b64decode(fields["for-hub"]),
            base64.b64decode(fields["for-edge"]),
            fields["bootstrap"] is True,
        )
    except (ValueError, KeyError, TypeError):
        return None
