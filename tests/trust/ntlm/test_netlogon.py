"""The secure channel's arithmetic and its sealing against impacket's, and what a controller must prove."""

from __future__ import annotations

import asyncio

import pytest
from impacket.dcerpc.v5 import nrpc

from postern.protocols.dcerpc.protection import AuthType, Level
from postern.trust.contexts import SecurityFailure
from postern.trust.ntlm.handshake import nt_hash
from postern.trust.ntlm.netlogon import FLAGS, Handshake, NetlogonContext, SecureChannel

HASH = nt_hash("Machine-pass-1")
OURS, THEIRS = b"our side", b"the dc's"
HEAD, STUB, TRAILER = b"h" * 24, b"a stub of some length" * 9, b"t" * 8


def begun() -> tuple[Handshake, bytes]:
    handshake = Handshake(HASH, OURS)
    return handshake, handshake.session_key(THEIRS)


def context(key: bytes = b"") -> NetlogonContext:
    made = NetlogonContext(SecureChannel("CORP", "HUB1", key or begun()[1]))
    asyncio.run(made.step(b""))
    asyncio.run(made.step(bytes.fromhex("010000000000000000000000")))
    assert made.complete
    return made


class Controller:
    """The other side of a context's connection, by impacket."""

    def __init__(self, key: bytes) -> None:
        self.key = key

    def opened(self, sealed: bytes, token: bytes, number: int) -> bytes:
        clear, confounder = nrpc.UNSEAL(sealed, token, self.key, True)
        again = nrpc.SIGN(clear, confounder, number, self.key, True)
        assert again["Checksum"] == token[16:24] and again["SequenceNumber"] == token[8:16]
        return bytes(clear)

    def sealed(self, clear: bytes, number: int, monkeypatch: pytest.MonkeyPatch) -> tuple[bytes, bytes]:
        """impacket only plays clients, whose sequence numbers have another mark."""
        with monkeypatch.context() as patch:
            patch.setattr(nrpc, "deriveSequenceNumber", lambda n: n.to_bytes(4, "big") + bytes(4))
            sealed, token = nrpc.SEAL(clear, b"confound", number, self.key, True)
        return bytes(sealed), token.getData()


def test_both_sides_get_the_same_key_and_credentials() -> None:
    handshake, key = begun()
    assert key == nrpc.ComputeSessionKeyAES(None, OURS, THEIRS, HASH)
    assert handshake.credential(key) == nrpc.ComputeNetlogonCredentialAES(OURS, key)
    handshake.accept(key, THEIRS, nrpc.ComputeNetlogonCredentialAES(THEIRS, key), FLAGS)


@pytest.mark.parametrize(
    ("flags", "challenge"), [(FLAGS & ~0x01000000, THEIRS), (FLAGS & ~0x40000000, THEIRS), (FLAGS, OURS)]
)
def test_a_controller_that_is_none_or_too_old(flags: int, challenge: bytes) -> None:
    handshake, key = begun()
    with pytest.raises(SecurityFailure):
        handshake.accept(key, THEIRS, nrpc.ComputeNetlogonCredentialAES(challenge, key), flags)


def test_the_secret_is_in_no_text() -> None:
    handshake, key = begun()
    assert HASH.hex() not in repr(handshake) and repr(HASH)[2:-1] not in repr(handshake)
    assert repr(key)[2:-1] not in repr(SecureChannel("CORP", "HUB1", key))


def test_challenges_are_never_the_same() -> None:
    assert len({Handshake(HASH).challenge for _ in range(50)}) == 50


def test_the_first_token_names_us() -> None:
    token = asyncio.run(NetlogonContext(SecureChannel("CORP", "HUB1", bytes(16))).step(b""))
    message = nrpc.NL_AUTH_MESSAGE(token)
    assert (message["MessageType"], message["Flags"]) == (0, 3) and message["Buffer"] == b"CORP\0HUB1\0"


