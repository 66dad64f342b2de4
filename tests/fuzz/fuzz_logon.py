"""Fuzz target for log-ons of clients: `python tests/fuzz/fuzz_logon.py -max_total_time=300`, with atheris.

The first octet says which mechanism of SASL hears the rest, a response a line, or that the lines are HTTP's Authorization fields.
Nobody has an account, so nobody may be let in, whatever is said; and only octets that are no exchange of the mechanism end one
early.
"""

from __future__ import annotations

import base64
import sys
from contextlib import nullcontext, suppress
from types import SimpleNamespace
from typing import Any

if __name__ == "__main__":
    import atheris

    instrumented = atheris.instrument_imports(include=["postern.trust"])
else:
    instrumented = nullcontext()

with instrumented:
    from postern.trust.acceptor import FAILED, Asking, Cause, Challenge, Denied, Failure
    from postern.trust.authenticator import Authenticator
    from postern.trust.framing.digest import DigestKeeping, Nonces
    from postern.trust.framing.http import HttpAuthentication, Unauthorized
    from postern.trust.framing.sasl import NAMES, AuthExchange
    from postern.trust.host import HostCredentials
    from postern.trust.passwords import saslprep
    from postern.trust.passwords.proofs import WRONG, Unproven

from postern.model.organization import Profile
from postern.model.security import Mechanism, Peer, Seal
from postern.paths.guard import Guard
from postern.paths.table import settle
from tests.bounds.growth import finished

PEER = Peer("192.0.2.1", 40_000)


class Nobody(Authenticator):
    """An authenticator whose directory is empty, and who keeps no account of guesses."""

    digest_realm = "mail"

    def __init__(self) -> None:
        self.directory = self.proofs = self
        self.available = frozenset(NAMES)
        self._host = HostCredentials("hub1", "example.test", "EXAMPLE")

    async def account(self, name: str) -> None:
        assert name
        return None

    async def enter(self, name: str, account: object, peer: Peer, callers: object = None) -> Any:
        return SimpleNamespace(undecided=lambda: None)

    async def ntlm(self, account: None, logon: object) -> Unproven:
        return WRONG

    async def password(self, name: str, password: str, peer: Peer) -> Denied:
        with suppress(ValueError):
            prepared = saslprep.saslprep(password)
            assert saslprep.saslprep(prepared) == prepared, "RFC 4013: what is prepared stays as it is"
        return FAILED

    def available_to(self, callers: object) -> frozenset[Mechanism]:
        return self.available

    def settle(self, guess: object, right: bool) -> None:
        assert not right

    def made_up_salt(self, name: str) -> bytes:
        return bytes(16)


NOBODY: Any = Nobody()
MECHANISMS = ("PLAIN", "LOGIN", "SCRAM-SHA-256", "NTLM")
GUARD = Guard([settle(Profile.PRACTICAL)["imap4"]], frozenset(NAMES))
WEB = Guard([settle(Profile.PRACTICAL)["autodiscover"]], frozenset({*NAMES, Mechanism.DIGEST}))
DIGEST = DigestKeeping(NOBODY, Nonces(bytes(32), lambda: 1e9))
ASKING = Asking(PEER, Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384"))


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where a mechanism does what it must not."""
    if not data:
        return
    if data[0] % (len(MECHANISMS) + 1) == len(MECHANISMS):
        return _http(data[1:].split(b"\n")[:4])
    name, server = MECHANISMS[data[0] % (len(MECHANISMS) + 1)], b""
    exchange = AuthExchange(GUARD, NOBODY)
    turn = finished(exchange.begin(name, None, ASKING))
    for line in data[1:].split(b"\n")[:4]:
        assert isinstance(turn, Challenge)
        # The nonce is the server's: a response that leaves it open gets as far as one that knows it.
        server = turn.data or server
        turn = finished(exchange.respond(line.replace(b"NONCE", server.partition(b",")[0])))
        if not isinstance(turn, Challenge):
            _is_refused(turn)
            break
    exchange = AuthExchange(GUARD, NOBODY, encoded=True)
    assert isinstance(finished(exchange.begin(name, data[1:], ASKING)), Challenge | Failure)
    turn = finished(exchange.begin(name, base64.b64encode(data[1:]), ASKING))
    if not isinstance(turn, Challenge):
        _is_refused(turn)


def _is_refused(turn: object) -> None:
    """The mechanism itself refused: nobody was let in, and nothing broke the exchange off."""
    assert isinstance(turn, Failure) and turn.cause is Cause.FAILED


def _http(fields: list[bytes]) -> None:
    """Authorization fields of one connection; those that are no base64 are taken as credentials, too. The nonce of Digest is the
    server's: a field that leaves it open gets as far as one that knows it."""
    connection = HttpAuthentication(NOBODY, "mail", DIGEST)
    for value in fields:
        value = value.replace(b"NONCE", DIGEST.nonces.make(PEER).encode())
        scheme, _, token = value.partition(b" ")
        for shown in (value, scheme + b" " + base64.b64encode(token)):
            assert isinstance(finished(connection.authorize(shown, WEB, ASKING, "GET", b"/")), Unauthorized)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
