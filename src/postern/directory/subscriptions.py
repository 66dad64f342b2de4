"""Edge subscriptions in the organization's directory, Active Directory's or the private one: both keep them in the same entries.

Implements `model.edge.SubscriptionStore`. An edge is a `posternEdgeSubscription` with its certificate; credentials and hubs'
public keys are JSON values of its posternSecret, one each, so that two hubs never write over each other. Passwords are sealed
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
"""Certificates kept of a hub: the one it shows, and the one before."""
_ATTRIBUTES = (
    *("cn", names.SERVER_FQDN, names.SITE, names.CERTIFICATE, names.ADAM_PORT),
    names.SECRET,
)


class DirectorySubscriptions:
    """`places` gives the distinguished names of the subscriptions' container and of the servers' container."""

    def __init__(self, client: Client, places: Callable[[], Awaitable[tuple[str, str]]]) -> None:
        self._client = client
        self._places = places

    @staticmethod
    def private(client: Client, suffix: str) -> DirectorySubscriptions:
        """In the private directory."""

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
        """In Active Directory, where `postern setup ad` made the containers; `root` gives the rootDSE."""

        async def places() -> tuple[str, str]:
            configuration = entries.text(await root(), "configurationNamingContext")
            return f"{names.EDGE_SUBSCRIPTIONS},{configuration}", f"{names.SERVERS},{configuration}"

        return DirectorySubscriptions(client, places)

    async def subscriptions(self) -> tuple[Subscription, ...]:
        container, _ = await self._places()
        which = f"(objectClass={names.EDGE_SUBSCRIPTION_CLASS})"
        found = await self._client.search(container, ONE_LEVEL, which, _ATTRIBUTES)
        return tuple(sorted((_subscription(entry) for entry in found), key=lambda one: one.name))

    async def publish(self, subscription: Subscription) -> None:
        dn = await self._dn(subscription.name)
        values: dict[str, list[bytes]] = {
            names.SERVER_FQDN: [subscription.fqdn.encode()],
            names.SITE: [subscription.site.encode()],
            names.CERTIFICATE: [subscription.certificate],
            names.ADAM_PORT: [str(subscription.ssl_port).encode()],
            names.SECRET: [
                *(_credential(one) for one in subscription.credentials),
                *(_key(hub, key) for hub, key in subscription.hub_keys),
            ],
        }
        kind = names.EDGE_SUBSCRIPTION_CLASS.encode()
        try:
            await self._client.add(dn, {"objectClass": [kind], "cn": [subscription.name.encode()], **values})
        except AlreadyThere:
            await self._client.modify(dn, [(REPLACE, name, given or None) for name, given in values.items()])

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
        found = await self._client.search(dn, BASE, "(objectClass=*)", (names.SECRET,))
        former = [value for entry in found for value in entry.attributes.get(names.SECRET, ()) if _is_key(value, hub)]
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
        found = await self._client.search(dn, BASE, "(objectClass=*)", (names.CERTIFICATE,))
        former = found[0].attributes.get(names.CERTIFICATE, []) if found else []
        if found and certificate not in former:
            kept = [certificate, *former[: KEPT_CERTIFICATES - 1]]
            await self._client.modify(dn, [(REPLACE, names.CERTIFICATE, kept)])

    async def hub_certificates(self) -> Mapping[str, tuple[bytes, ...]]:
        _, servers = await self._places()
        found = await self._client.search(servers, ONE_LEVEL, f"({names.CERTIFICATE}=*)", ("cn", names.CERTIFICATE))
        return {entries.text(e.attributes, "cn"): tuple(e.attributes[names.CERTIFICATE]) for e in found}

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
            sorted((one for one in secrets if isinstance(one, EdgeCredential)), key=lambda one: (one.hub, one.expires))
        ),
        hub_keys=tuple(sorted(one for one in secrets if isinstance(one, tuple))),
    )


def _credential(one: EdgeCredential) -> bytes:
    return _json(
        {
            "hub": one.hub,
            "username": one.username,
            "effective": one.effective,
            "expires": one.expires,
            "for-hub": base64.b64encode(one.for_hub).decode(),
            "for-edge": base64.b64encode(one.for_edge).decode(),
            "bootstrap": one.bootstrap,
        }
    )


def _key(hub: str, key: bytes) -> bytes:
    return _json({"hub": hub, "key": base64.b64encode(key).decode()})


def _json(value: dict[str, Any]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _is_key(value: bytes, hub: str) -> bool:
    found = _read(value)
    return isinstance(found, tuple) and found[0] == hub


def _read(value: bytes) -> EdgeCredential | tuple[str, bytes] | None:
    """None for what is neither: written by a later version, or by hand."""
    try:
        found = json.loads(value)
        if "key" in found:
            return str(found["hub"]), base64.b64decode(found["key"])
        return EdgeCredential(
            str(found["hub"]),
            str(found["username"]),
            float(found["effective"]),
            float(found["expires"]),
            base64.b64decode(found["for-hub"]),
            base64.b64decode(found["for-edge"]),
            found["bootstrap"] is True,
        )
    except (ValueError, KeyError, TypeError):
        return None
