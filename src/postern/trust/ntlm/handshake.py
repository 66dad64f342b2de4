"""NTLM as MS-NLMP defines it, version 2 only: both sides of the handshake, and the keys that sign and seal what follows.

Reads the raw tokens; a callable judges the answers, so that this module knows no account store. NTLMv1, LM answers and anonymous
logons are refused. SASL, HTTP and RPC use the same acceptor; `ntlm.contexts` turns its result into a security context.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import IntFlag

from cryptography.hazmat.decrepit.ciphers.algorithms import ARC4
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext

from postern.model.directory import NtlmLogon
from postern.model.domains import netbios_name
from postern.model.security import NO_CHANNEL, Channel
from postern.trust.acceptor import MAIL_SERVICES
from postern.trust.host import HostCredentials
from postern.trust.ntlm.fields import (
    SIGNATURE,
    Av,
    NtlmError,
    filetime,
    put_field,
    put_pairs,
    take_field,
    take_header,
    take_pairs,
    take_text,
    utf16,
)
from postern.trust.ntlm.md4 import md4

_VERSION = bytes.fromhex("0601b11d0000000f")
_MIC_AT = 72
_TEMP_AT = 44  # NTProofStr 16 and the fixed part of NTLMv2_CLIENT_CHALLENGE 28: MS-NLMP 2.2.2.7


class Flags(IntFlag):
    """MS-NLMP 2.2.2.5."""

    UNICODE = 0x00000001
    REQUEST_TARGET = 0x00000004
    SIGN = 0x00000010
    SEAL = 0x00000020
    NTLM = 0x00000200
    ALWAYS_SIGN = 0x00008000
    TARGET_TYPE_SERVER = 0x00020000
    ESS = 0x00080000
    """Extended session security: the signatures and keys of NTLMv2."""
    TARGET_INFO = 0x00800000
    VERSION = 0x02000000
    KEY_128 = 0x20000000
    KEY_EXCHANGE = 0x40000000


_WANTED = (
    Flags.UNICODE
    | Flags.REQUEST_TARGET
    | Flags.SIGN
    | Flags.SEAL
    | Flags.NTLM
    | Flags.ALWAYS_SIGN
    | Flags.ESS
    | Flags.TARGET_INFO
    | Flags.KEY_128
    | Flags.KEY_EXCHANGE
)
SEALING = Flags.ESS | Flags.KEY_128 | Flags.KEY_EXCHANGE
"""Flags that both sides must have agreed on before anything is signed or sealed."""


AV_FLAG_MIC = 2
_NO_TARGET = "host/unspecified"
"""The target that pyspnego names where its user named none."""
Lookup = Callable[[str], Awaitable[bytes | None]]
"""NT hash (16 bytes) of an account by its name (`alice`, `alice@example.test`, `DOMAIN\\HUB1$`), None if there is none."""


@dataclass(frozen=True, slots=True)
class Proof:
    """The result of a right answer: SessionBaseKey (MS-NLMP 3.3.2), and the account's groups where a domain controller gave
    them."""

    key: bytes = field(repr=False)
    groups: frozenset[str] = frozenset()


Prove = Callable[[NtlmLogon], Awaitable[Proof | None]]
"""Judges an NTLMv2 answer. A wrong one gives None, or SecurityFailure with the reason. May raise DirectoryUnavailable."""


@dataclass(frozen=True, slots=True)
class NtlmResult:
    """A proven logon. `name` is the name that was looked up, `session_key` is ExportedSessionKey, `flags` were negotiated."""

    name: str
    user: str
    domain: str
    workstation: str
    session_key: bytes = field(repr=False)
    flags: Flags
    groups: frozenset[str] = frozenset()


def nt_hash(password: str) -> bytes:
    """Returns NTOWFv1 (MS-NLMP 3.3.1), the form in which a directory keeps the password."""
    return md4(password.encode("utf-16-le", "surrogatepass"))


def account_name(logon: NtlmLogon) -> str:
    """Returns the name for the directory: `alice@example.test`, `DOMAIN\\alice`, or `alice` where the client named no domain."""
    return f"{logon.domain}\\{logon.user}" if logon.domain and "@" not in logon.user else logon.user


def matches(known_hash: bytes | None, logon: NtlmLogon) -> Proof | None:
    """Judges an NTLMv2 answer by the account's NT hash. Costs the same for an account that has none."""
    key = _ntowf2(known_hash or bytes(16), logon.user, logon.domain)
    proof = _hmac(key, logon.challenge + logon.nt_response[16:])
    if not hmac.compare_digest(proof, logon.nt_response[:16]) or known_hash is None:
        return None
    return Proof(_hmac(key, proof))


