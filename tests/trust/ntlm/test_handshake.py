"""NTLM against MS-NLMP's own numbers (section 4.2.4), against pyspnego and impacket, and against those who lie.

covers: md4
"""

from __future__ import annotations

import asyncio
import hmac
import struct

import pytest
import spnego
from hypothesis import given
from hypothesis import strategies as st
from impacket import ntlm as impacket_ntlm

from postern.model.security import Channel
from postern.trust.host import HostCredentials
from postern.trust.ntlm import handshake as ntlm
from postern.trust.ntlm.fields import NtlmError, put_pairs
from postern.trust.ntlm.handshake import (
    Flags,
    NtlmAcceptor,
    NtlmInitiator,
    NtlmKeys,
    NtlmResult,
    by_hash,
    nt_hash,
)
from postern.trust.ntlm.md4 import md4

HASH = nt_hash("right horse")


async def lookup(name: str) -> bytes | None:
    return HASH if name in ("alice", "EX\\alice", "alice@example.test") else None


def acceptor(binding: bytes = b"", required: bool = False) -> NtlmAcceptor:
    return NtlmAcceptor(
        HostCredentials("hub1", "example.test"), by_hash(lookup), Channel(binding), require_binding=required
    )


def shake(client: NtlmInitiator, server: NtlmAcceptor | None = None) -> NtlmResult | None:
    server = server or acceptor()
    return asyncio.run(server.authenticate(client.authenticate(server.negotiate(client.negotiate()))))


NAMES = frozenset({"mail.example.test", "*.wild.test", "localhost", "192.0.2.1", "2001:db8::1"})


@pytest.mark.parametrize(
    "target",
    [
        *("", "host/unspecified", "host/hub1", "SMTPSVC/mail.example.test", "IMAP/MAIL.EXAMPLE.TEST.", "pop/mail"),
        *("smtp/any.wild.test", "imap/localhost", "smtp/192.0.2.1:587", "smtp/[2001:db8::1]", "hub1"),
        "smtp/mail.example.test/example.test",
    ],
)
def test_an_answer_for_us_is_taken(target: str) -> None:
    server = NtlmAcceptor(HostCredentials("hub1", "example.test"), by_hash(lookup), Channel(names=NAMES))
    assert shake(NtlmInitiator("alice", "EX", HASH, target), server) is not None


@pytest.mark.parametrize(
    "target",
    [
        *("http/mail.example.test", "cifs/hub1", "ldap/mail.example.test", "smtp/other.example.test", "smtp/192"),
        *("host/", "/", "smtp/", "smtp/a.b.wild.test", "smtp/192.0.2.2", "mail.example.test.evil.test", "host/2001"),
    ],
)
def test_an_answer_for_somebody_else_is_refused(target: str) -> None:
    server = NtlmAcceptor(HostCredentials("hub1", "example.test"), by_hash(lookup), Channel(names=NAMES))
    assert shake(NtlmInitiator("alice", "EX", HASH, target), server) is None


@pytest.mark.parametrize(("service", "host", "right"), [("smtp", "hub1", True), ("http", "hub1", False)])
def test_pyspnego_says_whom_it_means_and_its_mic_counts(service: str, host: str, right: bool) -> None:
    for bent in (False, True):
        client = spnego.client("EX\\alice", "right horse", host, service, protocol="ntlm")
        server = NtlmAcceptor(HostCredentials("hub1", "example.test"), by_hash(lookup), Channel(names=NAMES))
        answer = client.step(server.negotiate(client.step()))
        mic = answer[72:88]
        assert mic != bytes(16)
        if bent:
            answer = answer[:72] + bytes(16) + answer[88:]
        assert (asyncio.run(server.authenticate(answer)) is not None) == (right and not bent)


# RFC 1320 section A.5
@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("", "31d6cfe0d16ae931b73c59d7e0c089c0"),
        ("a", "bde52cb31de33e46245e05fbdbd6fb24"),
        ("message digest", "d9130a8164549fe818874806e1c7014b"),
        ("1234567890" * 8, "e33b4ddc9c38f2199c3e7b164fcc0536"),
    ],
)
def test_md4(text: str, digest: str) -> None:
    assert md4(text.encode()).hex() == digest


def test_the_specifications_keys() -> None:
    """MS-NLMP 4.2.2.1.1, 4.2.4.1.1, 4.2.4.2.1 and 4.2.4.4."""
    assert nt_hash("Password").hex() == "a4f49c406510bdcab6824ee7c30fd852"
    key = ntlm._ntowf2(nt_hash("Password"), "User", "Domain")
    assert key.hex() == "0c868a403bfd7a93a3001ef22ef02e3f"
    target = put_pairs(
        {ntlm.Av.NB_DOMAIN: "Domain".encode("utf-16-le"), ntlm.Av.NB_COMPUTER: "Server".encode("utf-16-le")}
    )
    temp = b"\x01\x01" + bytes(6) + bytes(8) + b"\xaa" * 8 + bytes(4) + target + bytes(4)
    proof = ntlm._hmac(key, bytes.fromhex("0123456789abcdef") + temp)
    assert proof.hex() == "68cd0ab851e51c96aabc927bebef6a1c"
    base = ntlm._hmac(key, proof)
    assert base.hex() == "8de40ccadbc14a82f15cb0ad0de95ca3"
    assert ntlm._rc4(base).update(b"\x55" * 16).hex() == "c5dad2544fc9799094ce1ce90bc9d03e"
    keys = NtlmKeys(b"\x55" * 16, from_client=True)
    text = "Plaintext".encode("utf-16-le")
    assert keys.cipher(text).hex() == "54e50165bf1936dc996020c1811b0f06fb5f"
    assert keys.signature(text).hex() == "010000007fb38ec5c55d497600000000"


