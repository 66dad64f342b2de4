"""SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677), the server's side.

The password never comes here, nor anything that could replace it: the directory keeps StoredKey and ServerKey. A name without
them goes through the same exchange, with a salt that is made up, and is refused at the end.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

from postern.model.directory import Account, DirectoryUnavailable
from postern.model.security import NO_CHANNEL, Channel, Mechanism, Peer
from postern.trust.acceptor import MALFORMED, TOO_MANY, UNAVAILABLE, Challenge, Denied, Granted
from postern.trust.passwords.judge import Judge, refusal
from postern.trust.passwords.proofs import WRONG, no_secret
from postern.trust.passwords.verifiers import SCRAM_ITERATIONS, ScramKeys

_MAX_MESSAGE = 2048
UNBOUND = Denied(False, "The channel binding does not match", reason="bound to another channel")
"""The proof has not been judged yet: a right and a wrong password get the same answer, so it is no guess."""


class _Malformed(ValueError):
    pass


class _Unbound(ValueError):
    """The client binds to another channel, or in a way that is not known here."""


class SaslScram:
    """One exchange of SCRAM-SHA-256, or with `plus` of SCRAM-SHA-256-PLUS on a channel with a binding.

    Bound: linear; a message has 2,048 octets at most.
    """

    def __init__(self, judge: Judge, peer: Peer, channel: Channel = NO_CHANNEL, plus: bool = False) -> None:
        self._channel = channel
        self._plus = plus
        self._judge = judge
        self._peer = peer
        self._name = ""
        self._header = b""
        self._first = ""
        self._nonce = ""
        self._keys: ScramKeys | None = None
        self._found: Account | None = None
        """The account of that name. `_account` is the same one, if its secret is judged."""
        self._account: Account | None = None

    async def step(self, response: bytes | None) -> Challenge | Granted | Denied:
        if response is None:
            return Challenge(b"")
        try:
            message = _message(response)
            if self._keys is None:
                self._keys = await self._begin(message)
                return Challenge(self._first.partition("\0")[2].encode())
            return await self._finish(message, self._keys)
        except _Unbound:
            return UNBOUND
        except _Malformed:
            return MALFORMED
        except DirectoryUnavailable:
            return UNAVAILABLE

    async def _begin(self, message: str) -> ScramKeys:
        """Reads client-first-message: RFC 5802 section 7."""
        flag, comma, rest = message.partition(",")
        authzid, comma2, bare = rest.partition(",")
        # "p=" belongs to a name with -PLUS and to no other: section 6.
        is_flag = flag[:2] == "p=" if self._plus else flag in ("n", "y")
        if not is_flag or not comma or not comma2 or authzid[:2] not in ("", "a="):
            raise _Malformed
        # Section 6: the client could bind and saw no -PLUS. It was shown, so somebody took it out on the way.
        if flag == "y" and self._channel.binding:
            raise _Unbound
        parts = bare.split(",")
        if len(parts) < 2 or parts[0][:2] != "n=" or parts[1][:2] != "r=" or len(parts[1]) < 10:
            raise _Malformed  # "m=" first: an extension that must be understood, and is not
        self._name = _saslname(parts[0][2:])
        if authzid and _saslname(authzid[2:]).lower() != self._name.lower():
            raise _Malformed
        self._header = f"{flag},{authzid},".encode() + self._bound(flag)
        self._nonce = parts[1][2:] + base64.b64encode(secrets.token_bytes(18)).decode()
        keys = await self._lookup()
        salt = base64.b64encode(keys.salt).decode()
        self._first = f"{bare}\0r={self._nonce},s={salt},i={keys.iterations}"
        return keys

    async def _finish(self, message: str, keys: ScramKeys) -> Granted | Denied:
        """Reads and judges client-final-message."""
        without_proof, _, proof_text = message.rpartition(",p=")
        parts = without_proof.split(",")
        if len(parts) < 2 or parts[0][:2] != "c=" or parts[1][:2] != "r=":
            raise _Malformed
        proof = _decoded(proof_text)
        binding = _decoded(parts[0][2:])
        if len(proof) != 32:
            raise _Malformed
        # gs2-header and cbind-data together: RFC 5802 section 5.1, "c". The binding may be a secret (`tls-exporter`).
        if not hmac.compare_digest(binding, self._header):
            raise _Unbound if self._plus else _Malformed
        guess = await self._judge.enter(self._name, self._account, self._peer)
        if guess is None:
            return TOO_MANY
        exchange = f"{self._first},{without_proof}".replace("\0", ",").encode()
        signature = hmac.digest(keys.stored_key, exchange, "sha256")
        client_key = bytes(a ^ b for a, b in zip(proof, signature, strict=True))
        right = hmac.compare_digest(hashlib.sha256(client_key).digest(), keys.stored_key)
        right &= hmac.compare_digest(parts[1][2:].encode(), self._nonce.encode())
        account = self._account
        self._judge.settle(guess, right and account is not None)
        if not right or account is None:
            return refusal(self._found, WRONG.reason if account is not None else no_secret(Mechanism.SCRAM))
        server_signature = base64.b64encode(hmac.digest(keys.server_key, exchange, "sha256"))
        return Granted(await self._judge.membership.identity(account, Mechanism.SCRAM), b"v=" + server_signature)

    def _bound(self, flag: str) -> bytes:
        """Returns the binding that the client must show (cbind-data). Section 6: a type that is not known here ends the
        exchange."""
        if not self._plus:
            return b""
        kind = flag[2:].encode() + b":"
        for binding in (self._channel.binding, self._channel.exported):
            if binding.startswith(kind):
                return binding[len(kind) :]
        raise _Unbound

    async def _lookup(self) -> ScramKeys:
        directory = self._judge.directory
        account = self._found = await directory.account(self._name)
        verifier = await directory.verifier(account, "scram-sha-256") if account is not None else None
        if verifier and account is not None and account.enabled:
            self._account = account
            return ScramKeys.parse(verifier)
        salt = self._judge.made_up_salt(self._name)
        return ScramKeys(SCRAM_ITERATIONS, salt, secrets.token_bytes(32), secrets.token_bytes(32))


def _message(response: bytes) -> str:
    try:
        text = response.decode()
    except UnicodeDecodeError:
        raise _Malformed from None
    if len(response) > _MAX_MESSAGE or "\0" in text:
        raise _Malformed
    return text


def _saslname(text: str) -> str:
    """Decodes a saslname: "=2C" is a comma, "=3D" an equals sign, and no other "=" is allowed (section 5.1)."""
    name = text.replace("=2C", ",").replace("=3D", "\0")
    if not name or "=" in name:
        raise _Malformed
    return name.replace("\0", "=")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:  # binascii.Error is one, and so is what a letter beyond ASCII raises
        raise _Malformed from None
