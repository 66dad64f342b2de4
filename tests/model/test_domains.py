"""Domain names of two spellings are one name to whoever compares them: mapping, hashes, DKIM, filters, certificates.

covers: protocols.edge.hashes
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.host.schema import DomainShape
from postern.model.domains import a_labels, fold, shown, spellings
from postern.protocols.authentication.header import Field
from postern.protocols.edge.hashes import address_hash
from postern.protocols.smtp.address import domain_of
from postern.transport.agents.dkim_signing import signing_domain
from postern.transport.agents.sender_filter import SenderFilter, SenderFilterSettings
from postern.transport.submission import Submitter
from postern.trust.certificates.authorities import _subject

LETTERS, LABELS = "회사.test", "xn--vf4b131b.test"


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (LETTERS, LABELS),
        (LABELS.upper(), LABELS),
        ("ｅxample。test", "example.test"),
        ("faß.test", "xn--fa-hia.test"),  # UTS 46 without its transitional mapping, as IDNA 2008
        ("☃.test", "xn--n3h.test"),  # no letter of IDNA 2008, and in DNS nevertheless
        ("_dmarc.회사.test", f"_dmarc.{LABELS}"),
        ("*.회사.test", f"*.{LABELS}"),
        ("a＠b.test", "a＠b.test"),  # a wide @ must not become one
        ("회" * 300, "회" * 300),
        ("회" * 64 + ".test", "회" * 64 + ".test"),
    ],
)
def test_a_domain_has_one_form(written: str, name: str) -> None:
    assert a_labels(written) == a_labels(name) == name


@given(st.text(max_size=80))
def test_whatever_comes_has_one_form(text: str) -> None:
    assert a_labels(a_labels(text)) == a_labels(text)
    assert fold(text).count("@") == text.count("@")


def test_people_read_letters() -> None:
    assert shown(f"홍@{LABELS}") == f"홍@{LETTERS}" and shown(LABELS) == LETTERS
    assert shown("a@example.test") == "a@example.test" and shown("xn--\x7f.test") == "xn--\x7f.test"
    assert spellings(LETTERS) == (LABELS, LETTERS) and spellings("A@x.test") == ("a@x.test",)


def test_what_stands_for_an_address_at_an_edge() -> None:
    assert address_hash(f"Kim@{LETTERS}") == address_hash(f"kim@{LABELS}")


@pytest.mark.parametrize("domain", [LETTERS, LABELS])
def test_agents_and_rights(domain: str) -> None:
    assert domain_of(f"x@{domain}") == LABELS
    field = Field("from", f"From: kim@{domain}\r\n".encode())
    assert signing_domain([field], "", {LABELS}) == LABELS
    for blocked in (LETTERS, LABELS, f"kim@{LETTERS}", f"kim@{LABELS}", "*.test"):
        assert SenderFilter(SenderFilterSettings((blocked,))).mail(f"kim@{domain}") is not None, blocked
    assert Submitter("", frozenset({f"kim@{LABELS}"})).may_send_as(f"Kim@{domain}")
    assert _subject(domain).value == LABELS
    assert DomainShape(name=domain).name == LABELS