def by_hash(lookup: Lookup) -> Prove:
    """Returns a judge for NT hashes that `lookup` has."""

    async def prove(logon: NtlmLogon) -> Proof | None:
        return matches(await lookup(account_name(logon)), logon)

    return prove


def channel_binding_hash(application_data: bytes) -> bytes:
    """Returns the MD5 of the gss_channel_bindings_struct (RFC 2744 3.11) without addresses: MS-NLMP 2.2.2.1,
    MsvAvChannelBindings.

    `application_data` is for example b"tls-server-end-point:" and the certificate's hash (RFC 5929 section 4).
    """
    return _md5(bytes(16) + struct.pack("<I", len(application_data)) + application_data)


class NtlmAcceptor:
    """The server's side of one handshake: `negotiate` once, then `authenticate` once.

    `host` has the names that the challenge shows. An answer bound to another channel than `channel` is refused; one without
    a binding passes unless `require_binding`. Where `channel` has names, a client that names its target (MsvAvTargetName)
    must name one of them or the host, and one of `services`. `address` is the network of the caller, for a judge that takes
    turns between networks.

    Bound: linear; a token has 12,000 octets at most, and its target is held once against each of `channel.names`.
    """

    def __init__(
        self,
        host: HostCredentials,
        prove: Prove,
        channel: Channel = NO_CHANNEL,
        services: frozenset[str] = MAIL_SERVICES,
        address: str = "",
        require_binding: bool = False,
    ) -> None:
        self._host = host
        self._prove = prove
        self._binding = channel_binding_hash(channel.binding) if channel.binding else None
        self._names = channel.names
        self._services = services
        self._address = address
        self._require_binding = require_binding
        self._negotiate = b""
        self._challenge = b""
        self._nonce = secrets.token_bytes(8)

    def negotiate(self, token: bytes) -> bytes:
        """Answers NEGOTIATE_MESSAGE with CHALLENGE_MESSAGE. Raises NtlmError."""
        flags = Flags(take_header(token, 1, 16)[0] & 0xFFFFFFFF)
        self._negotiate = token
        flags = (flags & _WANTED) | Flags.TARGET_TYPE_SERVER | Flags.TARGET_INFO | Flags.NTLM | Flags.VERSION
        # Unicode is chosen even for a client that asks for OEM strings alone (curl): such clients take it, and names need it.
        flags |= Flags.REQUEST_TARGET | Flags.UNICODE
        short, server = self._host.short_domain, self._host.name
        info = put_pairs(
            {
                Av.NB_DOMAIN: utf16(short),
                Av.NB_COMPUTER: utf16(netbios_name(server)),
                Av.DNS_DOMAIN: utf16(self._host.domain.lower()),
                Av.DNS_COMPUTER: utf16(server.lower()),
                Av.TIMESTAMP: struct.pack("<Q", filetime(time.time())),
            }
        )
        target = utf16(short)
        head = SIGNATURE + struct.pack("<I", 2) + put_field(len(target), 56) + struct.pack("<I", flags) + self._nonce
        head += bytes(8) + put_field(len(info), 56 + len(target)) + _VERSION
        self._challenge = head + target + info
        self._flags = flags
        return self._challenge

    async def authenticate(self, token: bytes) -> NtlmResult | None:
        """Judges AUTHENTICATE_MESSAGE. Returns None if it does not prove the account's secret (unknown account, wrong password,
        broken integrity code, other channel). Raises NtlmError for a token that is no NTLMv2 at all."""
        if not self._challenge:
            raise NtlmError("AUTHENTICATE before NEGOTIATE")
        challenge, self._challenge = self._challenge, b""
        flags = Flags(take_header(token, 3, 64, at=60)[0]) & self._flags
        answer, domain, user = (take_field(token, at) for at in (20, 28, 36))
        if len(answer) < _TEMP_AT + 4 or answer[16:18] != b"\x01\x01" or not user:
            raise NtlmError("only NTLM version 2 is accepted")
        # Only the NT answer counts: a right LM answer beside a wrong one must not.
        names = take_text(domain), take_text(user), take_text(take_field(token, 44))
        logon = NtlmLogon(*names, self._nonce, answer, bytes(24), self._address)
        proof = await self._prove(logon)
        if proof is None:
            return None
        exported = proof.key
        if Flags.KEY_EXCHANGE in flags:
            sealed = take_field(token, 52)
            if len(sealed) != 16:
                raise NtlmError("no session key was exchanged")
            exported = _rc4(exported).update(sealed)
        pairs = take_pairs(answer[_TEMP_AT:])
        if not self._bound(pairs) or not self._meant(pairs) or not self._intact(token, pairs, challenge, exported):
            return None
        name = account_name(logon)
        return NtlmResult(name, logon.user, logon.domain, logon.workstation, exported, flags, proof.groups)

    def _intact(self, token: bytes, pairs: dict[int, bytes], challenge: bytes, key: bytes) -> bool:
        """Whether the MIC is right. It covers the three messages as they were on the wire (MS-NLMP 3.2.5.1.2). NTProofStr covers
        the flag that there is one, so that nobody on the way can take it off."""
        flags = pairs.get(Av.FLAGS, b"")
        if len(flags) != 4 or not int.from_bytes(flags, "little") & AV_FLAG_MIC:
            return True
        if len(token) < _MIC_AT + 16:
            return False
        blank = token[:_MIC_AT] + bytes(16) + token[_MIC_AT + 16 :]
        mic = _hmac(key, self._negotiate + challenge + blank)
        return hmac.compare_digest(mic, token[_MIC_AT : _MIC_AT + 16])

    def _bound(self, pairs: dict[int, bytes]) -> bool:
        if self._binding is None:
            return True
        shown = pairs.get(Av.CHANNEL_BINDINGS, bytes(16))
        if shown == bytes(16):
            return not self._require_binding
        return hmac.compare_digest(shown, self._binding)

    def _meant(self, pairs: dict[int, bytes]) -> bool:
        """Whether the answer was made for this server and service. MsvAvTargetName (MS-NLMP 2.2.2.1) is the service principal
        name that the client got from its user. An answer for another one, passed on to us, is refused (MS-NLMP 3.2.5.1.2: SPN
        target name validation)."""
        target = take_text(pairs.get(Av.TARGET_NAME, b"")).lower()
        if not self._names or target in ("", _NO_TARGET):
            return True
        service, slash, host = target.partition("/")
        if slash and service not in self._services:
            return False
        host = (host if slash else service).partition("/")[0].rstrip(".")
        if host.count(":") == 1:
            host = host.partition(":")[0]
        host = host.strip("[]")
        own = self._host.name.lower()
        ours = self._names | {own, own.partition(".")[0]}
        return bool(host) and (host in ours or "*." + host.partition(".")[2] in ours or _is_first_label(host, ours))


