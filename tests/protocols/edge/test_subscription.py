"""The subscription file: what is written is read, and nothing else is. Hashes: what stands for an address.

covers: hashes
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from xml.etree.ElementTree import fromstring

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.edge import SubscriptionFile
from postern.protocols.edge import hashes as edge_hashes
from postern.protocols.edge import subscription as edge_subscription
from postern.protocols.edge.subscription import SubscriptionFileError

FILE = SubscriptionFile(
    server_name="edge1",
    server_fqdn="edge1.corp.test",
    certificate=b"\x30\x82 a certificate",
    username="cn=ESRA.bootstrap.0123,cn=Accounts,ou=MSExchangeGateway",
    password="a-password & <more>",
    effective=1_795_480_000.0,
    duration=1440 * 60.0,
    ssl_port=50636,
    product_id="postern",
    version="1",
    serial="7f",
)
FIELDS = (
    *("EdgeServerName", "EdgeServerFQDN", "EdgeCertificateBlob", "ESRAUsername", "ESRAPassword", "EffectiveDate"),
    *("Duration", "AdamSslPort", "ProductID", "VersionNumber", "SerialNumber"),
)


def test_what_is_written_is_read() -> None:
    assert edge_subscription.read(edge_subscription.write(FILE)) == FILE


def test_the_fields_are_exchange_s() -> None:
    root = fromstring(edge_subscription.write(FILE))
    assert tuple(child.tag for child in root) == FIELDS
    assert root.findtext("Duration") == "1440"
    assert root.findtext("EffectiveDate") == "2026-11-24T00:26:40Z"
    assert base64.b64decode(root.findtext("EdgeCertificateBlob") or "") == FILE.certificate


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_is_missing_is_named(field: str) -> None:
    text = edge_subscription.write(FILE).decode()
    start, end = text.index(f"<{field}>"), text.index(f"</{field}>") + len(f"</{field}>")
    with pytest.raises(SubscriptionFileError, match=f"{field} is missing"):
        edge_subscription.read((text[:start] + text[end:]).encode())


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("EdgeServerName", "edge1 evil"),
        ("EdgeServerFQDN", "../../etc"),
        ("EdgeCertificateBlob", "not base64!"),
        ("ESRAPassword", "x" * 257),
        ("EffectiveDate", "yesterday"),
        ("EffectiveDate", "2026-11-24T00:26:40"),
        ("Duration", "-5"),
        ("AdamSslPort", "0"),
        ("AdamSslPort", "65536"),
        ("SerialNumber", "a\nb"),
    ],
)
def test_a_field_of_another_form_is_refused_without_its_value(field: str, value: str) -> None:
    root = fromstring(edge_subscription.write(FILE))
    old = root.findtext(field) or ""
    text = edge_subscription.write(FILE).decode().replace(f"<{field}>{_escaped(old)}<", f"<{field}>{value}<")
    with pytest.raises(SubscriptionFileError, match=field) as raised:
        edge_subscription.read(text.encode())
    assert value not in str(raised.value)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    "<EdgeSubscriptionData><EdgeServerName>&b;</EdgeServerName></EdgeSubscriptionData>"
)
READS_A_FILE = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]>'
    "<EdgeSubscriptionData><EdgeServerName>&f;</EdgeServerName></EdgeSubscriptionData>"
)


@pytest.mark.parametrize(
    "text",
    [
        *("", "no xml", "<Other/>", "<EdgeSubscriptionData>", BOMB, READS_A_FILE),
        "<EdgeSubscriptionData><EdgeServerName>a</EdgeServerName><EdgeServerName>b</EdgeServerName></EdgeSubscriptionData>",
        "<EdgeSubscriptionData><EdgeServerName><b/></EdgeServerName></EdgeSubscriptionData>",
        "<EdgeSubscriptionData>" + " " * edge_subscription.MAX_SIZE + "</EdgeSubscriptionData>",
        '<?xml version="1.0" encoding="no-such-code"?><EdgeSubscriptionData/>',
    ],
)
def test_what_is_no_subscription_file_is_refused(text: str) -> None:
    with pytest.raises(SubscriptionFileError):
        edge_subscription.read(text.encode())


@given(st.binary(max_size=300))
def test_garbage_is_refused(data: bytes) -> None:
    with pytest.raises(SubscriptionFileError):
        edge_subscription.read(data)


def test_the_password_shows_in_no_representation() -> None:
    assert FILE.password not in repr(FILE)
    assert FILE.password not in repr(replace(FILE, server_name="edge2"))


def test_an_address_is_hashed_as_it_is_compared() -> None:
    known = hashlib.sha256(b"alice@corp.test").digest()
    assert edge_hashes.address_hash("Alice@CORP.test") == known
    assert edge_hashes.address_hash("jose\u0301@corp.test") == edge_hashes.address_hash("JOS\u00c9@corp.test")
    assert edge_hashes.address_hash("bob@corp.test") != known
    assert edge_hashes.address_hash("kim@회사.test") == edge_hashes.address_hash("kim@xn--vf4b131b.test")
