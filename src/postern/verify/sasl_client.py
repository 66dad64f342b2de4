"""The caller's side of the SASL mechanisms, for the probes: independent of what `trust` does on the other side.

NTLM comes from pyspnego, GSSAPI from MIT's library, SCRAM from RFC 5802 itself. Nothing here opens a connection, except that
MIT's library asks the realm's KDC for tickets.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import importlib
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import spnego

Exchange = Callable[[bytes], bytes]
"""Answers a challenge. A client that speaks first is called with b"" for its initial response."""


class CannotAuthenticate(Exception):
    """This side cannot even try (no ticket, no library), or the server did not prove that it knows the verifier."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account and its password. `principal` is the name in Kerberos, with its realm; "" where there is none. `keytab` is the
    file with the keys of a server's account; for "" they are derived from the password."""

    name: str
    password: str
    principal: str = ""
    keytab: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.name})"


def exchange_for(sasl: str, who: Credentials, service: str, host: str, binding: bytes = b"") -> Exchange:
    """The exchange of a SASL mechanism, by its IANA name. For an unknown name it sends something plausible, to be refused.
    A -PLUS mechanism binds to `binding`. The same mechanism without -PLUS, if it has a binding, says that it saw no -PLUS."""
    if sasl == "PLAIN":
        return lambda _: b"\0" + who.name.encode() + b"\0" + who.password.encode()  # RFC 4616 section 2
    if sasl == "LOGIN":
        answers = iter((who.name.encode(), who.password.encode()))
        return lambda challenge: next(answers, b"") if challenge else b""
    if sasl == "NTLM":
        return ntlm_exchange(who, host)
    if sasl in ("SCRAM-SHA-256", "SCRAM-SHA-256-PLUS"):
        return _Scram(who, sasl.endswith("-PLUS"), binding).step
    if sasl == "GSSAPI":
        return _gssapi(who, service, host)
    if sasl == "CRAM-MD5":  # RFC 2195 section 2
        return lambda c: (f"{who.name} " + hmac.new(who.password.encode(), c, "md5").hexdigest()).encode() if c else b""
    return lambda _: who.name.encode()


def spoiled(exchange: Exchange) -> Exchange:
    """The same exchange with the last bit of every answer flipped, so that it proves nothing."""

    def step(challenge: bytes) -> bytes:
        answer = exchange(challenge)
        return answer[:-1] + bytes([answer[-1] ^ 1]) if answer else answer

    return step


def ntlm_exchange(who: Credentials, host: str, service: str = "host", bare: bool = True) -> Exchange:
    """NTLM: by itself if `bare`, else inside SPNEGO."""
    options = spnego.NegotiateOptions.use_ntlm
    if not bare:
        options |= spnego.NegotiateOptions.use_negotiate
    context = spnego.client(
        who.name, who.password, host, service, protocol="ntlm" if bare else "negotiate", options=options
    )
    return lambda challenge: context.step(challenge or None) or b""


class _Scram:
    """RFC 5802 section 3 and RFC 7677. `binding` begins with its type: b"tls-server-end-point:..."."""

    def __init__(self, who: Credentials, plus: bool, binding: bytes) -> None:
        kind, _, data = binding.partition(b":")
        flag = b"p=" + kind if plus else b"y" if binding else b"n"
        self._header = flag + b",,"
        self._bound = base64.b64encode(self._header + data if plus else self._header).decode()
        self._who = who
        self._nonce = base64.b64encode(secrets.token_bytes(18)).decode()
        name = who.name.replace("=", "=3D").replace(",", "=2C")
        self._first_bare = f"n={name},r={self._nonce}"
        self._server_signature = b""

    def step(self, challenge: bytes) -> bytes:
        if not challenge:
            return self._header + self._first_bare.encode()
        fields = dict(part.split("=", 1) for part in challenge.decode().split(",") if "=" in part)
        if "v" in fields:
            if not hmac.compare_digest(base64.b64decode(fields["v"]), self._server_signature):
                raise CannotAuthenticate("the server does not know the SCRAM verifier")
            return b""
        if not fields.get("r", "").startswith(self._nonce) or int(fields.get("i", "0")) < 4096:
            raise CannotAuthenticate("the server's SCRAM challenge breaks RFC 7677")
        salted = hashlib.pbkdf2_hmac(
            "sha256", self._who.password.encode(), base64.b64decode(fields["s"]), int(fields["i"])
        )
        client_key = hmac.digest(salted, b"Client Key", "sha256")
        without_proof = f"c={self._bound},r={fields['r']}"
        message = ",".join((self._first_bare, challenge.decode(), without_proof)).encode()
        signature = hmac.digest(hashlib.sha256(client_key).digest(), message, "sha256")
        proof = bytes(a ^ b for a, b in zip(client_key, signature, strict=True))
        self._server_signature = hmac.digest(hmac.digest(salted, b"Server Key", "sha256"), message, "sha256")
        return f"{without_proof},p={base64.b64encode(proof).decode()}".encode()