def _is_first_label(host: str, ours: frozenset[str]) -> bool:
    """Whether `host` is the short form of a name of ours, as Windows clients use it in their own domain. Addresses have none."""
    names = (name for name in ours if any(letter.isalpha() for letter in name) and ":" not in name)
    return "." not in host and any(name.partition(".")[0] == host for name in names)


class NtlmInitiator:
    """The client's side of one handshake: `negotiate()`, then `authenticate(challenge)`; `result` holds the key after that.

    `target` is the service principal name that is written into the answer ("" for none).
    """

    def __init__(
        self, user: str, domain: str, secret: bytes, target: str = "", channel_binding: bytes | None = None
    ) -> None:
        self._user = user
        self._domain = domain
        self._secret = secret
        self._target = target
        self._binding = channel_binding
        self._negotiate = b""
        self.result: NtlmResult | None = None

    def negotiate(self) -> bytes:
        flags = _WANTED | Flags.VERSION
        self._negotiate = SIGNATURE + struct.pack("<II", 1, flags) + bytes(16) + _VERSION
        return self._negotiate

    def authenticate(self, challenge: bytes) -> bytes:
        """Answers CHALLENGE_MESSAGE. Raises NtlmError if the octets are none, or if the server cannot do what is needed."""
        flags = Flags(take_header(challenge, 2, 48, at=20)[0]) & (_WANTED | Flags.VERSION)
        if flags & SEALING != SEALING or Flags.TARGET_INFO not in flags:
            raise NtlmError("the server does not offer NTLM version 2 with 128-bit keys")
        pairs = take_pairs(take_field(challenge, 40))
        stamp = pairs.get(Av.TIMESTAMP, b"")
        if len(stamp) != 8:
            stamp = struct.pack("<Q", filetime(time.time()))
        pairs[Av.FLAGS] = struct.pack("<I", AV_FLAG_MIC)
        pairs[Av.CHANNEL_BINDINGS] = self._binding or bytes(16)
        pairs[Av.TARGET_NAME] = utf16(self._target)
        temp = b"\x01\x01" + bytes(6) + stamp + secrets.token_bytes(8) + bytes(4) + put_pairs(pairs) + bytes(4)
        key = _ntowf2(self._secret, self._user, self._domain)
        proof = _hmac(key, challenge[24:32] + temp)
        exported = secrets.token_bytes(16)
        sealed = _rc4(_hmac(key, proof)).update(exported)
        token = self._assemble(flags, proof + temp, sealed)
        mic = _hmac(exported, self._negotiate + challenge + token)
        self.result = NtlmResult(self._user, self._user, self._domain, "", exported, flags)
        return token[:_MIC_AT] + mic + token[_MIC_AT + 16 :]

    def _assemble(self, flags: Flags, answer: bytes, sealed: bytes) -> bytes:
        """Returns AUTHENTICATE_MESSAGE with a zero MIC. The LM answer is 24 zero bytes: MS-NLMP 3.1.5.1.2."""
        payload, fields = b"", b""
        for part in (bytes(24), answer, utf16(self._domain), utf16(self._user), b"", sealed):
            fields += put_field(len(part), _MIC_AT + 16 + len(payload))
            payload += part
        return SIGNATURE + struct.pack("<I", 3) + fields + struct.pack("<I", flags) + _VERSION + bytes(16) + payload