@pytest.mark.parametrize("token", [b"\0\0\0\0\0\0\0\0", b"\1\0\0\0", b"x"])
def test_a_bind_s_answer_that_is_none(token: bytes) -> None:
    made = NetlogonContext(SecureChannel("CORP", "HUB1", bytes(16)))
    with pytest.raises(SecurityFailure):
        asyncio.run(made.step(token))
    assert not made.complete


def test_what_is_sealed_opens_at_the_other_side(monkeypatch: pytest.MonkeyPatch) -> None:
    made = context()
    controller = Controller(made.session_key)
    assert made.auth_type == AuthType.NETLOGON
    for number in (0, 2, 4):  # answers take the numbers between
        sealed, token = made.protect(Level.PRIVACY, False, HEAD, STUB, TRAILER)
        assert len(token) == made.token_size(Level.PRIVACY, len(STUB)) and STUB[:8] not in sealed
        assert controller.opened(sealed, token, number) == STUB
        answer, token = controller.sealed(b"answer" * 20, number + 1, monkeypatch)
        assert made.unprotect(Level.PRIVACY, False, HEAD, answer, TRAILER, token) == b"answer" * 20


@pytest.mark.parametrize("part", ["stub", "algorithms", "sequence", "checksum", "confounder", "cut"])
def test_an_answer_that_was_changed(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made = context()
    made.protect(Level.PRIVACY, False, HEAD, STUB, TRAILER)
    answer, token = Controller(made.session_key).sealed(b"answer" * 20, 1, monkeypatch)
    changed = bytearray(token)
    match part:
        case "stub":
            answer = answer[:-1] + bytes([answer[-1] ^ 1])
        case "cut":
            del changed[-1]
        case _:
            changed[{"algorithms": 2, "sequence": 8, "checksum": 16, "confounder": 24}[part]] ^= 1
    assert made.unprotect(Level.PRIVACY, False, HEAD, answer, TRAILER, bytes(changed)) is None


@pytest.mark.parametrize("number", [0, 2, 3])
def test_an_answer_out_of_its_order(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    made = context()
    made.protect(Level.PRIVACY, False, HEAD, STUB, TRAILER)
    answer, token = Controller(made.session_key).sealed(b"answer", number, monkeypatch)
    assert made.unprotect(Level.PRIVACY, False, HEAD, answer, TRAILER, token) is None


def test_our_own_words_do_not_pass_as_the_controller_s() -> None:
    made, mirror = context(), context()
    made.protect(Level.PRIVACY, False, HEAD, STUB, TRAILER)
    mirror.protect(Level.PRIVACY, False, HEAD, STUB, TRAILER)
    sealed, token = mirror.protect(Level.PRIVACY, False, HEAD, STUB, TRAILER)  # its number is the one that is expected
    assert made.unprotect(Level.PRIVACY, False, HEAD, sealed, TRAILER, token) is None


def test_what_is_only_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    made = context()
    stub, token = made.protect(Level.INTEGRITY, False, HEAD, STUB, TRAILER)
    assert stub == STUB and token[:8] == bytes.fromhex("1300ffffffff0000")
    assert nrpc.SIGN(STUB, b"", 0, made.session_key, True)["Checksum"] == token[16:24]
    other = context()
    other.protect(Level.INTEGRITY, False, HEAD, STUB, TRAILER)
    with monkeypatch.context() as patch:
        patch.setattr(nrpc, "deriveSequenceNumber", lambda n: n.to_bytes(4, "big") + bytes(4))
        answer = nrpc.SIGN(b"answer", b"", 1, made.session_key, True).getData().ljust(56, b"\0")
    assert made.unprotect(Level.INTEGRITY, False, HEAD, b"answer", TRAILER, answer) == b"answer"
    assert other.unprotect(Level.PRIVACY, False, HEAD, b"answer", TRAILER, answer) is None


def test_a_user_s_key_comes_out_of_its_seal() -> None:
    _, key = begun()
    channel = SecureChannel("CORP", "HUB1", key)
    assert channel.user_session_key(nrpc.ComputeNetlogonCredentialAES(b"the user's key!!", key)) == b"the user's key!!"
    assert channel.user_session_key(bytes(16)) == bytes(16)
