"""Kerberos contexts on python-gssapi: for RPC in DCE style (three legs), sealing by IOV (RFC 4121, MS-KILE 3.4.5.4.1).

Nothing here may be used where `library.AVAILABLE` is False. Reads keytabs. Only principals of our own realm have accounts.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable
from typing import Any

from postern.model.security import Mechanism
from postern.protocols.dcerpc.protection import AuthType, Level
from postern.trust import gss_token
from postern.trust.contexts import SecurityFailure
from postern.trust.kerberos.errors import KerberosCause, cause_of, report
from postern.trust.kerberos.library import gssapi, iov, raw
from postern.trust.kerberos.principal import Ticket, ticket_of

MAX_TOKEN = 65_536
_AP_REQ = b"\x01\0"
"""TOK_ID of KRB_AP_REQ: RFC 4121 section 4.1."""


class _KerberosSealed:
    auth_type = AuthType.KERBEROS
    mechanism = Mechanism.KERBEROS
    cipher = "Kerberos"

    def __init__(self, make: Callable[[], Any], seals: bool = True) -> None:
        self._make = make
        self._seals = seals
        self._context: Any = None
        self._sizes: dict[Level, int] = {}
        self._cipher_number = 0
        self.session_key = b""
        self.complete = False
        self.lifetime: float | None = None
        self.groups: frozenset[str] = frozenset()

    async def step(self, token: bytes) -> bytes:
        if len(token) > MAX_TOKEN:
            raise SecurityFailure("a token too large")
        return self._step(token)

    def _step(self, token: bytes) -> bytes:
        try:
            if self._context is None:
                self._context = self._make()
            answer = self._context.step((_unframed(token) if self._seals else token) or None)
            if self._context.complete:
                self._finish()
        except gssapi.exceptions.GSSError as error:
            raise _failure(error) from error
        return bytes(answer) if answer else b""

    def _finish(self) -> None:
        self.session_key, self._cipher_number = _session_key(self._context)
        if self._cipher_number not in _CIPHERS:
            raise SecurityFailure(f"Kerberos with cipher {self._cipher_number}")
        self.cipher = _CIPHERS[self._cipher_number]
        self.lifetime = float(self._context.lifetime)
        self.complete = True

    def token_size(self, level: Level, size: int) -> int:
        # In DCE style the header has everything but the data, so its size does not depend on that of the data.
        measured = self._sizes.get(level)
        if measured is None:
            measured = self._sizes[level] = self._measure(level)
        return measured

    def _measure(self, level: Level) -> int:
        if level != Level.PRIVACY:
            # A trial signature would use up a sequence number: RFC 4121 section 4.2.6.1, header and checksum.
            return 16 + _CHECKSUMS[self._cipher_number]
        kind = iov.IOVBufferType
        message = iov.IOV(kind.header, (kind.data, False, bytes(16)), std_layout=False)
        iov.wrap_iov_length(self._context, message)
        return len(message[0].value)

    def protect(self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes) -> tuple[bytes, bytes]:
        if level != Level.PRIVACY:
            covered = b"".join((head, stub, trailer)) if sign_header else stub
            return stub, bytes(self._context.get_signature(covered))
        kind = iov.IOVBufferType
        message = _message(kind.header, sign_header, head, stub, trailer)
        iov.wrap_iov(self._context, message, confidential=True)
        return bytes(message[2 if sign_header else 1].value), bytes(message[0].value)

    def unprotect(
        self, level: Level, sign_header: bool, head: bytes, stub: bytes, trailer: bytes, token: bytes
    ) -> bytes | None:
        kind = iov.IOVBufferType
        try:
            if level != Level.PRIVACY:
                covered = b"".join((head, stub, trailer)) if sign_header else stub
                self._context.verify_signature(covered, token)
                return stub
            message = _message((kind.header, False, token), sign_header, head, stub, trailer)
            result = iov.unwrap_iov(self._context, message)
            return bytes(message[2 if sign_header else 1].value) if result.encrypted else None
        except gssapi.exceptions.GSSError:
            return None

    def sign(self, message: bytes) -> bytes:
        return bytes(self._context.get_signature(message))

    def verify(self, message: bytes, signature: bytes) -> bool:
        try:
            self._context.verify_signature(message, signature)
        except gssapi.exceptions.GSSError:
            return False
        return True


def _failure(error: Any) -> SecurityFailure:
    """Reports an error of the library, and returns the failure that it means."""
    cause = cause_of(error.min_code, KerberosCause.WRONG)
    report(cause, error.min_code)
    reason = f"Kerberos: {cause}, {error.maj_code:#x}/{error.min_code:#x}"
    return SecurityFailure(reason, temporary=cause is not KerberosCause.WRONG)


def _message(header: Any, sign_header: bool, head: bytes, stub: bytes, trailer: bytes) -> Any:
    """Returns the buffers in the order of MS-RPCE 2.2.2.11.1. Head and trailer are signed only if that was negotiated."""
    kind = iov.IOVBufferType
    data = (kind.data, False, stub)
    if not sign_header:
        return iov.IOV(header, data, std_layout=False)
    return iov.IOV(header, (kind.sign_only, False, head), data, (kind.sign_only, False, trailer), std_layout=False)


Run = Callable[[Callable[[], bytes]], Awaitable[bytes]]
"""Does work that blocks on another thread than the loop's."""


