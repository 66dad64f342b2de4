"""What the contexts of `net.tls` agree on, and what they refuse: whole handshakes in memory."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
from pathlib import Path

import pytest
import trustme

from postern.net.tls import (
    Certificate,
    opportunistic_context,
    outdated_context,
    server_context,
    validating_context,
)

NAME = "server1.example.test"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def ca_file(authority: trustme.CA, tmp_path: Path) -> Path:
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    return tmp_path / "ca.pem"


def certificate(authority: trustme.CA, folder: Path, name: str = NAME) -> Certificate:
    made = authority.issue_cert(name)
    chain, key = folder / f"{name}.pem", folder / f"{name}.key"
    made.cert_chain_pems[0].write_to_path(chain)
    made.private_key_pem.write_to_path(key)
    return Certificate(chain, key)


def shake(client: ssl.SSLContext, server: ssl.SSLContext, name: str = NAME) -> tuple[ssl.SSLObject, ssl.SSLObject]:
    """Both ends after the handshake. Raises the SSLError of the end that gives up first."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname=name),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    waiting = list(ends)
    for _ in range(10):
        for end in list(waiting):
            try:
                end.do_handshake()
                waiting.remove(end)
            except ssl.SSLWantReadError:
                pass
        if not waiting:
            return ends
    raise AssertionError("the handshake does not end")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_todays_versions_are_spoken(
    authority: trustme.CA, ca_file: Path, tmp_path: Path, version: ssl.TLSVersion
) -> None:
    client = validating_context(ca_file)
    client.minimum_version = client.maximum_version = version
    here, there = shake(client, server_context(certificate(authority, tmp_path)))
    assert here.version() == there.version() == version.name.replace("_", ".")


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
@pytest.mark.parametrize("tickets", [False, True], ids=["ours", "positive control"])
def test_no_session_tickets_are_issued(authority: trustme.CA, tmp_path: Path, version: str, tickets: bool) -> None:
    """As openssl s_client sees it. The control is a context that issues them, so that the looking is known to see."""
    made = certificate(authority, tmp_path)
    context = server_context(made)
    if tickets:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(made.chain, made.key)

    async def run() -> bytes:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"+OK\r\n")
            await reader.read()
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=context)
        address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        client = await asyncio.create_subprocess_exec(
            "openssl", "s_client", "-connect", address, version, "-msg", stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert client.stdin is not None and client.stdout is not None
        seen = await client.stdout.readuntil(b"+OK\r\n")
        client.stdin.close()
        seen += await client.stdout.read()
        await client.wait()
        server.close()
        return seen

    seen = asyncio.run(asyncio.wait_for(run(), 20))
    assert (b"NewSessionTicket" in seen) is tickets


def test_tls_1_1_is_refused_by_the_server(authority: trustme.CA, tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError) as raised:
        shake(outdated_context(), server_context(certificate(authority, tmp_path)))
    assert raised.value.reason == "UNSUPPORTED_PROTOCOL"


def test_tls_1_1_is_refused_only_because_of_its_version(authority: trustme.CA, tmp_path: Path) -> None:
    """The positive control of the test above: a server that takes it gets as far as TLS 1.1."""
    lax = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with pytest.warns(DeprecationWarning):
        lax.minimum_version = ssl.TLSVersion.TLSv1
    lax.set_ciphers("DEFAULT:@SECLEVEL=0")
    made = certificate(authority, tmp_path)
    lax.load_cert_chain(made.chain, made.key)
    here, _ = shake(outdated_context(), lax)
    assert here.version() == "TLSv1.1"


@pytest.mark.parametrize("ciphers", ["AES256-GCM-SHA384", "ECDHE+AES:!AESGCM:!AESCCM"])
def test_ciphers_without_forward_secrecy_or_integrity_are_refused(
    authority: trustme.CA, ca_file: Path, tmp_path: Path, ciphers: str
) -> None:
    client = ssl.create_default_context(cafile=str(ca_file))
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(ciphers)
    with pytest.raises(ssl.SSLError) as raised:
        shake(client, server_context(certificate(authority, tmp_path)))
    assert raised.value.reason == "NO_SHARED_CIPHER"


def test_a_strangers_certificate_is_refused(authority: trustme.CA, ca_file: Path, tmp_path: Path) -> None:
    stranger = certificate(trustme.CA(), tmp_path)
    with pytest.raises(ssl.SSLCertVerificationError, match="unable to get local issuer certificate"):
        shake(validating_context(ca_file), server_context(stranger))


def test_another_hosts_certificate_is_refused(authority: trustme.CA, ca_file: Path, tmp_path: Path) -> None:
    other = certificate(authority, tmp_path, "server2.example.test")
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake(validating_context(ca_file), server_context(other))


def test_whoever_answers_is_good_enough_for_opportunism(tmp_path: Path) -> None:
    stranger = certificate(trustme.CA(), tmp_path, "elsewhere.test")
    here, _ = shake(opportunistic_context(), server_context(stranger))
    assert here.version() == "TLSv1.3"


def test_opportunism_ends_above_tls_1_1(authority: trustme.CA, tmp_path: Path) -> None:
    old = server_context(certificate(authority, tmp_path))
    with pytest.warns(DeprecationWarning):
        old.minimum_version, old.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        shake(opportunistic_context(), old)


@pytest.mark.parametrize("dialling", [validating_context, opportunistic_context])
def test_a_dialling_server_shows_its_certificate_where_it_is_asked(
    authority: trustme.CA,
    ca_file: Path,
    tmp_path: Path,
    dialling: object,
) -> None:
    mine = certificate(authority, tmp_path, "hub1.example.test")
    server = server_context(certificate(authority, tmp_path))
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(ca_file)
    client = validating_context(ca_file, mine) if dialling is validating_context else opportunistic_context(mine)
    _, there = shake(client, server)
    assert there.getpeercert(binary_form=True) == ssl.PEM_cert_to_DER_cert(mine.chain.read_text())
