"""Seals secrets that only the holder of a private key can open: the passwords of replication accounts in directories.

Elliptic-curve keys: an ephemeral key of the same curve, ECDH, HKDF-SHA-256, AES-256-GCM (ECIES as in SEC 1 section 5.1).
RSA keys (of 2,048 bits or more): RSA-OAEP with SHA-256 (RFC 8017 section 7.1). `purpose` is authenticated, so a secret that
was sealed for one pair of servers does not open for another. Nothing here reads files.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
    load_pem_private_key,
)

_ECIES, _OAEP = b"\x01", b"\x02"
_NONCE = bytes(12)
"""Each key made by HKDF seals one secret only, so its nonce need not differ."""
MAX_SECRET = 128


class SealError(Exception):
    """A key of another kind, or a secret that was not sealed to it for this purpose."""


def seal(public_key: bytes, secret: str, purpose: str) -> bytes:
    """Seals a secret of 128 octets at most to `public_key`, a SubjectPublicKeyInfo (DER). Raises SealError."""
    data = secret.encode()
    if len(data) > MAX_SECRET:
        raise SealError("the secret is too long to be sealed")
    try:
        key = load_der_public_key(public_key)
    except (ValueError, TypeError):
        raise SealError("this is no public key") from None
    if isinstance(key, rsa.RSAPublicKey) and key.key_size >= 2048:
        return _OAEP + key.encrypt(data, _oaep(purpose))
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise SealError("secrets are sealed to elliptic-curve keys and to RSA keys of 2,048 bits or more")
    ephemeral = ec.generate_private_key(key.curve)
    point = ephemeral.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    sealing = _key(ephemeral.exchange(ec.ECDH(), key), point, purpose)
    return _ECIES + bytes([len(point)]) + point + AESGCM(sealing).encrypt(_NONCE, data, purpose.encode())


def unseal(private_key: bytes, sealed: bytes, purpose: str) -> str:
    """Opens a sealed secret with `private_key`, PEM without a password. Raises SealError."""
    try:
        key = load_pem_private_key(private_key, None)
    except (ValueError, TypeError):
        raise SealError("this is no private key") from None
    try:
        if sealed[:1] == _OAEP and isinstance(key, rsa.RSAPrivateKey):
            return key.decrypt(sealed[1:], _oaep(purpose)).decode()
        if sealed[:1] == _ECIES and isinstance(key, ec.EllipticCurvePrivateKey):
            point, rest = sealed[2 : 2 + sealed[1]], sealed[2 + sealed[1] :]
            peer = ec.EllipticCurvePublicKey.from_encoded_point(key.curve, point)
            opening = _key(key.exchange(ec.ECDH(), peer), point, purpose)
            return AESGCM(opening).decrypt(_NONCE, rest, purpose.encode()).decode()
    except (InvalidTag, ValueError, IndexError):
        pass
    raise SealError("it was not sealed to this key for this purpose")


def key_of_certificate(der: bytes) -> bytes:
    """Returns the SubjectPublicKeyInfo of a certificate. Raises SealError."""
    try:
        key = x509.load_der_x509_certificate(der).public_key()
    except ValueError:
        raise SealError("this is no certificate") from None
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def new_key() -> bytes:
    """Makes a private key: PEM, PKCS #8."""
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_part(private_key: bytes) -> bytes:
    """Returns the SubjectPublicKeyInfo of a private key in PEM. Raises SealError."""
    try:
        key = load_pem_private_key(private_key, None)
    except (ValueError, TypeError):
        raise SealError("this is no private key") from None
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def _key(shared: bytes, point: bytes, purpose: str) -> bytes:
    info = b"postern sealed secret\0" + point + purpose.encode()
    return HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(shared)


def _oaep(purpose: str) -> padding.OAEP:
    return padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), purpose.encode())
