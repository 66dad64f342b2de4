"""A door's contexts by host name: the one that asks, the one that does not, and what they take up."""

from __future__ import annotations

import contextlib
import os
import ssl
from pathlib import Path

import pytest
import trustme
from OpenSSL import SSL

from postern.net.by_name import ContextsByName
from postern.net.mutual import ClientAuthorities, MutualContext
from postern.net.tls import Certificate, ServerContext
from tests.support.client_certificates import UserAuthority

NAME = "certificate.example.test"


@pytest.fixture
def certificate(tmp_path: Path) -> Certificate:
    made = Certificate(tmp_path / "server.pem", tmp_path / "server.key")
    write(made)
    return made


def write(certificate: Certificate) -> None:
    own = trustme.CA().issue_cert("server1.example.test", NAME)
    own.private_key_pem.write_to_path(certificate.key)
    certificate.chain.write_bytes(b"".join(pem.bytes() for pem in own.cert_chain_pems))


def test_only_the_names_ask_and_all_show_one_certificate(certificate: Certificate, tmp_path: Path) -> None:
    contexts = ContextsByName(certificate, frozenset({NAME}), ClientAuthorities(UserAuthority(tmp_path).file))
    asking, usual = contexts.under(NAME), contexts.under("server1.example.test")
    assert isinstance(asking, MutualContext) and asking.validates
    assert isinstance(usual, ServerContext) and usual.verify_mode is ssl.CERT_NONE
    assert contexts.under("") is usual
    assert asking.end_point == usual.end_point and contexts.names == asking.names == usual.names


@pytest.mark.parametrize("changed", ["server.pem", "authorities", "revoked"])
def test_each_file_that_changes_makes_both_anew(certificate: Certificate, tmp_path: Path, changed: str) -> None:
    authority = UserAuthority(tmp_path)
    files = ClientAuthorities(authority.file, authority.revoke())
    contexts = ContextsByName(certificate, frozenset({NAME}), files)
    assert contexts.renewed() is contexts
    if changed == "server.pem":
        write(certificate)
    else:
        file = files.authorities if changed == "authorities" else files.files[1]
        os.rename(_copy(file), file)
    after = contexts.renewed()
    assert after is not contexts and after.under(NAME) is not contexts.under(NAME)
    assert after.renewed() is after


def test_a_file_that_cannot_be_used_is_told(certificate: Certificate, tmp_path: Path) -> None:
    authority = UserAuthority(tmp_path)
    with pytest.raises(OSError, match=r"authorities\.pem"):
        ContextsByName(certificate, frozenset({NAME}), ClientAuthorities(tmp_path / "authorities.pem"))
    contexts = ContextsByName(certificate, frozenset({NAME}), ClientAuthorities(authority.file))
    authority.file.write_text("no certificate")
    assert contexts.renewed() is contexts, "what was there serves on"


def test_clients_are_told_of_the_authorities_but_not_of_our_own(certificate: Certificate, tmp_path: Path) -> None:
    own = UserAuthority(tmp_path, "Own")
    files = ClientAuthorities(UserAuthority(tmp_path).file, unnamed=(own.file,))
    context = ContextsByName(certificate, frozenset({NAME}), files).under(NAME)
    assert isinstance(context, MutualContext)
    server, client = context.connection(None), SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
    client.set_connect_state()
    for here, there in ((client, server), (server, client), (client, server)):
        with contextlib.suppress(SSL.WantReadError):
            here.do_handshake()
        with contextlib.suppress(SSL.WantReadError):
            there.bio_write(here.bio_read(65_536))
    assert [name.CN for name in client.get_client_ca_list()] == ["People of Example"]


def _copy(file: Path) -> Path:
    other = file.with_suffix(".new")
    other.write_bytes(file.read_bytes())
    return other
