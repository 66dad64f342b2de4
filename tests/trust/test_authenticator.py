"""What a host can verify now; and the whole of it on a real private slapd."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
import spnego
from scramp import ScramClient

from postern.model.directory import DirectoryUnavailable
from postern.model.security import Mechanism, Seal
from postern.trust.acceptor import FAILED, SERVERS, Asking, Challenge, Granted
from postern.trust.authenticator import Authenticator
from postern.trust.framing.sasl import begin
from postern.trust.host import HostCredentials
from postern.trust.passwords import verifiers as passwords
from tests.directory.conftest import RunningSlapd, empty_slapd, slapd
from tests.trust.people import PEER, People, run

__all__ = ["empty_slapd", "slapd"]  # fixtures

TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")


@pytest.fixture
def people() -> People:
    return People()


@pytest.fixture
def authenticator(people: People) -> Iterator[Authenticator]:
    made = Authenticator(people, policy=people)
    yield made
    made.close()


def test_mechanisms_join_when_an_administrator_enables_them(authenticator: Authenticator, people: People) -> None:
    assert authenticator.available == {Mechanism.BASIC}
    assert run(authenticator.refresh()) == {Mechanism.BASIC}
    for kind, mechanism, name in (("nt", Mechanism.NTLM, "NTLM"), ("scram-sha-256", Mechanism.SCRAM, "scram-sha-256")):
        assert begin(authenticator, name, Asking(PEER, TLS)) is None
        people.enabled = {kind}
        assert run(authenticator.refresh()) == {Mechanism.BASIC, mechanism}
        assert begin(authenticator, name, Asking(PEER, TLS)) is not None
    people.enabled = {"digest"}
    assert run(authenticator.refresh()) == {Mechanism.BASIC, Mechanism.DIGEST}
    people.enabled = {"scram-sha-256"}
    run(authenticator.refresh())
    people.away = True
    with pytest.raises(DirectoryUnavailable):
        run(authenticator.refresh())
    assert authenticator.available == {Mechanism.BASIC, Mechanism.SCRAM}


def test_no_password_goes_in_the_clear(authenticator: Authenticator) -> None:
    for name in ("PLAIN", "LOGIN"):
        assert begin(authenticator, name, Asking(PEER, None)) is None
        assert begin(authenticator, name, Asking(PEER, TLS)) is not None


def test_no_password_is_judged_where_only_servers_call(authenticator: Authenticator, people: People) -> None:
    people.enabled = {"nt", "scram-sha-256"}
    run(authenticator.refresh())
    for name in ("PLAIN", "LOGIN", "SCRAM-SHA-256"):
        assert begin(authenticator, name, Asking(PEER, TLS)) is not None
        assert begin(authenticator, name, Asking(PEER, TLS, callers=SERVERS)) is None


@pytest.mark.parametrize(
    "name", ["", "CRAM-MD5", "SCRAM-SHA-256-PLUS", "SCRAM-SHA-1", "ANONYMOUS", "GSSAPI", "EXTERNAL", "PLAIN "]
)
def test_what_is_not_done_here(authenticator: Authenticator, name: str) -> None:
    """-PLUS among it, on a channel without a binding."""
    assert begin(authenticator, name, Asking(PEER, TLS)) is None


@pytest.mark.slow
def test_every_mechanism_on_slapd(empty_slapd: RunningSlapd) -> None:
    async def steps() -> None:
        async with empty_slapd.opened() as (read, write):
            for kind in ("nt", "scram-sha-256"):
                await write.enable_verifier(kind)
            made = passwords.verifiers("wonderland", await read.enabled_verifiers())
            await write.add_user("alice@example.test", made)
            authenticator = Authenticator(read, HostCredentials("mail", "example.test"), read)
            assert await authenticator.refresh() == {Mechanism.BASIC, Mechanism.NTLM, Mechanism.SCRAM}
            for name in ("alice@example.test", "alice", "EXAMPLE\\alice"):
                assert isinstance(await authenticator.password(name, "wonderland", PEER), Granted)
                assert await authenticator.password(name, "wrong", PEER) == FAILED

            client = spnego.client("alice@example.test", "wonderland", protocol="ntlm")
            server = begin(authenticator, "NTLM", Asking(PEER, TLS))
            assert server is not None
            challenge = await server.step(client.step())
            assert isinstance(challenge, Challenge)
            assert isinstance(await server.step(client.step(challenge.data)), Granted)

            scram = ScramClient(["SCRAM-SHA-256"], "alice@example.test", "wonderland")
            server = begin(authenticator, "SCRAM-SHA-256", Asking(PEER, TLS))
            assert server is not None
            challenge = await server.step(scram.get_client_first().encode())
            assert isinstance(challenge, Challenge)
            scram.set_server_first(challenge.data.decode())
            granted = await server.step(scram.get_client_final().encode())
            assert isinstance(granted, Granted)
            scram.set_server_final(granted.data.decode())

            # What was remembered is forgotten with the account's next change.
            await write.set_enabled("alice", False)
            assert await authenticator.password("alice", "wonderland", PEER) == FAILED
            await write.set_enabled("alice", True)
            assert isinstance(await authenticator.password("alice", "wonderland", PEER), Granted)
            await write.set_verifiers("alice", passwords.verifiers("through the glass"))
            assert await authenticator.password("alice", "wonderland", PEER) == FAILED
            authenticator.close()

    asyncio.run(steps())
