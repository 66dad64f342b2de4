"""Kerberos for LDAP: tickets from a keytab or from the user who ran kinit, and the security context that a ticket begins.

Wraps python-gssapi. Fetching a ticket may wait for a key distribution centre, so it is done in threads; all later steps of a
context wait for nothing and take microseconds. Tickets of this server's account stay in a cache of this process's memory.
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
"""Tickets fetched at a time; a fetch may hang as long as libkrb5 waits for centres that are down."""
_OVERHEAD = 256
"""The most octets that wrapping adds, with room to spare (RFC 4121 section 4.2.4)."""


class TicketError(Exception):
    """There is no ticket, or the server did not prove itself. The text comes from libkrb5."""


def environment(keytab: Path | str, krb5_conf: Path | str) -> Mapping[str, str]:
    """Returns the environment that a process with `MachineTickets` needs before libkrb5 is first used: the configuration with the
    realm's centres, the keytab for clients, and a ticket cache that no other process sees."""
    return {"KRB5_CONFIG": str(krb5_conf), "KRB5_CLIENT_KTNAME": f"FILE:{keytab}", "KRB5CCNAME": CACHE}


class Context:
    """An initiator's context with the LDAP service of one server. It has begun: `token` is its first token."""

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
        buffers = raw.inquire_sec_context_by_oid(self._context, gssapi.OID.from_int_seq(_STRENGTH))
        return int.from_bytes(bytes(buffers[0])[:4], "big") if buffers else 0

    def step(self, token: bytes) -> bytes:
        """Takes the server's token and returns the next one, b"" for none. Raises TicketError."""
        try:
            answer = self._context.step(token)
        except gssapi.exceptions.GSSError as error:
            raise TicketError(str(error)) from None
        return bytes(answer) if answer else b""

    def wrap(self, data: bytes) -> bytes:
        """Returns the octets sealed. Raises ValueError."""
        try:
            wrapped = self._context.wrap(data, True)
        except gssapi.exceptions.GSSError as error:
            raise ValueError(str(error)) from None
        if not wrapped.encrypted:
            raise ValueError("the context does not encrypt")
        return bytes(wrapped.message)

    def unwrap(self, data: bytes, sealed: bool = True) -> bytes:
        """Returns the octets of a packet. Raises ValueError for one that is altered, out of turn or, unless `sealed` is False,
        only signed."""
        try:
            clear = self._context.unwrap(data)
        except gssapi.exceptions.GSSError as error:
            raise ValueError(str(error)) from None
        if sealed and not clear.encrypted:
            raise ValueError("a packet that is not encrypted")
        return bytes(clear.message)

    @staticmethod
    def room(largest: int) -> int:
        """Returns the most octets that can be wrapped into a packet of this size."""
        return max(largest - _OVERHEAD, 1)


class Tickets(Protocol):
    async def begin(self, fqdn: str) -> Context:
        """Begins a context with the LDAP service of this server. Raises TicketError."""
        ...


class MachineTickets:
    """Tickets of the account of this server (`HUB1$`), from the keytab with its keys. The process needs the variables that
    `environment` returns."""

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
    """Tickets of the user who ran kinit, from the cache that KRB5CCNAME names or from the machine's default."""

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
