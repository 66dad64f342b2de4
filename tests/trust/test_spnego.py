"""SPNEGO's acceptor against pyspnego as client (which sends a mechListMIC), bare tokens, and what is broken.

covers: contexts
"""

from __future__ import annotations

import asyncio

import pytest
import spnego
from hypothesis import given
from hypothesis import strategies as st

from postern.model.security import Mechanism
from postern.protocols.ber import element
from postern.protocols.dcerpc.protection import Level
from postern.trust.contexts import AcceptorContext, SecurityFailure
from postern.trust.host import HostCredentials
from postern.trust.ntlm.contexts import NtlmAcceptorContext, NtlmInitiatorContext
from postern.trust.ntlm.handshake import NtlmAcceptor, NtlmInitiator, by_hash, nt_hash
from postern.trust.spnego import SpnegoAcceptor

HASH = nt_hash("right horse")
NTLM_OID = bytes.fromhex("2b06010401823702020a")
KERBEROS_OID = bytes.fromhex("2a864886f712010202")
HEAD, STUB, TRAILER = b"h" * 24, b"s" * 32, b"t" * 8


async def lookup(name: str) -> bytes | None:
    return HASH if name.endswith("alice") else None


def begin(mechanism: Mechanism) -> AcceptorContext | None:
    acceptor = NtlmAcceptor(HostCredentials("hub1", "example.test"), by_hash(lookup))
    return NtlmAcceptorContext(acceptor) if mechanism is Mechanism.NTLM else None


def init_token(oids: list[bytes], token: bytes, mic: bytes = b"") -> bytes:
    body = element(0xA0, element(0x30, b"".join(element(0x06, oid) for oid in oids)))
    body += element(0xA2, element(0x04, token)) if token else b""
    body += element(0xA3, element(0x04, mic)) if mic else b""
    return element(0x60, bytes.fromhex("06062b0601050502") + element(0xA0, element(0x30, body)))


def response(token: bytes) -> bytes:
    return element(0xA1, element(0x30, element(0xA2, element(0x04, token))))


def step(acceptor: SpnegoAcceptor, token: bytes) -> bytes:
    return asyncio.run(acceptor.step(token))


def test_pyspnego_logs_on_with_a_list_that_is_proven() -> None:
    options = spnego.NegotiateOptions.use_negotiate | spnego.NegotiateOptions.use_ntlm
    client = spnego.client("alice", "right horse", protocol="negotiate", options=options)
    inner = begin(Mechanism.NTLM)
    server = SpnegoAcceptor(lambda mechanism: inner if mechanism is Mechanism.NTLM else None)
    token = client.step()
    while token is not None:
        answer = step(server, token)
        token = client.step(answer) if answer else None
    assert server.complete and client.complete
    assert isinstance(inner, NtlmAcceptorContext) and inner.result is not None and inner.result.name == "alice"
    assert (server.mechanism, server.session_key) == (Mechanism.NTLM, client.session_key)
    # Both sides start RC4 anew after the mechListMIC and go on counting.
    sealed = client.wrap(b"from the client").data
    assert server.unprotect(Level.PRIVACY, True, b"", sealed[16:], b"", sealed[:16]) == b"from the client"
    stub, token = server.protect(Level.PRIVACY, True, b"", b"from the server", b"")
    assert client.unwrap(token + stub).data == b"from the server"


def _logged_on(oids: list[bytes]) -> SpnegoAcceptor:
    """A client that sends no MIC, as impacket does; its NTLM comes in the first token only if that is its first choice."""
    server, client = SpnegoAcceptor(begin), NtlmInitiatorContext(NtlmInitiator("alice", "", HASH))
    first = asyncio.run(client.step(b""))
    answer = step(server, init_token(oids, first if oids[0] == NTLM_OID else b"kerberos token"))
    if oids[0] != NTLM_OID:
        answer = step(server, response(first))
    challenge = answer[answer.index(b"NTLMSSP\0") :]
    step(server, response(asyncio.run(client.step(challenge))))
    stub, token = client.protect(Level.PRIVACY, True, HEAD, STUB, TRAILER)
    assert server.unprotect(Level.PRIVACY, True, HEAD, stub, TRAILER, token) == STUB
    return server


def test_a_client_whose_first_choice_was_taken_need_not_prove_the_list() -> None:
    assert _logged_on([NTLM_OID, KERBEROS_OID]).complete


def test_a_client_whose_first_choice_was_not_taken_must() -> None:
    """Or someone on the way could take Kerberos from the list."""
    with pytest.raises(SecurityFailure):
        _logged_on([KERBEROS_OID, NTLM_OID])


def test_a_wrong_password_and_an_unknown_mechanism() -> None:
    server, client = SpnegoAcceptor(begin), NtlmInitiatorContext(NtlmInitiator("alice", "", nt_hash("wrong")))
    answer = step(server, init_token([NTLM_OID], asyncio.run(client.step(b""))))
    challenge = answer[answer.index(b"NTLMSSP\0") :]
    with pytest.raises(SecurityFailure):
        step(server, response(asyncio.run(client.step(challenge))))
    assert not server.complete
    with pytest.raises(SecurityFailure):
        step(SpnegoAcceptor(begin), init_token([KERBEROS_OID], b"x"))


@given(st.binary(max_size=80), st.booleans())
def test_garbage_is_a_failure(data: bytes, begun: bool) -> None:
    server = SpnegoAcceptor(begin)
    if begun:
        step(server, init_token([NTLM_OID], NtlmInitiator("alice", "", HASH).negotiate()))
    for token in (data, init_token([NTLM_OID], data), response(data), init_token([data[:10], NTLM_OID], b"", data)):
        try:
            step(server, token)
        except SecurityFailure:
            pass
        assert not server.complete
