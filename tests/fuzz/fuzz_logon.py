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
        from postern.trust.outcome import Challenge, Denied
        from postern.trust.passwords import saslprep
        from postern.trust.passwords.judge import FAILED
        from postern.trust.sasl import exchange
        from postern.trust.sasl import mechanisms as sasl
        from postern.trust.sasl import scram as sasl_scram
else:
    from postern.trust.outcome import Challenge, Denied
    from postern.trust.passwords import saslprep
    from postern.trust.passwords.judge import FAILED
    from postern.trust.sasl import exchange
    from postern.trust.sasl import mechanisms as sasl
    from postern.trust.sasl import scram as sasl_scram

from postern.model.security import Peer
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
MECHANISMS = (
    lambda: sasl.Plain(JUDGE, PEER),
    lambda: sasl.Login(JUDGE, PEER),
    lambda: sasl_scram.ScramServer(JUDGE, PEER),
    lambda: sasl.Ntlm(JUDGE, PEER, "hub1", "example.test", "EXAMPLE", sasl.Channel()),
)


def one_input(data: bytes) -> None:
    """Raises AssertionError (or anything else) where a mechanism does what it must not."""
    if not data:
        return
    begin = MECHANISMS[data[0] % len(MECHANISMS)]
    one = exchange.SaslExchange()
    one.begin(begin())
    server = b""
    for line in data[1:].split(b"\n")[:4]:
        # The nonce is the server's: a response that leaves it open gets as far as one that knows it.
        said = line.replace(b"NONCE", server.partition(b",")[0])
        outcome = finished(one.respond(said))
        if not isinstance(outcome, Challenge):
            assert isinstance(outcome, Denied)
            break
        server = outcome.data
    encoded = exchange.SaslExchange()
    encoded.begin(begin())
    finished(encoded.respond_encoded(data[1:]))
    encoded.begin(begin())
    assert isinstance(finished(encoded.respond_encoded(base64.b64encode(data[1:]))), Challenge | Denied)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
