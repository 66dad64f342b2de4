"""DKIM against dkimpy and OpenDKIM, which nobody here wrote, and against what forgers do.

covers: dkim_records
"""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path

import dkim as dkimpy
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from postern.protocols.authentication.canonical import Canonicalization
from postern.protocols.authentication.dkim import DkimResult, DkimVerdict, body_hashes, sign, signatures, verify
from postern.protocols.authentication.dkim_records import Broken, Signature, parse_key, parse_signature
from postern.protocols.authentication.header import Field, fields
from postern.protocols.authentication.questions import UNKNOWN, Answer, Found

NOW = 1_700_000_000.0
KEY = rsa.generate_private_key(65537, 2048)
WEAK = rsa.generate_private_key(65537, 1024)
CURVE = Ed25519PrivateKey.generate()
PEM = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
)
HEADER = (
    b"From: Bob <bob@d.test>\r\nTo: alice@corp.test\r\nSubject:  two  words\r\n\tand more \r\n"
    b"Date: Mon, 23 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@d.test>\r\n"
)
BODY = b"Hello  \r\n\r\nthere\t.\r\n\r\n\r\n"


def record(key: rsa.RSAPrivateKey | Ed25519PrivateKey, more: str = "") -> str:
    if isinstance(key, Ed25519PrivateKey):
        raw = key.public_key().public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        return f"v=DKIM1; k=ed25519; {more}p={base64.b64encode(raw).decode()}"
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return f"v=DKIM1; {more}p={base64.b64encode(der).decode()}"


def known(text: str) -> Answer:
    return Answer(Found.YES, (text,))


def verdicts(message: bytes, key: Answer, now: float = NOW) -> list[DkimVerdict]:
    header, _, body = message.partition(b"\r\n\r\n")
    found = fields(header + b"\r\n")
    good = [one for one in signatures(found) if isinstance(one, Signature)]
    hashed = body_hashes({(one.body, one.length) for one in good}, [body[:7], body[7:]])
    return [verify(one, found, hashed, key, now) for one in good]


def ours(key: rsa.RSAPrivateKey | Ed25519PrivateKey = KEY, header: bytes = HEADER, body: bytes = BODY) -> bytes:
    digest, _ = body_hashes([(Canonicalization.RELAXED, None)], [body])[Canonicalization.RELAXED, None]
    return sign(fields(header), digest, "d.test", "sel", key, NOW) + header + b"\r\n" + body


@pytest.mark.parametrize("key", [KEY, CURVE])
def test_what_we_sign_we_verify(key: rsa.RSAPrivateKey | Ed25519PrivateKey) -> None:
    [verdict] = verdicts(ours(key), known(record(key)))
    assert (verdict.result, verdict.domain, verdict.selector) == (DkimResult.PASS, "d.test", "sel")


def test_dkimpy_verifies_ours() -> None:
    asked = []

    def key(name: bytes, timeout: int = 5) -> bytes:
        asked.append(name)
        return record(KEY).encode()

    assert dkimpy.verify(ours(), dnsfunc=key)
    assert asked == [b"sel._domainkey.d.test."]
    assert not dkimpy.verify(ours().replace(b"there", b"where"), dnsfunc=key)


LINES = st.lists(st.sampled_from([b"a", b" ", b"\t", b"\r\n", b"word", b"  ", b"\xc3\xa9"]), max_size=40)


@settings(max_examples=60, deadline=None)
@given(LINES, st.sampled_from([b"simple", b"relaxed"]), st.sampled_from([b"simple", b"relaxed"]))
def test_we_verify_dkimpys(parts: list[bytes], of_header: bytes, of_body: bytes) -> None:
    message = HEADER + b"\r\n" + b"".join(parts) + b"\r\n"
    signature = dkimpy.sign(message, b"sel", b"d.test", PEM, canonicalize=(of_header, of_body))
    [verdict] = verdicts(signature + message, known(record(KEY)))
    assert verdict.result is DkimResult.PASS, verdict


