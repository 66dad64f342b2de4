"""SASL with this host as the client: GSSAPI (RFC 4752) with its machine account.

Reads the machine's keytab through `kerberos`; the protocol frames the octets. No security layer is asked for, since TLS is there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from postern.model.security import Mechanism
from postern.trust.host import HostCredentials
from postern.trust.kerberos.errors import KerberosCause, cause_of, report
from postern.trust.kerberos.library import gssapi

_NO_LAYER = b"\x01"


class InitiatorFailure(ValueError):
    """There is no ticket, or the server is not the one that was meant. The text names the cause, and no secret."""


class SaslInitiator(Protocol):
    """The caller's side of one authentication. `step` blocks where tickets are asked for."""

    name: str

    def step(self, challenge: bytes) -> bytes:
        """Returns the answer to a challenge. The first call has b"" for the challenge. Raises InitiatorFailure."""
        ...


class GssapiInitiator:
    """Proves `account` of `realm`, by its keytab, to `service` at `host` (its FQDN). The server must prove itself too."""

    name = "GSSAPI"

    def __init__(self, account: str, realm: str, keytab: str, service: str, host: str) -> None:
        self._principal = f"{account}@{realm}"
        self._keytab = keytab
        self._target = f"{service}@{host}"
        self._context: Any = None

    def step(self, challenge: bytes) -> bytes:
        try:
            if self._context is None:
                self._context = self._begin()
            if not self._context.complete:
                return bytes(self._context.step(challenge or None) or b"")
            return self._choose(challenge)
        except gssapi.exceptions.GSSError as error:
            cause = cause_of(error.min_code, KerberosCause.UNREACHABLE)
            report(cause, error.min_code)
            raise InitiatorFailure(f"Kerberos: {cause}") from None

    def _begin(self) -> Any:
        name = gssapi.Name(self._principal, gssapi.NameType.kerberos_principal)
        # The cache is this process's own; tickets are got anew when they end.
        store = {b"client_keytab": self._keytab.encode(), b"ccache": f"MEMORY:sasl-{self._keytab}".encode()}
        flag = gssapi.RequirementFlag
        return gssapi.SecurityContext(
            name=gssapi.Name(self._target, gssapi.NameType.hostbased_service),
            creds=gssapi.Credentials(name=name, usage="initiate", store=store),
            flags=flag.mutual_authentication | flag.integrity,
            mech=gssapi.MechType.kerberos,
            usage="initiate",
        )

    def _choose(self, challenge: bytes) -> bytes:
        """Reads the server's layers, and chooses none: RFC 4752 section 3.1. The identity is that of the ticket."""
        offer = bytes(self._context.unwrap(challenge).message)
        if len(offer) != 4 or not offer[0] & _NO_LAYER[0]:
            raise InitiatorFailure("the server demands a security layer")
        return bytes(self._context.wrap(_NO_LAYER + b"\0\0\0", False).message)


def sasl_initiators(
    account: str, host: HostCredentials, service: str = "smtp"
) -> Callable[[Mechanism, str], SaslInitiator | None]:
    """Returns a function for `SenderProofs.initiator`. It begins an exchange by a mechanism with a server, and returns None where
    this host has no proof for the mechanism."""

    def begin(mechanism: Mechanism, server: str) -> SaslInitiator | None:
        if mechanism is not Mechanism.KERBEROS or gssapi is None or not host.has_realm:
            return None
        return GssapiInitiator(account, host.realm, host.keytab, service, server)

    return begin
