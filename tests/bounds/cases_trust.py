"""Worst cases of what reads tokens of a log-on: trust. None of them proves anything, so nobody is asked."""

from __future__ import annotations

import base64
import struct
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

from postern.model.security import Channel, Mechanism, Peer, Seal
from postern.paths.guard import Guard
from postern.paths.table import TABLE
from postern.trust import spnego
from postern.trust.acceptor import Asking
from postern.trust.authenticator import Authenticator
from postern.trust.contexts import SecurityFailure
from postern.trust.framing import digest, http
from postern.trust.framing import sasl as framing
from postern.trust.gss_token import unframed
from postern.trust.host import HostCredentials
from postern.trust.ntlm import handshake as ntlm
from postern.trust.ntlm.fields import MAX_TOKEN, NtlmError
from postern.trust.passwords import saslprep
from postern.trust.sasl import mechanisms as sasl
from postern.trust.sasl import scram as sasl_scram
from tests.bounds.growth import Cases, Work, finished

PEER = Peer("192.0.2.1", 40_000)
NOBODY: Any = None
"""In place of who judges: what is malformed is refused before."""
GUARD = Guard([TABLE["imap4"]], frozenset({Mechanism.BASIC}))
WEB = Guard([TABLE["mapi-over-http"]], frozenset({Mechanism.BASIC, Mechanism.NTLM, Mechanism.KERBEROS}))
WEB_AUTHENTICATOR = Authenticator(NOBODY)
MAIL_HASHES: Any = SimpleNamespace(digest_realm="mail")
ONLY_PLAIN: Any = SimpleNamespace(available=frozenset({Mechanism.BASIC}))
TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")


def _der(tag: int, value: bytes) -> bytes:
    return bytes((tag, 0x83)) + len(value).to_bytes(3, "big") + value


async def _no(logon: object) -> None:
    return None


async def _yes(logon: object) -> ntlm.Proof:
    return ntlm.Proof(bytes(16))