def _gssapi(who: Credentials, service: str, host: str) -> Exchange:
    """RFC 4752 section 3.1 with no security layer: the row's TLS seals."""
    context = _kerberos_context(who, service, host)

    def step(challenge: bytes) -> bytes:
        with _kerberos_errors():
            if not context.complete:
                return context.step(challenge or None) or b""
            context.unwrap(challenge)
            return bytes(context.wrap(b"\x01\x00\x00\x00", False).message)

    return step


def ticket_exchange(who: Credentials, service: str, host: str) -> Exchange:
    """A ticket as clients send it that have Kerberos alone: without SPNEGO around it. Raises CannotAuthenticate."""
    context = _kerberos_context(who, service, host)

    def step(challenge: bytes) -> bytes:
        with _kerberos_errors():
            return context.step(challenge or None) or b""

    return step


def _kerberos_context(who: Credentials, service: str, host: str) -> Any:
    credentials = kerberos_credentials(who)
    gssapi = importlib.import_module("gssapi")
    context = gssapi.SecurityContext(
        name=gssapi.Name(f"{service}@{host}", gssapi.NameType.hostbased_service),
        creds=credentials,
        usage="initiate",
        mech=gssapi.MechType.kerberos,
    )
    context.__DEFER_STEP_ERRORS__ = False
    return context


@contextlib.contextmanager
def _kerberos_errors() -> Iterator[None]:
    """Raises CannotAuthenticate for an error of the library."""
    try:
        yield
    except importlib.import_module("gssapi").exceptions.GSSError as error:
        raise CannotAuthenticate(f"Kerberos: {_message(error)}") from error


@lru_cache(maxsize=8)
def kerberos_credentials(who: Credentials) -> Any:
    """A ticket-granting ticket for a name and its keytab or password, without the ticket cache of the user who runs this. Raises
    CannotAuthenticate."""
    try:
        gssapi = importlib.import_module("gssapi")
        raw = importlib.import_module("gssapi.raw")
    except (ImportError, OSError) as error:
        raise CannotAuthenticate("the extra postern[kerberos] is not installed") from error
    if not who.principal:
        raise CannotAuthenticate("the account has no name in Kerberos")
    name = gssapi.Name(who.principal, gssapi.NameType.kerberos_principal)
    try:
        if who.keytab:
            store = {"client_keytab": f"FILE:{who.keytab}", "ccache": "MEMORY:verify"}
            return gssapi.Credentials(name=name, usage="initiate", store=store)
        made = raw.acquire_cred_with_password(
            name, who.password.encode(), mechs=[gssapi.MechType.kerberos], usage="initiate"
        )
    except gssapi.exceptions.GSSError as error:
        raise CannotAuthenticate(f"no ticket for {who.principal}: {_message(error)}") from error
    return gssapi.Credentials(base=made.creds)


def _message(error: Any) -> str:
    """The library's message: "Client not found in Kerberos database"."""
    return str(error.get_all_statuses(error.min_code, False)[0]) if error.min_code else str(error)
