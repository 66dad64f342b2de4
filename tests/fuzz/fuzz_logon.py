"""Fuzz target for log-ons of mail clients: `python tests/fuzz/fuzz_logon.py -max_total_time=300`, with atheris.

The first octet says which mechanism hears the rest, a response a line. Nobody has an account, so nobody may be let in, whatever
is said; and only octets that are no exchange of the mechanism end one early.
"""

from __future__ import annotations

import base64
import sys
from contextlib import suppress
from types import SimpleNamespace
from typing import Any

if __name__ == "__main__":
    import atheris

    with atheris.instrument_imports(include=["postern.trust"]):
        from postern.trust.acceptor import FAILED, Acceptor, Asking, Cause, Denied, Failure
        from postern.trust.framing.sasl import NAMES, AuthExchange
        from postern.trust.passwords import saslprep
        from postern.trust.sasl import mechanisms as sasl
        from postern.trust.sasl import scram as sasl_scram
else:
    from postern.trust.acceptor import FAILED, Acceptor, Asking, Cause, Denied, Failure
    from postern.trust.framing.sasl import NAMES, AuthExchange
    from postern.trust.passwords import saslprep
    from postern.trust.sasl import mechanisms as sasl
    from postern.trust.sasl import scram as sasl_scram

from postern.model.security import Peer, Seal
from postern.paths.guard import Guard
from postern.paths.table import TABLE
from tests.bounds.growth import finished

PEER = Peer("192.0.2.1", 40_000)


class Nobody:
    """A judge whose directory is empty, and who keeps no account of guesses."""

    def __init__(self) -> None:
        self.directory = self
        self.proofs = self

    async def account(self, name: str) -> None:
        assert name
        return None

    async def enter(self, name: str, account: None, peer: Peer) -> Any:
        return SimpleNamespace(undecided=lambda: None)

    async def ntlm(self, account: None, logon: object) -> None:
        return None

    async def password(self, name: str, password: str, peer: Peer) -> Denied:
        with suppress(ValueError):
            prepared = saslprep.saslprep(password)
            assert saslprep.saslprep(prepared) == prepared, "RFC 4013: what is prepared stays as it is"
        return FAILED

    def settle(self, guess: object, right: bool) -> None:
        assert not right

    def made_up_salt(self, name: str) -> bytes:
        return bytes(16)


JUDGE: Any = Nobody()
MECHANISMS: dict[str, Any] = {
    "PLAIN": lambda: sasl.Plain(JUDGE, PEER),
    "LOGIN": lambda: sasl.Login(JUDGE, PEER),
    "SCRAM-SHA-256": lambda: sasl_scram.ScramServer(JUDGE, PEER),
    "NTLM": lambda: sasl.Ntlm(JUDGE, PEER, "hub1", "example.test", "EXAMPLE", sasl.Channel()),
}
GUARD = Guard([TABLE["imap4"]], frozenset(NAMES))
ASKING = Asking(PEER, Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384"))


class OneMechanism:
    """An authenticator with one mechanism, and the lines of a protocol that keeps what it would write."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.server = b""
        self.failure_cause: Cause | None = None

    def sasl(self, name: str, asking: Asking) -> Acceptor:
        acceptor: Acceptor = MECHANISMS[self.name]()
        return acceptor

    def challenge(self, data: bytes) -> None:
        self.server = data

    async def success(self, identity: object) -> None:
        raise AssertionError("nobody has an account")

    def failure(self, failure: Failure) -> None:
        self.failure_cause = failure.cause


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where a mechanism does what it must not."""
    if not data:
        return
    name = list(MECHANISMS)[data[0] % len(MECHANISMS)]
    lines: Any = OneMechanism(name)
    exchange = AuthExchange(GUARD, lines)
    assert exchange.begin("PLAIN", ASKING, lines)
    for line in data[1:].split(b"\n")[:4]:
        # The nonce is the server's: a response that leaves it open gets as far as one that knows it.
        finished(exchange.respond(line.replace(b"NONCE", lines.server.partition(b",")[0])))
        if lines.failure_cause is not None:
            assert lines.failure_cause is Cause.FAILED
            break
    for line in (data[1:], base64.b64encode(data[1:])):
        assert exchange.begin("PLAIN", ASKING, lines)
        finished(exchange.respond_encoded(line))


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
