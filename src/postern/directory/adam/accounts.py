"""Writes the accounts of an edge's own directory, as its administrator over the unix socket. The edge's keeper of accounts uses
it, and the command that begins a subscription.

slapd itself refuses a bind outside an account's time (pwdStartTime, pwdEndTime: slapo-ppolicy(5)); `expire` takes an account's
rights away, for it may still be connected, and then the account.
"""

from __future__ import annotations

import contextlib
import datetime
import secrets
from dataclasses import dataclass

from postern.directory import entries
from postern.directory.adam import layout
from postern.directory.adam.client import AdamClient, Delete
from postern.directory.ldap.client import (
    ADD,
    BASE,
    DELETE,
    ONE_LEVEL,
    REPLACE,
    SUBTREE,
    AlreadyThere,
    Attributes,
    Entry,
    NoSuchEntry,
    Refused,
    escape_rdn,
)

BATCH = 500
"""Writes that are on their way at a time."""
MAX_ACCOUNTS = 256
"""The most replicators that an edge has. No honest organization needs more."""

_NO_SIMPLE_BIND = {"pwdEndTime": [b"19700101000000Z"]}
"""Refuses Basic to the edge's own processes, by a time that the password policy checks and that ended long ago. They authenticate
by the kernel's word, NTLM or Kerberos (edge-adam)."""


class AccountError(Exception):
    """The account cannot be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Replicator:
    """An account that replicates. Times are seconds since 1970."""

    dn: str
    hub: str
    not_before: float
    not_after: float
    bootstrap: bool


@dataclass(frozen=True, slots=True)
class AccountRequest:
    """A hub's request to the edge's keeper of accounts. `secret` is sealed to the edge's key; b"" asks for the end of the
    account."""

    dn: str
    by: str
    """The account that wrote it, as slapd knows it (creatorsName)."""
    account: str
    hub: str
    not_before: float
    not_after: float
    secret: bytes


class AdamAccounts:
    """The accounts of one edge. `client` is bound as the administrator. Every method may raise DirectoryUnavailable."""

    def __init__(self, client: AdamClient) -> None:
        self._client = client

    async def seed(self, service_password: str) -> None:
        """Makes the containers, the password policy, the service account with this password, and the replicators' group."""
        name = layout.SUFFIX.partition("=")[2]
        await self._ensure(layout.SUFFIX, {"objectClass": [b"organizationalUnit"], "ou": [name.encode()]})
        for dn in layout.CONTAINERS:
            await self._ensure(dn, {"objectClass": [b"container"], "cn": [_cn(dn)]})
        policy = {"objectClass": [b"person", b"pwdPolicy"], "sn": [b"policy"], "pwdAttribute": [b"userPassword"]}
        await self._ensure(layout.PASSWORD_POLICY, {**policy, "cn": [_cn(layout.PASSWORD_POLICY)]})
        # groupOfNames is never empty (RFC 4519 section 3.5); the administrator may do everything anyway.
        group = {"objectClass": [b"groupOfNames"], "member": [layout.ADMINISTRATOR.encode()]}
        await self._ensure(layout.REPLICATORS, {**group, "cn": [_cn(layout.REPLICATORS)]})
        service = {"objectClass": [b"posternService"], "userPassword": [service_password.encode()], **_NO_SIMPLE_BIND}
        await self._ensure(layout.SERVICE, {**service, "cn": [_cn(layout.SERVICE)]})
        changes = {"userPassword": [service_password.encode()], **_NO_SIMPLE_BIND}
        await self._client.modify(layout.SERVICE, [(REPLACE, name, values) for name, values in changes.items()])

    async def add(
        self, hub: str, password: str, not_before: float, not_after: float, dn: str = "", bootstrap: bool = False
    ) -> str:
        """Adds a replicator; returns its distinguished name. Raises AccountError for a name that is taken, or for too many."""
        if len(await self.replicators()) >= MAX_ACCOUNTS:
            raise AccountError(f"the edge has {MAX_ACCOUNTS} replication accounts already")
        dn = dn or new_name(hub)
        attributes: dict[str, list[bytes]] = {
            "objectClass": [b"posternReplicator"],
            "cn": [_cn(dn)],
            "userPassword": [password.encode()],
            "posternNotBefore": [str(int(not_before)).encode()],
            "posternNotAfter": [str(int(not_after)).encode()],
            "posternBootstrap": [b"TRUE" if bootstrap else b"FALSE"],
            "pwdStartTime": [_generalized(not_before)],
            "pwdEndTime": [_generalized(not_after)],
            "posternHub": [hub.encode()] if hub else [],
        }
        try:
            await self._client.add(dn, attributes)
        except (AlreadyThere, NoSuchEntry, Refused) as error:
            raise AccountError(f"the account cannot be made: {type(error).__name__}") from None
        with contextlib.suppress(AlreadyThere):
            await self._client.modify(layout.REPLICATORS, [(ADD, "member", [dn.encode()])])
        return dn

    async def remove(self, dn: str) -> None:
        """Removes first the right, then the account: so an open connection can write no longer."""
        with contextlib.suppress(NoSuchEntry):
            await self._client.modify(layout.REPLICATORS, [(DELETE, "member", [dn.encode()])])
        with contextlib.suppress(NoSuchEntry):
            await self._client.delete(dn)

    async def replicators(self) -> tuple[Replicator, ...]:
        names = ("posternHub", "posternNotBefore", "posternNotAfter", "posternBootstrap")
        matches = await self._client.search(layout.ACCOUNTS, ONE_LEVEL, "(objectClass=posternReplicator)", names)
        return tuple(
            Replicator(
                entry.dn,
                entries.text(entry.attributes, "posternHub"),
                entries.number(entry.attributes, "posternNotBefore"),
                entries.number(entry.attributes, "posternNotAfter"),
                entries.flag(entry.attributes, "posternBootstrap"),
            )
            for entry in matches
        )

    async def expire(self, now: float) -> tuple[Replicator, ...]:
        """Removes the accounts whose time is over at `now` (epoch seconds); returns them."""
        over = tuple(replicator for replicator in await self.replicators() if replicator.not_after <= now)
        for replicator in over:
            await self.remove(replicator.dn)
        return over

    async def requests(self) -> tuple[AccountRequest, ...]:
        names = ("creatorsName", "description", "posternHub", "posternNotBefore", "posternNotAfter", "posternSecret")
        matches = await self._client.search(layout.REQUESTS, ONE_LEVEL, "(objectClass=posternCredentialRequest)", names)
        return tuple(_request(entry) for entry in sorted(matches))

    async def done(self, request: AccountRequest) -> None:
        with contextlib.suppress(NoSuchEntry):
            await self._client.delete(request.dn)

    async def forget(self) -> None:
        """Deletes what was replicated, and the state first: so nobody takes a remainder for the whole."""
        await self._client.modify(layout.STATE, [(REPLACE, "posternState", None), (REPLACE, "posternLease", None)])
        which = "(&(!(objectClass=container))(!(objectClass=organizationalUnit)))"
        for base in (layout.REQUESTS, layout.REPLICATED):
            matches = await self._client.search(base, SUBTREE, which, ("1.1",))
            for start in range(0, len(matches), BATCH):
                await self._client.write_all([Delete(entry.dn) for entry in matches[start : start + BATCH]])

    async def state(self) -> tuple[str, str]:
        """Returns the lease and the state of replication as they were written, "" where there is none yet."""
        matches = await self._client.search(layout.STATE, BASE, "(objectClass=*)", ("posternLease", "posternState"))
        values = matches[0].attributes if matches else {}
        return entries.text(values, "posternLease"), entries.text(values, "posternState")

    async def _ensure(self, dn: str, attributes: Attributes) -> None:
        with contextlib.suppress(AlreadyThere):
            await self._client.add(dn, attributes)


