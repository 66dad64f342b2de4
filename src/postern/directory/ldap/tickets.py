"""Kerberos for LDAP: tickets from a keytab or from whoever ran kinit, and the security context that a ticket begins.

Wraps python-gssapi. Fetching a ticket may wait for a key distribution centre, so it is done in threads; all later steps of a
context need nobody and take microseconds. Tickets of this server's account stay in a cache of this process's memory.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

gssapi: Any
raw: Any
try:
    gssapi = importlib.import_module("gssapi")
    raw = importlib.import_module("gssapi.raw")
    gssapi.SecurityContext.__DEFER_STEP_ERRORS__ = False  # else the real error comes a step too late
except (ImportError, OSError):  # the extra postern[kerberos] is not installed, or libkrb5 is missing
    gssapi = raw = None

CACHE = "MEMORY:postern"
_KERBEROS = "1.2.840.113554.1.2.2"
_STRENGTH = "1.2.840.113554.1.2.2.5.15"
"""GSS_C_SEC_CONTEXT_SASL_SSF of MIT's library: the strength of the context's encryption in bits."""
_THREADS = 4
"""Fetches at a time; one may hang as long as libkrb5 waits for centres that are down."""
_OVERHEAD = 256
"""Octets that wrapping adds at most, with room to spare (RFC 4121 section 4.2.4)."""


class TicketError(Exception):
    """There is no ticket, or the other end's proof is none. The text is libkrb5's."""


def environment(keytab: Path | str, krb5_conf: Path | str) -> Mapping[str, str]:
    """What a process that binds with `MachineTickets` has in its environment before libkrb5 is first used: where the realm's
    centres stand, the keytab for clients, and a ticket cache that no other process sees."""
    return {"KRB5_CONFIG": str(krb5_conf), "KRB5_CLIENT_KTNAME": f"FILE:{keytab}", "KRB5CCNAME": CACHE}


class Context:
    """An initiator's context with the LDAP service of one server, begun: `token` is its first."""

    def __init__(self, context: Any) -> None:
        self._context = context
        self.token: bytes = b""

    @property
    def complete(self) -> bool:
        return bool(self._context.complete)

    @property
    def strength(self) -> int:
        """Bits of the encryption, as SASL's security strength factor; 0 where there is none."""
        if not self._context.actual_flags & gssapi.RequirementFlag.confidentiality:
            return 0
        found = raw.inquire_sec_context_by_oid(self._context, gssapi.OID.from_int_seq(_STRENGTH))
        return int.from_bytes(bytes(found[0])[:4], "big") if found else 0

    def step(self, token: bytes) -> bytes:
        """Raises TicketError."""
        try:
            answer = self._context.step(token)
        except gssapi.exceptions.GSSError as error:
            raise TicketError(str(error)) from None
        return bytes(answer) if answer else b""

    def wrap(self, data: bytes) -> bytes:
        """Sealed. Raises ValueError."""
        try:
            wrapped = self._context.wrap(data, True)
        except gssapi.exceptions.GSSError as error:
            raise ValueError(str(error)) from None
        if not wrapped.encrypted:
            raise ValueError("the context does not encrypt")
        return bytes(wrapped.message)

    def unwrap(self, data: bytes, sealed: bool = True) -> bytes:
        """Raises ValueError for what is altered, out of turn or, unless `sealed` is False, only signed."""
        try:
            clear = self._context.unwrap(data)
        except gssapi.exceptions.GSSError as error:
            raise ValueError(str(error)) from None
        if sealed and not clear.encrypted:
            raise ValueError("a packet that is not encrypted")
        return bytes(clear.message)

    @staticmethod
    def room(largest: int) -> int:
        """Octets that can be wrapped into a packet of this size at most."""
        return max(largest - _OVERHEAD, 1)


class Tickets(Protocol):
    async def begin(self, fqdn: str) -> Context:
        """A context with the LDAP service of this server. Raises TicketError."""
        ...


class MachineTickets:
    """As the account of this server (`HUB1$`), by the keytab with its keys. The process's environment is `environment`'s."""

    def __init__(self, account: str, realm: str, keytab: Path | str) -> None:
        self._principal = f"{account}@{realm}"
        self._store = {"client_keytab": f"FILE:{keytab}", "ccache": f"{CACHE}-{account}"}
        self._threads = ThreadPoolExecutor(_THREADS, "tickets")

    async def begin(self, fqdn: str) -> Context:
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._begin, fqdn)

    def _begin(self, fqdn: str) -> Context:
        _needed()
        try:
            name = gssapi.Name(self._principal, gssapi.NameType.kerberos_principal)
            return _begun(gssapi.Credentials(name=name, usage="initiate", store=self._store), fqdn)
        except gssapi.exceptions.GSSError as error:
            raise TicketError(str(error)) from None


class UserTickets:
    """As whoever ran kinit: the cache that KRB5CCNAME names, or the machine's default."""

    async def begin(self, fqdn: str) -> Context:
        return await asyncio.to_thread(self._begin, fqdn)

    def _begin(self, fqdn: str) -> Context:
        _needed()
        try:
            return _begun(None, fqdn)
        except gssapi.exceptions.GSSError as error:
            raise TicketError(str(error)) from None


def _needed() -> None:
    if gssapi is None:
        raise TicketError("python-gssapi is not installed: the extra postern[kerberos]")


def _begun(credentials: Any, fqdn: str) -> Context:
    flags = gssapi.RequirementFlag
    context = gssapi.SecurityContext(
        name=gssapi.Name(f"ldap@{fqdn}", gssapi.NameType.hostbased_service),
        creds=credentials,
        mech=gssapi.OID.from_int_seq(_KERBEROS),
        flags=flags.mutual_authentication | flags.confidentiality | flags.integrity | flags.out_of_sequence_detection,
        usage="initiate",
    )
    begun = Context(context)
    begun.token = bytes(context.step() or b"")
    return begun