def _ntlm(size: int) -> Work:
    return _answers(size, struct.pack("<HH", 7, 0) * ((min(size, MAX_TOKEN) - 200) // 4), _no)


def _ntlm_target(size: int, host: str) -> Work:
    """MsvAvTargetName of an answer that was proven right, held against the names of a certificate."""
    name = (host * MAX_TOKEN)[: (min(size, MAX_TOKEN) - 200) // 2].encode("utf-16-le")
    return _answers(size, struct.pack("<HH", 9, len(name)) + name + bytes(4), _yes)


_OWN = frozenset(f"host{number}.example.test" for number in range(100))


def _answers(size: int, pairs: bytes, prove: ntlm.Prove) -> Work:
    answer = bytes(16) + b"\1\1" + bytes(26) + pairs
    field = struct.pack("<HHI", len(answer), len(answer), 64)
    token = b"NTLMSSP\0\3\0\0\0" + bytes(8) + field + struct.pack("<HHI", 2, 2, 64) * 4 + bytes(4) + answer

    def work() -> None:
        for _ in range(size // len(token)):
            acceptor = ntlm.NtlmAcceptor(HostCredentials("hub1", "example.test"), prove, Channel(names=_OWN))
            acceptor.negotiate(b"NTLMSSP\0\1\0\0\0" + bytes(20))
            with suppress(NtlmError):
                finished(acceptor.authenticate(token))

    return work


def _spnego(size: int, inner: bytes) -> Work:
    listed = _der(0x30, inner * (min(size, 65_000) // len(inner)))
    token = _der(0x60, bytes.fromhex("06062b0601050502") + _der(0xA0, _der(0x30, _der(0xA0, listed))))

    def work() -> None:
        with suppress(SecurityFailure):
            finished(spnego.SpnegoAcceptor(lambda kind: None).step(token))

    return work


def _step(make, response: bytes) -> Work:  # type: ignore[no-untyped-def]  # any mechanism
    return lambda: finished(make(NOBODY, PEER).step(response))


def _exchange(line: bytes) -> Work:
    return lambda: finished(
        framing.AuthExchange(GUARD, ONLY_PLAIN, encoded=True).begin("PLAIN", line, Asking(PEER, TLS))
    )


def _authorization(value: bytes) -> Work:
    def work() -> None:
        for _ in range(len(value) // http.MAX_AUTHORIZATION):
            http.parse_authorization(value[: http.MAX_AUTHORIZATION])

    return work


def _password(token: bytes) -> Work:
    def work() -> None:
        http.password_of(token)

    return work


def _request(value: bytes) -> Work:
    def work() -> None:
        connection = http.HttpAuthentication(WEB_AUTHENTICATOR, "mail")
        for _ in range(len(value) // http.MAX_AUTHORIZATION):
            finished(connection.authorize(value[: http.MAX_AUTHORIZATION], WEB, Asking(PEER, TLS)))

    return work


def _digest(value: bytes) -> Work:
    def work() -> None:
        for _ in range(len(value) // digest.MAX_FIELD):
            digest.parse_digest(value[: digest.MAX_FIELD])

    return work


def _digest_request(value: bytes) -> Work:
    def work() -> None:
        keeping = digest.DigestKeeping(MAIL_HASHES, digest.Nonces())
        connection = digest.DigestAuthentication(WEB_AUTHENTICATOR, keeping)
        for _ in range(len(value) // digest.MAX_FIELD):
            finished(connection.judge(value[: digest.MAX_FIELD], "GET", b"/", Asking(PEER, TLS)))

    return work


def _nonce(nonce: str) -> Work:
    def work() -> None:
        digest.Nonces().made(nonce, PEER)

    return work


def _frame(token: bytes) -> Work:
    def work() -> None:
        unframed(token)

    return work


def _prepared(text: str) -> Work:
    def work() -> None:
        with suppress(ValueError):
            saslprep.saslprep(text)

    return work


CASES: Cases = {
    "trust.framing.sasl.AuthExchange": lambda size: _exchange(base64.b64encode(b"\0" * size)),
    "trust.framing.sasl.AuthExchange: no base64": lambda size: _exchange(b"=" * size),
    "trust.framing.digest.DigestAuthentication": lambda size: _digest_request(b"Digest " + b"a" * size),
    "trust.framing.digest.Nonces.made": lambda size: _nonce("A" * size),
    "trust.framing.digest.parse_digest": lambda size: _digest(b"Digest " + b"," * size),
    "trust.framing.digest.parse_digest: quotes": lambda size: _digest(b'Digest a="' + b"\\" * size),
    "trust.framing.http.HttpAuthentication": lambda size: _request(b"Negotiate " + base64.b64encode(b"\x60" * size)),
    "trust.framing.http.parse_authorization: blanks": lambda size: _authorization(b"Basic" + b" " * size),
    "trust.framing.http.parse_authorization: base64": lambda size: _authorization(b"Basic " + b"A" * size),
    "trust.framing.http.password_of": lambda size: _password(b"a" * (size // 2) + b":" * (size // 2)),
    "trust.gss_token.unframed": lambda size: _frame(_der(0x60, b"\x06\x00" + bytes(size))),
    "trust.ntlm.handshake.NtlmAcceptor": _ntlm,
    "trust.ntlm.handshake.NtlmAcceptor: a name of one label": lambda size: _ntlm_target(size, "a"),
    "trust.ntlm.handshake.NtlmAcceptor: a name of dots": lambda size: _ntlm_target(size, "imap/."),
    "trust.sasl.mechanisms.SaslPlain": lambda size: _step(sasl.SaslPlain, b"\0" * size),
    "trust.sasl.scram.SaslScram": lambda size: _step(sasl_scram.SaslScram, b"n,," + b"=2C," * (size // 4)),
    "trust.passwords.saslprep.saslprep: marks": lambda size: _prepared("\u0300\u0316" * (size // 4)),
    "trust.spnego.SpnegoAcceptor: mechanisms": lambda size: _spnego(size, b"\x06\x00"),
    "trust.spnego.SpnegoAcceptor: lengths": lambda size: _spnego(size, b"\x06\x83\xff"),
}