class NtlmKeys:
    """Signs and seals one direction of a session (MS-NLMP 3.4), with its own cipher state and sequence number."""

    __slots__ = ("_cipher", "_seal_key", "_sequence", "_sign_key")

    def __init__(self, session_key: bytes, from_client: bool) -> None:
        way = b"client-to-server" if from_client else b"server-to-client"
        self._sign_key = _md5(session_key + b"session key to " + way + b" signing key magic constant\0")
        self._seal_key = _md5(session_key + b"session key to " + way + b" sealing key magic constant\0")
        self._sequence = 0
        self.reset_cipher()

    def reset_cipher(self) -> None:
        """Begins RC4 anew while the sequence goes on, as both sides do after SPNEGO's mechListMIC (MS-SPNG 3.2.5.1)."""
        self._cipher = _rc4(self._seal_key).update

    def cipher(self, data: bytes | bytearray | memoryview) -> bytes:
        """Seals or unseals, since RC4 is its own reverse. It comes before the signature in either direction."""
        return self._cipher(data)

    def signature(self, message: bytes) -> bytes:
        """Returns NTLMSSP_MESSAGE_SIGNATURE (16 octets) of the clear message, for the next sequence number."""
        sequence = struct.pack("<I", self._sequence)
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        digest = hmac.digest(self._sign_key, sequence + message, "md5")[:8]
        return b"\x01\0\0\0" + self._cipher(digest) + sequence

    def verify(self, message: bytes, signature: bytes) -> bool:
        return hmac.compare_digest(self.signature(message), signature)


def _ntowf2(secret: bytes, user: str, domain: str) -> bytes:
    """Returns NTOWFv2. A letter whose upper case has two letters stays as it is, as on Windows."""
    upper = "".join(c.upper() if len(c.upper()) == 1 else c for c in user)
    return _hmac(secret, utf16(upper + domain))


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, "md5")


def _md5(data: bytes) -> bytes:
    return hashlib.md5(data, usedforsecurity=False).digest()


def _rc4(key: bytes) -> CipherContext:
    return Cipher(ARC4(key), None).encryptor()
