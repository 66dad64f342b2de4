"""TLS in which both ends may show a certificate.

Python's ssl hands on a client's certificate only if it validates, and ends the handshake if it does not, without a word in
asyncio. Here the handshake succeeds with any certificate, as direct trust needs it, and strangers on the same port; OpenSSL
proves that the peer has the key of its certificate, and `trust` says whose certificate it is. For users' certificates the
handshake validates, and an alert tells the client what is wrong. A `Mutual` has the place of asyncio's own TLS layer: between the
socket's transport and a Link, for which it is the transport.
"""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from dataclasses import dataclass
from functools import partial
from pathlib import Path as FilePath
from typing import Any

from OpenSSL import SSL, crypto

from postern.model.domains import a_labels
from postern.model.security import Seal
from postern.net.tls import CIPHERS, Certificate, FromFiles, certificate_der, end_point, names_of
from postern.net.turns import FULL_READ, turns_of

READ = 16_384
"""Octets taken from TLS at once: no record holds more (RFC 8446 section 5.1)."""
MAX_CHAIN_DEPTH = 10
HANDSHAKE_TIMEOUT = 30.0
CLOSE_TIMEOUT = 30.0
"""Seconds that the last octets may take to leave."""
MAX_UNREAD = 1_048_576
"""Octets that may wait for a peer. A peer that makes TLS itself answer (refused renegotiations) and reads nothing is aborted."""
_SESSION_ID = b"none is kept"


@dataclass(frozen=True, slots=True)
class ClientAuthorities:
    """PEM files by which users' certificates are validated: `authorities` that may have issued them, whose names clients are
    told, and lists of what they have `revoked`. Without a list nothing is looked up; with one, that of the issuer must be there
    and up to date. `unnamed` are further authorities and lists, of which clients are not told."""

    authorities: FilePath
    revoked: FilePath | None = None
    unnamed: tuple[FilePath, ...] = ()

    @property
    def files(self) -> tuple[FilePath, ...]:
        return (self.authorities, *((self.revoked,) if self.revoked is not None else ()), *self.unnamed)


class MutualContext(FromFiles):
    """The TLS context of a door (`server`) or of a dial. With `clients` a door validates what clients show, and lets in those who
    show nothing. Raises OSError (ssl.SSLError) if a file cannot be used."""

    def __init__(self, certificate: Certificate | None, server: bool, clients: ClientAuthorities | None = None) -> None:
        self.server = server
        self.validates = clients is not None
        self.end_point = b""
        self.names: frozenset[str] = frozenset()
        self._context = context = SSL.Context(SSL.TLS_SERVER_METHOD if server else SSL.TLS_CLIENT_METHOD)
        context.set_min_proto_version(SSL.TLS1_2_VERSION)
        context.set_cipher_list(CIPHERS.encode())
        # No session is resumed, as at every door (`net.tls`): it would carry over who the peer was. TLS 1.3 sends its two tickets
        # all the same, which pyOpenSSL cannot turn off; without a cache they name no session.
        context.set_options(SSL.OP_NO_RENEGOTIATION | SSL.OP_CIPHER_SERVER_PREFERENCE | SSL.OP_NO_TICKET)
        context.set_session_cache_mode(SSL.SESS_CACHE_OFF)
        if certificate is not None:
            try:
                self.follow(certificate, partial(MutualContext, certificate, server, clients))
                context.use_certificate_chain_file(str(certificate.chain))
                context.use_privatekey_file(str(certificate.key))
                context.check_privatekey()
            except SSL.Error as error:
                raise ssl.SSLError(f"{certificate.chain}: {error}") from error
            if server:
                own = certificate_der(certificate)
                self.end_point, self.names = end_point(own), names_of(own)
        if server:
            context.set_session_id(_SESSION_ID)
            context.set_verify(SSL.VERIFY_PEER, _let_in if clients is None else _as_validated)
            context.set_verify_depth(MAX_CHAIN_DEPTH)
        if clients is not None:
            self._validate(clients)

    def _validate(self, clients: ClientAuthorities) -> None:
        context = self._context
        # Before 1.3 the certificate crosses the wire in clear text, and with it the caller's name.
        context.set_min_proto_version(SSL.TLS1_3_VERSION)
        try:
            for file in clients.files:
                context.load_verify_locations(str(file))
            context.load_client_ca(str(clients.authorities).encode())
        except SSL.Error as error:
            raise ssl.SSLError(f"{', '.join(map(str, clients.files))}: {_reason(error)}") from error
        store = context.get_cert_store()
        assert store is not None
        # The file may have the authority that issues for users, and not the one above it, which vouches for others as well.
        store.set_flags(crypto.X509StoreFlags.PARTIAL_CHAIN)
        if clients.revoked is not None:
            store.set_flags(crypto.X509StoreFlags.CRL_CHECK)

    def connection(self, server_hostname: str | None) -> SSL.Connection:
        connection = SSL.Connection(self._context, None)
        if self.server:
            connection.set_accept_state()
            return connection
        name = _indication(server_hostname or "")
        if name:
            connection.set_tlsext_host_name(name)
        connection.set_connect_state()
        return connection


