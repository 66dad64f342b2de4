"""HTTP Digest (RFC 7616) with SHA-256 and MD5, the server's side: challenges, nonces, and the judgement of a request.

Only qop=auth is answered, and no session variant. Neither the password nor what could replace it comes here from the client: the
directory keeps a hash for each spelling of a name, and a request proves that its sender knows it. A name without a hash costs the
same work and gets the same answer.

A nonce holds its time and an HMAC over that and the client's address, so no table of nonces is kept. It is not tied to the
connection on which it was given, since clients that make a new connection for each request would then never get in. A connection
takes each nonce with rising counts only, and no nonce that is older than the last one. So a request in clear text may be repeated
within LIFE by someone who sees it and has the client's address; rows that want more ask for TLS.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import unquote_to_bytes

from postern.model.directory import DirectoryUnavailable
from postern.model.security import Identity, Mechanism, Peer, PrincipalKind
from postern.trust.acceptor import FAILED, MALFORMED, TOO_MANY, UNAVAILABLE, Asking, Denied, Granted
from postern.trust.passwords.judge import MAX_NAME, Judge, refusal
from postern.trust.passwords.proofs import WRONG, no_secret
from postern.trust.passwords.realm_hash import ALGORITHMS, RealmHashes, digest

LIFE = 300.0
"""Seconds for which a nonce is taken. Clients then calculate once more, and ask nobody."""
MAX_FIELD = 16_384
"""Octets of an Authorization field. It repeats the target, which has 8,192 at most."""
MAX_PARAMETERS = 24
"""Parameters of a field. RFC 7616 knows twelve."""

_TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]++"
_PARAMETER = re.compile(
    rb"[ \t,]*+(" + _TOKEN + rb")[ \t]*+=[ \t]*+(?:(" + _TOKEN + rb')|"((?:[^"\\]|\\.)*+)")[ \t]*+(?=,|\Z)', re.DOTALL
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_COUNT = re.compile(r"[0-9a-f]{8}")


@dataclass(frozen=True, slots=True)
class DigestCredentials:
    """The parameters of an Authorization field that count. `count` is nc as a number; `nc` is it as it was written."""

    name: str
    realm: str
    nonce: str
    uri: str
    algorithm: str
    cnonce: str
    nc: str
    response: str = field(repr=False)

    @property
    def count(self) -> int:
        return int(self.nc, 16)

    def is_right(self, hash_of_name: str, method: str) -> bool:
        """Whether the response is that of a client that knows this hash (RFC 7616 section 3.4.1)."""
        of_request = digest(self.algorithm, f"{method}:{self.uri}")
        parts = (hash_of_name, self.nonce, self.nc, self.cnonce, "auth", of_request)
        expected = digest(self.algorithm, ":".join(parts))
        return hmac.compare_digest(self.response.encode(), expected.encode())


def parse_digest(value: bytes) -> DigestCredentials | None:
    """Reads an Authorization field with Digest credentials. Returns None if it is none, and for those that are not served:
    without qop=auth, or by another algorithm.

    Bound: linear; at most MAX_FIELD octets and MAX_PARAMETERS parameters.
    """
    if len(value) > MAX_FIELD or value[:7].lower() != b"digest ":
        return None
    parameters: dict[bytes, bytes] = {}
    place, end = 7, len(value.rstrip(b" \t,"))
    while place < end:
        match = _PARAMETER.match(value, place)
        if match is None or len(parameters) == MAX_PARAMETERS or match[1].lower() in parameters:
            return None
        quoted: bytes | None = match[3]
        parameters[match[1].lower()] = match[2] if quoted is None else _ESCAPED.sub(rb"\1", quoted)
        place = match.end()
    try:
        return _credentials({name.decode("ascii"): content.decode() for name, content in parameters.items()})
    except UnicodeDecodeError:
        return None


def _credentials(written: dict[str, str]) -> DigestCredentials | None:
    algorithm = written.get("algorithm", "MD5").upper()
    nc = written.get("nc", "").lower()
    name = written.get("username")
    if (encoded := written.get("username*")) is not None:  # section 3.4: one of the two
        name = _extended(encoded) if name is None else None
    required = [written.get(key) for key in ("realm", "nonce", "uri", "cnonce", "response")]
    if not name or None in required or written.get("qop") != "auth" or written.get("userhash", "false") != "false":
        return None
    if algorithm not in ALGORITHMS or _COUNT.fullmatch(nc) is None:
        return None
    realm, nonce, uri, cnonce, response = (text or "" for text in required)
    return DigestCredentials(name, realm, nonce, uri, algorithm, cnonce, written["nc"], response.lower())


def _extended(value: str) -> str | None:
    """Reads an extended value (RFC 8187 section 3.2.1) in UTF-8."""
    charset, _, rest = value.partition("'")
    _, quote, encoded = rest.partition("'")
    if charset.upper() != "UTF-8" or not quote:
        return None
    try:
        return unquote_to_bytes(encoded).decode()
    except UnicodeDecodeError:
        return None


class Nonces:
    """Makes and checks nonces. Processes that share a door have the same `key`: else a client that comes to another process
    calculates anew."""

    def __init__(self, key: bytes | None = None, clock: Callable[[], float] = time.time) -> None:
        self._key = key or secrets.token_bytes(32)
        self._clock = clock

    def make(self, peer: Peer) -> str:
        """Makes a nonce for the address of a client."""
        made = int(self._clock() * 1_000_000).to_bytes(8, "big")
        return base64.b64encode(made + self._mac(made, peer)).decode("ascii")

    def made(self, nonce: str, peer: Peer) -> float | None:
        """Returns the time at which we made this nonce for that address; None if we did not, or too long ago.

        Bound: linear in the nonce, which has 32 characters.
        """
        try:
            octets = binascii.a2b_base64(nonce, strict_mode=True) if len(nonce) == 32 else b""
        except ValueError:  # binascii.Error is one, and so is what a letter beyond ASCII raises
            return None
        if not hmac.compare_digest(octets[8:], self._mac(octets[:8], peer)):
            return None
        made = int.from_bytes(octets[:8], "big") / 1_000_000
        return made if 0 <= self._clock() - made <= LIFE else None

    def _mac(self, made: bytes, peer: Peer) -> bytes:
        return hmac.digest(self._key, made + peer.host.encode(), "sha256")[:16]


class Stale:
    """The outcome of a request whose nonce is not taken any more: nothing was judged, and the client is to calculate anew."""


STALE = Stale()


@dataclass(frozen=True, slots=True)
class _Proven:
    """The credentials that this connection has proven last; the next request by them asks no directory."""

    name: str
    algorithm: str
    hash_of_name: str = field(repr=False)
    identity: Identity

    def is_by(self, credentials: DigestCredentials, method: str) -> bool:
        """Whether a request comes from the same user."""
        is_same = (self.name, self.algorithm) == (credentials.name, credentials.algorithm)
        return is_same and credentials.is_right(self.hash_of_name, method)


@dataclass(frozen=True, slots=True)
class DigestKeeping:
    """The hashes that are kept, and the nonces: the connections of a door share both."""

    hashes: RealmHashes
    nonces: Nonces


class DigestAuthentication:
    """Digest on one connection.

    Bound: linear in the field.
    """

    def __init__(self, judge: Judge, keeping: DigestKeeping) -> None:
        self._judge = judge
        self._hashes = keeping.hashes
        self._nonces = keeping.nonces
        self._nonce, self._made, self._count = "", 0.0, 0
        """The nonce that was taken last, its time, and its last count."""
        self._proven: _Proven | None = None

    def challenges(self, peer: Peer, is_stale: bool = False) -> tuple[str, ...]:
        """Returns a WWW-Authenticate field for each algorithm, the better one first; () while no hashes are kept."""
        if not self._hashes.digest_realm:
            return ()
        nonce = self._nonces.make(peer)
        realm = "".join(f"\\{letter}" if letter in '"\\' else letter for letter in self._hashes.digest_realm)
        end = ", stale=true" if is_stale else ""
        return tuple(
            f'Digest realm="{realm}", nonce="{nonce}", algorithm={algorithm}, qop="auth", charset=UTF-8{end}'
            for algorithm in ALGORITHMS
        )

    async def judge(self, authorization: bytes, method: str, target: bytes, asking: Asking) -> Granted | Denied | Stale:
        """Judges a request by its Authorization field, its method and its target as it was sent."""
        credentials = parse_digest(authorization)
        if credentials is None or PrincipalKind.USER not in asking.callers:
            return MALFORMED
        realm = self._hashes.digest_realm
        if not realm or credentials.realm != realm or not _is_for(credentials.uri, target):
            return MALFORMED
        made = self._nonces.made(credentials.nonce, asking.peer)
        if made is None or not self._is_next(credentials, made):
            return STALE
        proven = self._proven
        if proven is not None and proven.is_by(credentials, method):
            self._take(credentials, made)
            return Granted(proven.identity)
        self._proven = None
        outcome = await self._prove(credentials, method, asking)
        if isinstance(outcome, Granted):
            self._take(credentials, made)
        return outcome

    async def _prove(self, credentials: DigestCredentials, method: str, asking: Asking) -> Granted | Denied:
        name, judge = credentials.name, self._judge
        if len(name) > MAX_NAME:
            return replace(FAILED, reason="a name that is too long")
        try:
            account = await judge.directory.account(name)
            kept = None
            if account is not None and account.enabled:
                kept = await self._hashes.realm_hash(account, name, credentials.algorithm)
        except DirectoryUnavailable:
            return UNAVAILABLE
        guess = await judge.enter(name, account, asking.peer, asking.callers)
        if guess is None:
            return TOO_MANY
        right = credentials.is_right(kept or secrets.token_hex(32), method)
        judge.settle(guess, right)
        if not right or account is None or kept is None:
            return refusal(account, WRONG.reason if kept else no_secret(Mechanism.DIGEST))
        identity = await judge.membership.identity(account, Mechanism.DIGEST)
        self._proven = _Proven(name, credentials.algorithm, kept, identity)
        return Granted(identity)

    def _is_next(self, credentials: DigestCredentials, made: float) -> bool:
        if credentials.nonce == self._nonce:
            return credentials.count > self._count
        return made >= self._made

    def _take(self, credentials: DigestCredentials, made: float) -> None:
        self._nonce, self._made, self._count = credentials.nonce, made, credentials.count


def _is_for(uri: str, target: bytes) -> bool:
    """Whether credentials are for this target (RFC 7616 section 3.4.6): the same octets, also where the client sent the path in
    one of the two and the whole address in the other."""
    sent = uri.encode()
    if sent == target:
        return True
    scheme, separator, rest = sent.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return False
    _, slash, path = rest.partition(b"/")
    return slash + path == target
