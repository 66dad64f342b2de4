"""The account's key of ACME: it signs every request (RFC 8555 section 6.2, JWS of RFC 7515 with ES256), and is in the answer to a
challenge (section 8.1).

The library `acme` of PyPI (certbot's) would bring josepy, requests and pyrfc3339, and opens connections of its own, which no row
knows; what is needed of JWS is this page.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

_SIZE = 32
"""Octets of a coordinate on P-256."""


def base64url(data: bytes) -> str:
    """base64url without padding (RFC 7515 section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


class AccountKey:
    """The key of an account: ECDSA on P-256."""

    def __init__(self, key: ec.EllipticCurvePrivateKey) -> None:
        if not isinstance(key.curve, ec.SECP256R1):
            raise ValueError("the account's key is not on the curve P-256")
        self._key = key
        numbers = key.public_key().public_numbers()
        coordinates = (base64url(number.to_bytes(_SIZE, "big")) for number in (numbers.x, numbers.y))
        self.jwk = {"crv": "P-256", "kty": "EC", **dict(zip("xy", coordinates, strict=True))}
        """The public key (RFC 7518 section 6.2), its members in the order of their names."""

    def authorization(self, token: str) -> str:
        """The key authorization that answers a challenge (RFC 8555 section 8.1)."""
        # RFC 7638 section 3: the members in order, without white space.
        thumbprint = hashlib.sha256(_json(self.jwk)).digest()
        return f"{token}.{base64url(thumbprint)}"

    def sign(self, url: str, nonce: str, payload: dict[str, Any] | None, account: str = "") -> bytes:
        """The body of a POST to `url`. Without a payload it reads (POST-as-GET, section 6.3); `account` is the account's URL,
        which stands for the key once there is an account."""
        who: dict[str, Any] = {"kid": account} if account else {"jwk": self.jwk}
        protected = base64url(_json({"alg": "ES256", **who, "nonce": nonce, "url": url}))
        content = "" if payload is None else base64url(_json(payload))
        r, s = decode_dss_signature(self._key.sign(f"{protected}.{content}".encode(), ec.ECDSA(hashes.SHA256())))
        signature = base64url(r.to_bytes(_SIZE, "big") + s.to_bytes(_SIZE, "big"))
        return _json({"protected": protected, "payload": content, "signature": signature})

    def bind(self, url: str, key_id: str, secret: bytes) -> dict[str, str]:
        """The binding to an account that the authority knows otherwise (section 7.3.4): this key, signed with the secret that it
        gave for `key_id`."""
        protected = base64url(_json({"alg": "HS256", "kid": key_id, "url": url}))
        content = base64url(_json(self.jwk))
        signature = hmac.digest(secret, f"{protected}.{content}".encode(), "sha256")
        return {"protected": protected, "payload": content, "signature": base64url(signature)}


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