def _let_in(connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
    return True


def _as_validated(connection: SSL.Connection, certificate: crypto.X509, error: int, depth: int, ok: int) -> bool:
    if not ok:
        connection.set_app_data(_REASONS.get(error, f"X.509 error {error}"))
    return bool(ok)


_REASONS = {
    3: "the list of the issuer's revoked certificates is missing",
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    12: "the list of the issuer's revoked certificates is outdated",
    **dict.fromkeys((2, 18, 19, 20, 21), "an authority issued the certificate that is not known here"),
    23: "the certificate is revoked",
    26: "the certificate is not for client authentication",
}
"""The errors of OpenSSL's validation (x509_vfy.h) that users meet, for the log."""


class Mutual(asyncio.Transport, asyncio.Protocol):
    """The TLS of one connection: a protocol to the transport below, a transport to the protocol above (a Link)."""

    def __init__(self, context: MutualContext, above: asyncio.Protocol, server_hostname: str | None = None) -> None:
        super().__init__()
        self._tls = context.connection(server_hostname)
        self._above = above
        self._loop = asyncio.get_running_loop()
        self._below: asyncio.Transport | None = None
        self._done: asyncio.Future[None] = self._loop.create_future()
        self._lost = asyncio.Event()
        self._open = False
        self._paused = False
        self._closing = False
        self._last: asyncio.TimerHandle | None = None
        self.seal: Seal | None = None
        self.chain: tuple[bytes, ...] = ()
        """The certificates that the peer showed, in DER: its own, then those that it sent along. They are validated only with
        `MutualContext.validates`."""

    async def start(self, below: asyncio.Transport) -> None:
        """Takes `below` over and does the handshake. What the peer sends right behind it reaches the protocol above before
        this returns. Raises ssl.SSLError, ConnectionError, TimeoutError; the caller then aborts `below`."""
        if below.is_reading():
            below.pause_reading()
        self._below = below
        below.set_protocol(self)
        self._shake()
        below.resume_reading()
        async with asyncio.timeout(HANDSHAKE_TIMEOUT):
            await self._done

    @property
    def objection(self) -> str:
        """The reason why the peer's certificate did not validate; "" if that is not why the handshake failed."""
        return self._tls.get_app_data() or ""

    async def part(self, seconds: float) -> None:
        """Ends a connection whose handshake failed. The client has `seconds` to read the alert: to close while it still sends
        would take that from it. What it sends is thrown away."""
        below = self._below
        if below is None or below.is_closing():
            return
        below.write_eof()
        try:
            async with asyncio.timeout(seconds):
                await self._lost.wait()
        except TimeoutError:
            pass  # it reads no more, or never did
        finally:
            below.abort()

    def exported(self) -> bytes:
        """Returns the channel binding `tls-exporter` (RFC 9266 section 2), b"" without TLS 1.3: section 3 demands the extended
        master secret of TLS 1.2, and pyOpenSSL does not say whether there is one."""
        if self.seal is None or self.seal.protocol != "TLSv1.3":
            return b""
        return b"tls-exporter:" + self._tls.export_keying_material(b"EXPORTER-Channel-Binding", 32)

    # To the transport below

    def data_received(self, data: bytes) -> None:
        if self._closing:
            return
        try:
            self._tls.bio_write(data)
        except SSL.Error as error:
            self._fail(error)
            return
        if not self._open:
            self._shake()
        if self._open:
            self._read()
        if len(data) >= FULL_READ and self._below is not None and self._below.is_reading():
            self._below.pause_reading()
            turns_of(self._loop).wait(self._resume)

    def eof_received(self) -> bool:
        return False

    def pause_writing(self) -> None:
        self._above.pause_writing()

    def resume_writing(self) -> None:
        self._above.resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._closing = True
        self._lost.set()
        if self._last is not None:
            self._last.cancel()
        if not self._done.done():
            self._done.set_exception(ConnectionResetError("connection lost during the TLS handshake"))
        self._above.connection_lost(error)

    # TLS

    def _shake(self) -> None:
        try:
            self._tls.do_handshake()
        except SSL.WantReadError:
            self._flush()
            return
        except SSL.Error as error:
            self._fail(error)
            return
        self._flush()
        self._open = True
        self.seal = Seal(self._tls.get_protocol_version_name(), self._tls.get_cipher_name() or "")
        self.chain = _shown(self._tls)
        self._above.connection_made(self)
        if not self._done.done():
            self._done.set_result(None)

    def _read(self) -> None:
        """Hands clear text on until there is none, or the protocol above pauses."""
        some = False
        try:
            while not self._paused and not self._closing:
                data = self._tls.recv(READ)
                some = True
                self._above.data_received(data)
        except SSL.WantReadError:
            if some:
                return  # messages of TLS itself can wait for the next answer
        except SSL.ZeroReturnError:
            self.close()  # the peer's close_notify
            return
        except SSL.Error as error:
            self._fail(error)
            return
        self._flush()
        if self._below is not None and self._below.get_write_buffer_size() > MAX_UNREAD:
            self.abort()

    def _flush(self) -> None:
        """Gives the transport below what TLS has to send. Only that transport buffers, so its limits are ours."""
        while self._below is not None:
            try:
                data = self._tls.bio_read(READ)
            except SSL.WantReadError:
                return
            self._below.write(data)
            if len(data) < READ:
                return

    def _fail(self, error: SSL.Error) -> None:
        """Sends the alert, then ends the connection. One whose handshake has failed is ended by the caller of `start`."""
        self._flush()
        self._closing = True
        if self._open:
            self._end()
        elif not self._done.done():
            self._done.set_exception(ssl.SSLError(f"TLS: {_reason(error)}"))

    def _end(self) -> None:
        """Closes the transport below once all is sent, at the latest after CLOSE_TIMEOUT."""
        if self._below is not None:
            self._below.close()
            self._last = self._loop.call_later(CLOSE_TIMEOUT, self._below.abort)

    # To the protocol above: asyncio.Transport

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        rest = memoryview(data)
        if self._closing or not self._open:
            return
        try:
            while rest:
                rest = rest[self._tls.send(rest) :]
                self._flush()
        except SSL.Error as error:
            self._fail(error)

    def close(self) -> None:
        if self._closing:
            return
        self._closing = True
        if self._open:
            try:
                self._tls.shutdown()
            except SSL.Error:
                pass  # the peer is gone already
            self._flush()
        self._end()

    def abort(self) -> None:
        self._closing = True
        if self._below is not None:
            self._below.abort()

    def is_closing(self) -> bool:
        return self._closing or self._below is None or self._below.is_closing()

    def is_reading(self) -> bool:
        return not self._paused and not self.is_closing()

    def pause_reading(self) -> None:
        self._paused = True
        if self._below is not None and self._below.is_reading():
            self._below.pause_reading()

    def resume_reading(self) -> None:
        self._paused = False
        self._loop.call_soon(self._resume)

    def _resume(self) -> None:
        """Reads what has come already, then has the transport read more."""
        if not self._paused and not self._closing:
            self._read()
        if not self._paused and not self._closing and self._below is not None and not self._below.is_reading():
            self._below.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._below.get_extra_info(name, default) if self._below is not None else default


def _shown(connection: SSL.Connection) -> tuple[bytes, ...]:
    """Returns the peer's certificates, its own first. OpenSSL keeps a client's own apart from those that it sent along, but not a
    server's."""
    leaf = connection.get_peer_certificate()
    if leaf is None:
        return ()
    first = crypto.dump_certificate(crypto.FILETYPE_ASN1, leaf)
    others = [crypto.dump_certificate(crypto.FILETYPE_ASN1, other) for other in connection.get_peer_cert_chain() or ()]
    return first, *(other for other in others if other != first)


def _reason(error: SSL.Error) -> str:
    """Returns OpenSSL's reason. An error without one means that the connection ended."""
    reasons = error.args[0] if error.args and isinstance(error.args[0], list) else []
    return str(reasons[0][-1]) if reasons else type(error).__name__


def _indication(host: str) -> bytes:
    """Returns the host name for the server name extension; b"" for an address, which may not stand there (RFC 6066 section 3)."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        try:
            return a_labels(host).encode("ascii")
        except UnicodeError:
            return b""
    return b""