@settings(max_examples=40, deadline=None)
@given(LINES)
def test_dkimpy_verifies_ours_whatever_the_body(parts: list[bytes]) -> None:
    message = ours(body=b"".join(parts) + b"\r\n")
    assert dkimpy.verify(message, dnsfunc=lambda name, timeout=5: record(KEY).encode())


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("opendkim-testmsg") is None, reason="opendkim-tools is not installed")
def test_what_opendkims_old_program_signs_proves_nothing(tmp_path: Path) -> None:
    file = tmp_path / "key.pem"
    file.write_bytes(PEM)
    message = (HEADER + b"\r\n" + BODY).replace(b"\r\n", b"\n")
    command = ["opendkim-testmsg", "-C", "-d", "d.test", "-s", "sel", "-k", str(file)]
    done = subprocess.run(command, input=message, capture_output=True, check=True)
    signed = done.stdout.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    [verdict] = verdicts(signed, known(record(KEY)))
    assert (verdict.result, verdict.why) == (DkimResult.POLICY, "SHA-1 proves nothing any more")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"there", b"where"),
        (b"Subject:  two", b"Subject: three"),
        (b"From: Bob <bob@d.test>", b"From: Bob <bob@e.test>"),
        (b"From: Bob", b"From: Eve <eve@d.test>\r\nFrom: Bob"),
        (b"Subject:", b"Subject: other\r\nSubject:"),
        (b"Message-ID: <1@d.test>\r\n", b"Message-ID: <1@d.test>\r\nReply-To: eve@e.test\r\n"),
        (b"t=1700000000", b"t=1600000000"),
        (b"Date: Mon", b"Date: Tue"),
    ],
)
def test_what_is_changed_on_the_way_fails(old: bytes, new: bytes) -> None:
    message = ours()
    assert old in message
    [verdict] = verdicts(message.replace(old, new, 1), known(record(KEY)))
    assert verdict.result is DkimResult.FAIL


def test_what_relaxed_forgives() -> None:
    message = ours().replace(b"Subject:  two  words", b"SUBJECT : two words").replace(b"Hello  \r\n", b"Hello\r\n")
    assert verdicts(b"Received: by x\r\n" + message + b"\r\n\r\n", known(record(KEY)))[0].result is DkimResult.PASS


@pytest.mark.parametrize(
    ("key", "result", "why"),
    [
        (UNKNOWN, DkimResult.TEMP_ERROR, "no answer from DNS about the key"),
        (Answer(Found.NO_NAME), DkimResult.PERM_ERROR, "there is no such key"),
        (known("v=DKIM1; p="), DkimResult.PERM_ERROR, "the key is revoked"),
        (known("v=DKIM1; p=%%%"), DkimResult.PERM_ERROR, "malformed key"),
        (known("v=DKIM1; p=AAAA"), DkimResult.PERM_ERROR, "malformed key"),
        (known("v=DKIM2; p=AAAA"), DkimResult.PERM_ERROR, "malformed key"),
        (known(record(KEY, "h=sha1; ")), DkimResult.PERM_ERROR, "the key is not for SHA-256"),
        (known(record(KEY, "s=tlsrpt; ")), DkimResult.PERM_ERROR, "the key is not for mail"),
        (known(record(KEY, "k=dsa; ")), DkimResult.PERM_ERROR, "unknown kind of key"),
        (known(record(CURVE)), DkimResult.PERM_ERROR, "the key is of another kind"),
        (known(record(WEAK)), DkimResult.FAIL, "the header is not what was signed"),
    ],
)
def test_keys_that_prove_nothing(key: Answer, result: DkimResult, why: str) -> None:
    [verdict] = verdicts(ours(), key)
    assert (verdict.result, verdict.why) == (result, why)