def new_name(hub: str) -> str:
    """Makes a distinguished name for a replicator of this hub ("" for the bootstrap account) that nobody can guess."""
    return f"cn=ESRA.{escape_rdn(hub or 'bootstrap')}.{secrets.token_hex(8)},{layout.ACCOUNTS}"


def is_name_of(dn: str, hub: str) -> bool:
    """Returns whether `new_name(hub)` may have made this name."""
    start, end = f"cn=ESRA.{escape_rdn(hub)}.", f",{layout.ACCOUNTS}"
    middle = dn[len(start) : -len(end)]
    return dn.startswith(start) and dn.endswith(end) and len(middle) == 16 and middle.isalnum()


def _request(entry: Entry) -> AccountRequest:
    values = entry.attributes
    return AccountRequest(
        entry.dn,
        entries.text(values, "creatorsName"),
        entries.text(values, "description"),
        entries.text(values, "posternHub"),
        entries.number(values, "posternNotBefore"),
        entries.number(values, "posternNotAfter"),
        (values.get("posternSecret") or [b""])[0],
    )


def _cn(dn: str) -> bytes:
    return dn.partition(",")[0][3:].encode()


def _generalized(moment: float) -> bytes:
    """Returns a time as GeneralizedTime (RFC 4517 section 3.3.13)."""
    return datetime.datetime.fromtimestamp(int(moment), datetime.UTC).strftime("%Y%m%d%H%M%SZ").encode()