@pytest.mark.parametrize(("user", "domain"), [("alice", "EX"), ("alice", ""), ("alice@example.test", "")])
def test_the_right_password(user: str, domain: str) -> None:
    client = NtlmInitiator(user, domain, HASH, "host/hub1")
    result = shake(client)
    assert result is not None and client.result is not None
    assert result.flags & ntlm.SEALING == ntlm.SEALING
    assert result.session_key == client.result.session_key
    assert result.name == (f"{domain}\\{user}" if domain else user)


@pytest.mark.parametrize(("user", "secret"), [("alice", nt_hash("wrong")), ("mallory", HASH), ("mallory", bytes(16))])
def test_the_wrong_password_and_an_unknown_account(user: str, secret: bytes) -> None:
    assert shake(NtlmInitiator(user, "EX", secret)) is None


def test_pyspnego_logs_on() -> None:
    client = spnego.client("alice", "right horse", protocol="ntlm", options=spnego.NegotiateOptions.use_ntlm)
    server = acceptor()
    token = client.step(server.negotiate(client.step() or b""))
    result = asyncio.run(server.authenticate(token or b""))
    assert result is not None and result.session_key == client.session_key


def test_impacket_logs_on() -> None:
    first = impacket_ntlm.getNTLMSSPType1("", "", True, use_ntlmv2=True)
    server = acceptor()
    challenge = server.negotiate(first.getData())
    third, key = impacket_ntlm.getNTLMSSPType3(first, challenge, "alice", "right horse", "EX", use_ntlmv2=True)
    result = asyncio.run(server.authenticate(third.getData()))
    assert result is not None and result.session_key == key


def test_ntlm_version_1_is_refused() -> None:
    first = impacket_ntlm.getNTLMSSPType1("", "", False, use_ntlmv2=False)
    server = acceptor()
    challenge = server.negotiate(first.getData())
    third, _ = impacket_ntlm.getNTLMSSPType3(first, challenge, "alice", "right horse", "EX", use_ntlmv2=False)
    with pytest.raises(NtlmError):
        asyncio.run(server.authenticate(third.getData()))


def test_anonymous_is_refused() -> None:
    client, server = NtlmInitiator("", "", nt_hash("")), acceptor()
    token = client.authenticate(server.negotiate(client.negotiate()))
    with pytest.raises(NtlmError):
        asyncio.run(server.authenticate(token))


@pytest.mark.parametrize("at", [12, 14, 30])
def test_a_changed_negotiate_message_breaks_the_integrity_code(at: int) -> None:
    """Someone on the way takes SIGN or SEAL from what the client offered."""
    client, server = NtlmInitiator("alice", "EX", HASH), acceptor()
    offered = bytearray(client.negotiate())
    offered[at] ^= 0x10 if at == 12 else 0x01
    token = client.authenticate(server.negotiate(bytes(offered)))
    assert asyncio.run(server.authenticate(token)) is None


def test_an_answer_counts_once() -> None:
    client, server = NtlmInitiator("alice", "EX", HASH), acceptor()
    token = client.authenticate(server.negotiate(client.negotiate()))
    assert asyncio.run(server.authenticate(token)) is not None
    with pytest.raises(NtlmError):
        asyncio.run(server.authenticate(token))
    other = acceptor()
    other.negotiate(client.negotiate())
    assert asyncio.run(other.authenticate(token)) is None


def test_channel_bindings() -> None:
    channel = b"tls-server-end-point:" + bytes(32)
    ours = ntlm.channel_binding_hash(channel)
    theirs = ntlm.channel_binding_hash(b"tls-server-end-point:" + bytes(31) + b"\1")

    def logged_on(shown: bytes | None, required: bool) -> bool:
        return shake(NtlmInitiator("alice", "EX", HASH, "", shown), acceptor(channel, required)) is not None

    assert logged_on(ours, True) and logged_on(ours, False)
    assert not logged_on(theirs, False)
    assert logged_on(None, False) and not logged_on(None, True)


def test_a_server_without_128_bit_keys_is_not_spoken_to() -> None:
    client, server = NtlmInitiator("alice", "EX", HASH), acceptor()
    challenge = bytearray(server.negotiate(client.negotiate()))
    (flags,) = struct.unpack_from("<I", challenge, 20)
    struct.pack_into("<I", challenge, 20, flags & ~Flags.KEY_128)
    with pytest.raises(NtlmError):
        client.authenticate(bytes(challenge))


def test_keys_of_both_ends_fit_and_changes_are_noticed() -> None:
    sender, taker = NtlmKeys(b"k" * 16, True), NtlmKeys(b"k" * 16, True)
    for text in (b"one", b"", b"three" * 1000):
        sealed, signature = sender.cipher(text), sender.signature(text)
        assert taker.cipher(sealed) == text and taker.verify(text, signature)
    signature = sender.signature(b"four")
    assert not taker.verify(b"five", signature)
    assert not hmac.compare_digest(signature[4:12], bytes(8))


@given(st.binary(max_size=200), st.integers(1, 3))
def test_garbage_is_an_ntlm_error_or_nothing(data: bytes, kind: int) -> None:
    token = ntlm.SIGNATURE + struct.pack("<I", kind) + data
    for raw in (token, data):
        server = acceptor()
        try:
            server.negotiate(raw)
        except NtlmError:
            server.negotiate(NtlmInitiator("alice", "", HASH).negotiate())
        try:
            assert asyncio.run(server.authenticate(raw)) is None
        except NtlmError:
            pass
        try:
            NtlmInitiator("alice", "", HASH).authenticate(raw)
        except NtlmError:
            pass