def test_a_key_that_is_too_short_proves_nothing() -> None:
    short = rsa.generate_private_key(65537, 1024)
    assert verdicts(ours(short), known(record(short)))[0].result is DkimResult.PASS
    tiny = base64.b64decode(
        "MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAKj34GkxFhD90vcNLYLInFEX6Ppy1tPf9Cnzj4p4WGeKLs1Pt8QuKUpRKfFLfRYC9AIKjbJTWit+CqvjWYzvQwECAwEAAQ=="
    )
    [verdict] = verdicts(ours(), known("v=DKIM1; p=" + base64.b64encode(tiny).decode()))
    assert (verdict.result, verdict.why) == (DkimResult.POLICY, "a key of 512 bits proves nothing")


def test_only_a_part_of_the_body() -> None:
    """RFC 6376 section 8.2: what stands behind l= may be anybody's."""
    message = HEADER + b"\r\n" + BODY
    signature = dkimpy.sign(message, b"sel", b"d.test", PEM, canonicalize=(b"relaxed", b"simple"), length=True)
    [whole] = verdicts(signature + message, known(record(KEY)))
    [more] = verdicts(signature + message + b"Buy this.\r\n", known(record(KEY)))
    assert (whole.result, more.result) == (DkimResult.PASS, DkimResult.POLICY)


def test_old_and_expired_signatures_prove_nothing() -> None:
    message = HEADER + b"\r\n" + BODY
    old = dkimpy.sign(message, b"sel", b"d.test", PEM, signature_algorithm=b"rsa-sha1")
    assert verdicts(old + message, known(record(KEY)))[0].result is DkimResult.POLICY
    field = Field("dkim-signature", ours().split(b"\r\nFrom")[0] + b"\r\n")
    expired = Field(field.name, field.raw.replace(b"t=1700000000;", b"t=1600000000; x=1600000100;"))
    assert isinstance(parse_signature(expired), Signature)
    assert verdicts(expired.raw + message, known(record(KEY)))[0].why == "the signature has expired"


GOOD = "v=1; a=rsa-sha256; d=d.test; s=sel; h=from:to; bh=AAAA; b=AAAA"


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("v=1", "v=2"),
        GOOD.replace("rsa-sha256", "rsa-md5"),
        GOOD.replace("h=from:to", "h=to"),
        GOOD.replace("h=from:to", "h=from:a b"),
        GOOD.replace("d=d.test", "d=d..test"),
        GOOD.replace("d=d.test", "d=-"),
        GOOD.replace("s=sel", "s=a b;c"),
        GOOD.replace("bh=AAAA", "bh=*"),
        GOOD + "; i=bob@e.test",
        GOOD + "; i=bob",
        GOOD + "; c=nofws",
        GOOD + "; q=http",
        GOOD + "; t=5; x=5",
        GOOD + "; l=-1",
        GOOD + "; d=other.test",
        GOOD.replace("; b=AAAA", ""),
        "",
    ],
)
def test_broken_signatures(text: str) -> None:
    assert isinstance(parse_signature(Field("dkim-signature", f"DKIM-Signature: {text}\r\n".encode())), Broken)
    assert isinstance(parse_signature(Field("dkim-signature", f"DKIM-Signature: {GOOD}\r\n".encode())), Signature)


def test_only_so_many_signatures_are_looked_at() -> None:
    assert len(signatures(fields(b"DKIM-Signature: v=1\r\n" * 1000))) == 5


@given(st.binary(max_size=300))
def test_whatever_comes_nothing_raises(data: bytes) -> None:
    parse_signature(Field("dkim-signature", b"DKIM-Signature:" + data + b"\r\n"))
    parse_key(data.decode("latin-1"))


@given(
    st.dictionaries(
        st.sampled_from(["v", "a", "b", "bh", "d", "h", "s", "l", "x", "t", "i", "c", "q", "p", "k"]),
        st.text(max_size=9),
    )
)
def test_what_looks_like_one_does_not_raise_either(tags: dict[str, str]) -> None:
    text = "; ".join(f"{name}={value}" for name, value in tags.items())
    found = parse_signature(Field("dkim-signature", f"DKIM-Signature: {GOOD}; {text}\r\n".encode()))
    if isinstance(found, Signature):
        hashed = body_hashes([(found.body, found.length)], [BODY])
        verify(found, fields(HEADER), hashed, known(text), NOW)
    parse_key(text)
