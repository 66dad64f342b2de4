"""Accounts of an edge's own directory, written by its administrator over the unix socket: the edge's keeper of accounts, and the
command that begins a subscription.

slapd itself refuses a bind outside an account's time (pwdStartTime, pwdEndTime: slapo-ppolicy(5)); `expire` takes away what
an account that is still connected may do, and then the account.
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
"""More replicators than this are asked for by nobody in good faith."""

_NO_SIMPLE_BIND = {"pwdEndTime": [b"19700101000000Z"]}
"""The edge's own processes are known by the kernel's word, NTLM or Kerberos (edge-adam): Basic, which the password policy judges,
ended for them long ago."""


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
    """What a hub asked of the edge's keeper of accounts. `secret` (sealed to the edge's key) b"": the account is to end."""

    dn: str
    by: str
    """The account that wrote it, as slapd knows it (creatorsName)."""
    account: str
    hub: str
    not_before: float
    not_after: float
    secret: bytes


class AdamAccounts:
    """`client` is bound as the administrator. Every method raises DirectoryUnavailable."""

    def __init__(self, client: AdamClient) -> None:
        self._client = client

    async def seed(self, service_password: str) -> None:
        """Containers, the password policy, the service account with this password, the replicators' group."""
        name = layout.SUFFIX.partition("=")[2]
        await self._ensure(layout.SUFFIX, {"objectClass": [b"organizationalUnit"], "ou": [name.encode()]})
        for dn in layout.CONTAINERS:
            await self._ensure(dn, {"objectClass": [b"container"], "cn": [_cn(dn)]})
        policy = {"objectClass": [b"person", b"pwdPolicy"], "sn": [b"policy"], "pwdAttribute": [b"userPassword"]}
        await self._ensure(layout.PASSWORD_POLICY, {**policy, "cn": [_cn(layout.PASSWORD_POLICY)]})
        # groupOfNames is never empty (RFC 4519 section 3.5); the administrator may everything anyway.
        group = {"objectClass": [b"groupOfNames"], "member": [layout.ADMINISTRATOR.encode()]}
        await self._ensure(layout.REPLICATORS, {**group, "cn": [_cn(layout.REPLICATORS)]})
        service = {"objectClass": [b"posternService"], "userPassword": [service_password.encode()], **_NO_SIMPLE_BIND}
        await self._ensure(layout.SERVICE, {**service, "cn": [_cn(layout.SERVICE)]})
        changes = {"userPassword": [service_password.encode()], **_NO_SIMPLE_BIND}
        await self._client.modify(layout.SERVICE, [(REPLACE, name, values) for name, values in changes.items()])

    async def add(
        self, hub: str, password: str, not_before: float, not_after: float, dn: str = "", bootstrap: bool = False
    ) -> str:
        """A replicator; returns its distinguished name. Raises AccountError for a name that is taken, or for too many."""
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
        """First the right, then the account: a connection that is open loses both."""
        with contextlib.suppress(NoSuchEntry):
            await self._client.modify(layout.REPLICATORS, [(DELETE, "member", [dn.encode()])])
        with contextlib.suppress(NoSuchEntry):
            await self._client.delete(dn)

    async def replicators(self) -> tuple[Replicator, ...]:
        names = ("posternHub", "posternNotBefore", "posternNotAfter", "posternBootstrap")
        found = await self._client.search(layout.ACCOUNTS, ONE_LEVEL, "(objectClass=posternReplicator)", names)
        return tuple(
            Replicator(
                entry.dn,
                entries.text(entry.attributes, "posternHub"),
                entries.number(entry.attributes, "posternNotBefore"),
                entries.number(entry.attributes, "posternNotAfter"),
                entries.flag(entry.attributes, "posternBootstrap"),
            )
            for entry in found
        )

    async def expire(self, now: float) -> tuple[Replicator, ...]:
        """Removes the accounts whose time is over; says which."""
        over = tuple(one for one in await self.replicators() if one.not_after <= now)
        for one in over:
            await self.remove(one.dn)
        return over

    async def requests(self) -> tuple[AccountRequest, ...]:
        names = ("creatorsName", "description", "posternHub", "posternNotBefore", "posternNotAfter", "posternSecret")
        found = await self._client.search(layout.REQUESTS, ONE_LEVEL, "(objectClass=posternCredentialRequest)", names)
        return tuple(_request(entry) for entry in sorted(found))

    async def done(self, request: AccountRequest) -> None:
        with contextlib.suppress(NoSuchEntry):
            await self._client.delete(request.dn)

    async def forget(self) -> None:
        """Deletes what was replicated; first the state, so that nobody takes what is left for all there is."""
        await self._client.modify(layout.STATE, [(REPLACE, "posternState", None), (REPLACE, "posternLease", None)])
        which = "(&(!(objectClass=container))(!(objectClass=organizationalUnit)))"
        for base in (layout.REQUESTS, layout.REPLICATED):
            found = await self._client.search(base, SUBTREE, which, ("1.1",))
            for start in range(0, len(found), BATCH):
                await self._client.write_all([Delete(entry.dn) for entry in found[start : start + BATCH]])

    async def state(self) -> tuple[str, str]:
        """The lease and the state of replication as they were written, "" where there is none yet."""
        found = await self._client.search(layout.STATE, BASE, "(objectClass=*)", ("posternLease", "posternState"))
        values = found[0].attributes if found else {}
        return entries.text(values, "posternLease"), entries.text(values, "posternState")

    async def _ensure(self, dn: str, attributes: Attributes) -> None:
        with contextlib.suppress(AlreadyThere):
            await self._client.add(dn, attributes)


def new_name(hub: str) -> str:
    """A distinguished name for a replicator of this hub ("" for the bootstrap account) that nobody can have guessed."""
    return f"cn=ESRA.{escape_rdn(hub or 'bootstrap')}.{secrets.token_hex(8)},{layout.ACCOUNTS}"


def is_name_of(dn: str, hub: str) -> bool:
    """Whether `new_name(hub)` may have made it."""
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
    """RFC 4517 section 3.3.13."""
    return datetime.datetime.fromtimestamp(int(moment), datetime.UTC).strftime("%Y%m%d%H%M%SZ").encode()
