"""TLS as OpenSSL's own client sees it, on every door: versions, forward secrecy, chain and names."""

from __future__ import annotations

import re
import socket

import pytest

from tests.clients.people import HOST, SECONDS, run, trusting
from tests.organization import Organization

pytestmark = pytest.mark.slow
DOORS = {25: "smtp", 587: "smtp", 465: "", 143: "imap", 993: "", 110: "pop3", 995: ""}
NAMES = ("localhost", "server1.example.test")


def s_client(organization: Organization, port: int, *more: str, name: str = HOST):
    upgrade = ("-starttls", DOORS[port]) if DOORS[port] else ()
    return run(
        "openssl", "s_client", "-connect", f"127.0.0.1:{organization.port(port)}", "-servername", name, *upgrade,
        "-CAfile", organization.authority, "-verify_return_error", "-verify_hostname", name, *more,
    )  # fmt: skip


def assert_refused(done) -> None:
    """By the server: OpenSSL itself was willing, and said its ClientHello."""
    assert done.returncode != 0 and "Cipher is (NONE)" in done.stdout, done.stdout
    written = re.search(r"read \d+ bytes and written (\d+) bytes", done.stdout)
    assert written is not None and int(written[1]) > 100, done.stdout
    assert "no protocols available" not in done.stdout and "no cipher match" not in done.stdout


@pytest.mark.parametrize("port", DOORS)
def test_old_versions_are_refused(organization: Organization, port: int) -> None:
    """At security level 0, else OpenSSL's own client would refuse before it asks."""
    for version in ("-tls1", "-tls1_1"):
        done = s_client(organization, port, version, "-cipher", "ALL:@SECLEVEL=0")
        assert_refused(done)


@pytest.mark.parametrize("port", DOORS)
@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_todays_versions_with_forward_secrecy(organization: Organization, port: int, version: str) -> None:
    done = s_client(organization, port, "-tls" + version.replace(".", "_"))
    assert done.returncode == 0 and f"New, TLSv{version}, Cipher is" in done.stdout, done.stdout
    assert "Verify return code: 0 (ok)" in done.stdout, done.stdout
    assert re.search(r"Server Temp Key: (X25519|ECDH)", done.stdout), done.stdout


@pytest.mark.parametrize("cipher", ["kRSA", "aNULL", "eNULL", "DHE", "ECDHE+SHA"])
def test_weak_ciphers_are_refused(organization: Organization, cipher: str) -> None:
    done = s_client(organization, 993, "-tls1_2", "-cipher", f"{cipher}:@SECLEVEL=0")
    assert_refused(done)


@pytest.mark.parametrize("port", [587, 993])
def test_the_certificate_carries_the_names(organization: Organization, port: int) -> None:
    for name in NAMES:
        done = s_client(organization, port, name=name)
        assert done.returncode == 0 and f"Verified peername: {name}" in done.stdout, done.stdout
    assert s_client(organization, port, name="other.example.test").returncode != 0


def test_the_printed_authority_is_the_one_that_signed(organization: Organization) -> None:
    printed = re.search(r"Authority to trust: +(\S+)", organization.log.read_text())
    assert printed is not None and printed[1] == str(organization.authority)
    done = run("openssl", "s_client", "-connect", f"127.0.0.1:{organization.port(993)}", "-verify_return_error")
    assert done.returncode != 0, "trusted without being told of the authority"


def test_no_ticket_to_resume_by(organization: Organization) -> None:
    """Another worker could not read it, and offlineimap hangs when one comes right behind STARTTLS."""
    with (
        socket.create_connection((HOST, organization.port(993)), SECONDS) as clear,
        trusting(organization).wrap_socket(clear, server_hostname=HOST) as sealed,
    ):
        assert sealed.recv(4) == b"* OK"
        assert sealed.version() == "TLSv1.3" and sealed.session is not None and not sealed.session.has_ticket