class KerberosAcceptorContext(_KerberosSealed):
    """The server's side. A ticket may be for any key of the keytab; `ticket` has its content once the handshake is complete. A
    client that binds to a channel must bind to `binding` (RFC 5929); one that does not is let in all the same (MIT since 1.19).

    A step reads the keytab and syncs libkrb5's replay cache, so `run` takes it off the loop. Without `seals` the keys protect
    nothing after the handshake, which is then not in DCE style, and its cipher need not be one that seals."""

    def __init__(
        self, keytab: str, realm: str, binding: bytes = b"", run: Run | None = None, seals: bool = True
    ) -> None:
        super().__init__(self._begin, seals)
        self._keytab = keytab
        self._realm = realm
        self._binding = binding
        self._run = run
        self.ticket: Ticket | None = None

    async def step(self, token: bytes) -> bytes:
        if self._run is None or len(token) > MAX_TOKEN:
            return await super().step(token)
        return await self._run(lambda: self._step(token))

    def _begin(self) -> Any:
        bindings = raw.ChannelBindings(application_data=self._binding) if self._binding else None
        return gssapi.SecurityContext(
            creds=acceptor_credentials(self._keytab), usage="accept", channel_bindings=bindings
        )

    def _finish(self) -> None:
        ticket = ticket_of(self._context)
        if ticket.realm != self._realm or "/" in ticket.name:
            raise SecurityFailure("a principal of another realm")
        if self._seals:
            super()._finish()
        self.complete = True
        self.ticket = ticket
        self.groups = ticket.groups

    def wrap(self, message: bytes) -> bytes:
        """Returns a message with its signature, in clear text (RFC 4121 section 4.2.6.2). Raises SecurityFailure."""
        try:
            return bytes(self._context.wrap(message, False).message)
        except gssapi.exceptions.GSSError as error:
            raise _failure(error) from error

    def unwrap(self, token: bytes) -> bytes:
        """Returns the message of a token that `wrap` made at the other end. Raises SecurityFailure."""
        try:
            return bytes(self._context.unwrap(token).message)
        except gssapi.exceptions.GSSError as error:
            raise _failure(error) from error

    def end(self) -> float | None:
        """Returns the end of the ticket in seconds since 1970. `lifetime` would add the clock skew that libkrb5 allows. Raises
        SecurityFailure."""
        try:
            lucid = importlib.import_module("gssapi.raw.ext_krb5").krb5_export_lucid_sec_context(self._context, 1)
        except gssapi.exceptions.GSSError as error:
            raise _failure(error) from error
        return float(lucid.endtime)


