"""An administrator's connection to one domain controller. It is a `client` with the tickets of a person, which can also read and
write access-control lists. `setup ad` works through it.

The password makes a ticket in this process's memory and is then forgotten. Tickets that a user has already are taken from the
cache that Kerberos's own rules name (KRB5CCNAME).
"""

from __future__ import annotations

import importlib
import os
from typing import Any

import ldap
from ldap.controls import RequestControl

from postern.directory.ad.client import Dial, DomainClient
from postern.directory.ldap.client import BASE
from postern.directory.ldap.tickets import CACHE, UserTickets
from postern.model.directory import DomainController, Locator
from postern.paths.row import Path
from postern.telemetry.observed import Observed

SD_FLAGS = "1.2.840.113556.1.4.801"
_DACL = 4
"""MS-ADTS 3.1.1.3.4.1.11: the request is about only the discretionary access-control list of a security descriptor."""
_TIMEOUT = 60.0
"""Seconds for one request: a change of the schema takes long."""


class NotProven(Exception):
    """Kerberos did not authenticate us; the text says why."""


class OneController(Locator):
    """A Locator that knows only the chosen controller: all changes go to one, so that none waits for replication."""

    def __init__(self, controller: DomainController) -> None:
        self._controller = controller

    async def controllers(self) -> tuple[DomainController, ...]:
        return (self._controller,)

    def failed(self, controller: DomainController) -> None:
        pass


class AdministratorClient(DomainClient):
    def __init__(self, row: Path, at: DomainController, dial: Dial, observed: Observed | None = None) -> None:
        tickets = UserTickets()
        super().__init__(row, row.port("ldap"), OneController(at), dial, tickets, _TIMEOUT, observed)

    async def access_control(self, dn: str) -> bytes:
        """Returns the DACL of an object, as a security descriptor; b"" where the object is not there."""
        matches, _ = await self.search_with((_SdFlags(),), dn, BASE, "(objectClass=*)", ("nTSecurityDescriptor",))
        return matches[0].attributes.get("nTSecurityDescriptor", [b""])[0] if matches else b""

    async def set_access_control(self, dn: str, descriptor: bytes) -> None:
        change = [(ldap.MOD_REPLACE, "nTSecurityDescriptor", [descriptor])]
        await self._write(lambda handle: handle.modify_ext(dn, change, serverctrls=[_SdFlags()]))


class _SdFlags(RequestControl):  # type: ignore[misc]  # python-ldap has no types
    def __init__(self) -> None:
        super().__init__(SD_FLAGS, True)

    def encodeControlValue(self) -> bytes:
        return bytes([0x30, 0x03, 0x02, 0x01, _DACL])


def take_ticket(user: str, realm: str, password: str) -> None:
    """Fetches a ticket-granting ticket of `user` into this process's memory; all its connections then use it. Blocking. Raises
    NotProven."""
    gssapi = _gssapi()
    os.environ["KRB5CCNAME"] = CACHE
    try:
        name = gssapi.Name(f"{user}@{realm}", gssapi.NameType.kerberos_principal)
        made = gssapi.raw.acquire_cred_with_password(name, password.encode(), usage="initiate")
        gssapi.raw.store_cred_into({b"ccache": CACHE.encode()}, made.creds, usage="initiate", overwrite=True)
    except gssapi.exceptions.GSSError as error:
        raise NotProven(f"{user}@{realm}: {_minor(error)}") from None


def check_tickets() -> str:
    """Returns the principal whose tickets this user has. Raises NotProven if there are none that can be used now."""
    gssapi = _gssapi()
    try:
        credentials = gssapi.Credentials(usage="initiate")
        return str(credentials.name)
    except gssapi.exceptions.GSSError as error:
        raise NotProven(
            f"there is no ticket to use ({_minor(error)}): kinit first, or name an account with -u"
        ) from None


def _gssapi() -> Any:
    try:
        importlib.import_module("gssapi.raw")
        return importlib.import_module("gssapi")
    except (ImportError, OSError):
        raise NotProven("Kerberos is not installed here: pip install 'postern[kerberos]'") from None


def _minor(error: Any) -> str:
    """Returns the message of libkrb5 within that of GSSAPI."""
    text = str(error.gen_message())
    return text.rpartition("Minor (")[2].partition("): ")[2] or text
