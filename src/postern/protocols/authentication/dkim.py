"""DKIM (RFC 6376, RFC 8301, RFC 8463): verifies and makes signatures.

It reads fields, hashes of canonical bodies and key records; the keys are arguments. OpenSSL computes RSA and Ed25519, through
cryptography: dkimpy, the usual library, computes in Python and takes 13 ms for a signature instead of half of one.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from postern.protocols.authentication.canonical import CanonicalBody, Canonicalization, canonical_field
from postern.protocols.authentication.dkim_records import Broken, Key, Signature, parse_key, parse_signature
from postern.protocols.authentication.header import Field
from postern.protocols.authentication.questions import Answer, Found

MAX_SIGNATURES = 5
"""Signatures of one message that are verified; further ones are not."""
MINIMUM_BITS = 1024
"""Bits that an RSA key must have (RFC 8301 section 3.2)."""
MAXIMUM_BITS = 8192

SIGNED_FIELDS = (
    *("from", "reply-to", "subject", "date", "to", "cc", "message-id", "in-reply-to", "references"),
    *("mime-version", "content-type", "content-transfer-encoding", "sender"),
)
_ONCE_MORE = frozenset({"from", "reply-to", "subject", "date", "to", "cc", "message-id", "content-type"})
"""Fields that a signature names once more than the message has them, so that nobody can add another (RFC 6376 section 8.15)."""

_OWN_VALUE = re.compile(rb"((?:^|;)\s*b\s*=)[^;]*")


class DkimResult(StrEnum):
    """Results of DKIM (RFC 8601 section 2.7.1)."""

    NONE = "none"
    PASS = "pass"  # noqa: S105 (a result's name)
    FAIL = "fail"
    POLICY = "policy"
    NEUTRAL = "neutral"
    TEMP_ERROR = "temperror"
    PERM_ERROR = "permerror"


@dataclass(frozen=True, slots=True)
class DkimVerdict:
    result: DkimResult
    domain: str = ""
    selector: str = ""
    algorithm: str = ""
    why: str = ""


BodyKey = tuple[Canonicalization, int | None]


def signatures(fields: Iterable[Field]) -> list[Signature | Broken]:
    """The message's signatures from the top, at most MAX_SIGNATURES.

    Bound: linear in the fields; at most 5 signatures.
    """
    mine = [field for field in fields if field.name == "dkim-signature"][:MAX_SIGNATURES]
    return [parse_signature(field) for field in mine]


def body_hashes(wanted: Iterable[BodyKey], body: Iterable[bytes]) -> dict[BodyKey, tuple[bytes, bool]]:
    """Computes SHA-256 of the canonical body for each canonicalization and length, and whether the body is longer than that
    length. `body` is in pieces, without the empty line between it and the header.

    Bound: linear in the body, for each way of making it canonical that is asked for.
    """
    sums = {key: _Sum(key[1]) for key in wanted}
    bodies = [CanonicalBody(how, total.add) for (how, _), total in sums.items()]
    for piece in body:
        for canonical in bodies:
            canonical.add(piece)
    for canonical in bodies:
        canonical.finish()
    return {key: (total.hash.digest(), total.more) for key, total in sums.items()}


class _Sum:
    def __init__(self, length: int | None) -> None:
        self.hash = hashlib.sha256()
        self.more = False
        self._left = length

    def add(self, data: bytes) -> None:
        if self._left is not None:
            self.more = self.more or len(data) > self._left
            data = data[: self._left]
            self._left -= len(data)
        self.hash.update(data)


def verify(
    signature: Signature, fields: Sequence[Field], hashed: Mapping[BodyKey, tuple[bytes, bool]], key: Answer, now: float
) -> DkimVerdict:
    """Verifies a signature (RFC 6376 section 6.1). `key` is the answer to the question for the signature's key_name, `now` epoch
    seconds."""

    def verdict(result: DkimResult, why: str = "") -> DkimVerdict:
        return DkimVerdict(result, signature.domain, signature.selector, signature.algorithm, why)

    if signature.algorithm == "rsa-sha1":
        return verdict(DkimResult.POLICY, "SHA-1 proves nothing any more")
    if signature.expires is not None and signature.expires < now:
        return verdict(DkimResult.POLICY, "the signature has expired")
    if key.outcome is Found.UNKNOWN:
        return verdict(DkimResult.TEMP_ERROR, "no answer from DNS about the key")
    if not key.records:
        return verdict(DkimResult.PERM_ERROR, "there is no such key")
    parsed = parse_key(key.records[0])
    if isinstance(parsed, Broken):
        return verdict(DkimResult.PERM_ERROR, parsed.why)
    if parsed.exact and signature.identity.rpartition("@")[2].lower() != signature.domain:
        return verdict(DkimResult.PERM_ERROR, "the key is not for subdomains")
    digest, more = hashed[signature.body, signature.length]
    if digest != signature.body_hash:
        return verdict(DkimResult.FAIL, "the body is not what was signed")
    problem = _checked(parsed, signature, signed_octets(signature, fields))
    if problem is not None:
        return verdict(*problem)
    if more:
        # RFC 6376 section 8.2: anything may have been put behind what was signed.
        return verdict(DkimResult.POLICY, "only a part of the body is signed")
    return verdict(DkimResult.PASS)


def _checked(key: Key, signature: Signature, signed: bytes) -> tuple[DkimResult, str] | None:
    """Checks the signature by the key; None if it is good, else the result and the reason."""
    if key.kind != signature.algorithm.partition("-")[0]:
        return DkimResult.PERM_ERROR, "the key is of another kind"
    try:
        if key.kind == "ed25519":
            Ed25519PublicKey.from_public_bytes(key.octets).verify(signature.signature, hashlib.sha256(signed).digest())
            return None
        public = load_der_public_key(key.octets)
        if not isinstance(public, RSAPublicKey):
            return DkimResult.PERM_ERROR, "the key is of another kind"
        if not MINIMUM_BITS <= public.key_size <= MAXIMUM_BITS:
            return DkimResult.POLICY, f"a key of {public.key_size} bits proves nothing"
        public.verify(signature.signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return DkimResult.FAIL, "the header is not what was signed"
    except (ValueError, UnsupportedAlgorithm):
        return DkimResult.PERM_ERROR, "malformed key"
    return None


def signed_octets(signature: Signature, fields: Sequence[Field]) -> bytes:
    """The octets that the signature's b= covers (RFC 6376 section 3.7): each named field from the bottom up, then the signature
    itself.

    Bound: linear in the header; at most 500 fields are named.
    """
    left: dict[str, list[Field]] = {}
    for field in fields:
        if field is not signature.field:
            left.setdefault(field.name, []).append(field)
    chosen = [left[name].pop() for name in signature.signed if left.get(name)]
    name, colon, value = signature.field.raw.removesuffix(b"\r\n").partition(b":")
    own = name + colon + _OWN_VALUE.sub(rb"\1", value, count=1)
    octets = b"".join([canonical_field(field.raw, signature.header) for field in chosen])
    return octets + canonical_field(own + b"\r\n", signature.header).removesuffix(b"\r\n")


def sign(
    fields: Sequence[Field],
    body_hash: bytes,
    domain: str,
    selector: str,
    key: RSAPrivateKey | Ed25519PrivateKey,
    now: float,
) -> bytes:
    """Makes a DKIM-Signature field, relaxed/relaxed, with its CRLF, for the top of the header. `body_hash` is of the relaxed
    body."""
    kind = "rsa" if isinstance(key, RSAPrivateKey) else "ed25519"
    present = [field.name for field in fields]
    names = [name for name in SIGNED_FIELDS for _ in range(present.count(name))]
    names += [name for name in SIGNED_FIELDS if name in _ONCE_MORE]
    head = (
        f"DKIM-Signature: v=1; a={kind}-sha256; c=relaxed/relaxed; d={domain};\r\n"
        f"\ts={selector}; t={int(now)};\r\n\th={_folded_list(names)};\r\n"
        f"\tbh={base64.b64encode(body_hash).decode()};\r\n\tb="
    ).encode()
    unsigned = parse_signature(Field("dkim-signature", head + b"\r\n"))
    assert isinstance(unsigned, Signature), unsigned
    signed = signed_octets(unsigned, fields)
    if isinstance(key, RSAPrivateKey):
        value = key.sign(signed, padding.PKCS1v15(), hashes.SHA256())
    else:
        value = key.sign(hashlib.sha256(signed).digest())
    text = base64.b64encode(value)
    return head + b"\r\n\t ".join(text[at : at + 72] for at in range(0, len(text), 72)) + b"\r\n"


def _folded_list(names: Sequence[str]) -> str:
    lines, line = [], ""
    for name in names:
        if len(line) + len(name) > 68:
            lines.append(line)
            line = ""
        line += name + ":"
    return "\r\n\t ".join([*lines, line]).rstrip(":")
