"""What the account's key signs: the examples of RFC 7638 and RFC 8555 by their rules, checked by another reader of JWS.

The other reader is OpenSSL, by way of the raw signature.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from postern.protocols.acme.signing import AccountKey, base64url

PRIVATE = ec.generate_private_key(ec.SECP256R1())
KEY = AccountKey(PRIVATE)


def decoded(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def raw(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_request_is_signed_with_the_key_it_names() -> None:
    body = json.loads(KEY.sign("https://a.test/new", "a-nonce", {"a": "회사"}))
    header = decoded(body["protected"])
    assert header == {"alg": "ES256", "jwk": KEY.jwk, "nonce": "a-nonce", "url": "https://a.test/new"}
    assert decoded(body["payload"]) == {"a": "회사"}
    signature = raw(body["signature"])
    assert len(signature) == 64
    der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
    signed = f"{body['protected']}.{body['payload']}".encode()
    PRIVATE.public_key().verify(der, signed, ec.ECDSA(hashes.SHA256()))


def test_an_account_is_named_by_its_url_and_reading_has_no_payload() -> None:
    body = json.loads(KEY.sign("https://a.test/x", "n", None, "https://a.test/me"))
    assert body["payload"] == "" and decoded(body["protected"])["kid"] == "https://a.test/me"
    assert "jwk" not in decoded(body["protected"])
    assert decoded(json.loads(KEY.sign("https://a.test/x", "n", {}))["payload"]) == {}


def test_the_answer_to_a_challenge_has_the_thumbprint_of_the_key() -> None:
    x, y = (base64url(number.to_bytes(32, "big")) for number in (KEY_NUMBERS.x, KEY_NUMBERS.y))
    canonical = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode()  # RFC 7638 section 3.2
    assert KEY.authorization("token") == "token." + base64url(hashlib.sha256(canonical).digest())


KEY_NUMBERS = PRIVATE.public_key().public_numbers()


def test_a_binding_is_signed_with_the_authoritys_secret() -> None:
    bound = KEY.bind("https://a.test/new", "kid-1", b"secret")
    assert decoded(bound["protected"]) == {"alg": "HS256", "kid": "kid-1", "url": "https://a.test/new"}
    assert decoded(bound["payload"]) == KEY.jwk
    signed = f"{bound['protected']}.{bound['payload']}".encode()
    assert raw(bound["signature"]) == hmac.digest(b"secret", signed, "sha256")


def test_other_curves_are_refused() -> None:
    with pytest.raises(ValueError, match="P-256"):
        AccountKey(ec.generate_private_key(ec.SECP384R1()))