def acceptor_credentials(keytab: str) -> Any:
    """Returns credentials for every service key of the keytab: host, smtp, imap, pop, HTTP. Raises gssapi's GSSError."""
    store = {b"keytab": keytab.encode()}
    return gssapi.Credentials(usage="accept", store=store, mechs=[gssapi.MechType.kerberos])


def usable(keytab: str) -> bool:
    """Whether tickets can be accepted with this keytab."""
    if gssapi is None:
        return False
    try:
        acceptor_credentials(keytab)
    except gssapi.exceptions.GSSError:
        return False
    return True


class KerberosInitiatorContext(_KerberosSealed):
    """The client's side, by the keytab of `account` (None: the ticket cache of the environment), or by `credentials` from
    elsewhere. `target` is "service@host"."""

    def __init__(self, account: str, realm: str, keytab: str | None, target: str, credentials: Any = None) -> None:
        super().__init__(self._begin)
        self._credentials = credentials
        self._principal = f"{account}@{realm}"
        self._keytab = keytab
        self._target = target

    async def step(self, token: bytes) -> bytes:
        # The key distribution centre is asked for a ticket and may take its time, so not on the loop's thread.
        return await (super().step(token) if self._context is not None else asyncio.to_thread(self._step, token))

    def _begin(self) -> Any:
        credentials = self._credentials
        if credentials is None:
            store = None
            name = gssapi.Name(self._principal, gssapi.NameType.kerberos_principal)
            if self._keytab is not None:
                # The cache is this process's own; tickets are got anew when they end.
                store = {b"client_keytab": self._keytab.encode(), b"ccache": f"MEMORY:rpc-{self._keytab}".encode()}
            credentials = gssapi.Credentials(name=name, usage="initiate", store=store)
        flag = gssapi.RequirementFlag
        return gssapi.SecurityContext(
            name=gssapi.Name(self._target, gssapi.NameType.hostbased_service),
            creds=credentials,
            flags=flag.mutual_authentication
            | flag.integrity
            | flag.confidentiality
            | flag.replay_detection
            | flag.out_of_sequence_detection
            | flag.dce_style,
            mech=gssapi.MechType.kerberos,
            usage="initiate",
        )


def _session_key(context: Any) -> tuple[bytes, int]:
    """Returns the session key and its type (RFC 3961 section 8)."""
    inquired = raw.inquire_sec_context_by_oid(context, _SESSION_KEY)
    return bytes(inquired[0]), _last_arc(bytes(inquired[1]))


def _last_arc(oid: bytes) -> int:
    """Returns the last number of a DER-encoded object identifier."""
    value, shift = 0, 0
    for byte in reversed(oid):
        if shift and not byte & 0x80:
            break
        value |= (byte & 0x7F) << shift
        shift += 7
    return value


_CIPHERS = {
    17: "Kerberos AES128-SHA1",
    18: "Kerberos AES256-SHA1",
    19: "Kerberos AES128-SHA256",
    20: "Kerberos AES256-SHA384",
}
"""Ciphers by number (RFC 3962, 8009). Weaker ones are refused."""
_CHECKSUMS = {17: 12, 18: 12, 19: 16, 20: 24}
_SESSION_KEY = gssapi.OID.from_int_seq("1.2.840.113554.1.2.2.5.5") if gssapi is not None else None
"""GSS_C_INQ_SSPI_SESSION_KEY: the key, and an identifier whose last number is its type."""


def _unframed(token: bytes) -> bytes:
    """Takes an AP-REQ out of its frame. In DCE style it has none; some clients frame it all the same, which MIT refuses."""
    framed = gss_token.unframed(token)
    if framed is None or framed[0] != gss_token.KERBEROS or not framed[1].startswith(_AP_REQ):
        return token
    return framed[1][len(_AP_REQ) :]
