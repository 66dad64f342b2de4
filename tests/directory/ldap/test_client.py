"""The connection to a directory server: many requests at once, servers that go, hang and come back."""

from __future__ import annotations

import asyncio
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from postern.directory.administration import Administration
from postern.directory.ldap.client import SUBTREE, AlreadyThere, Client, NoSuchEntry, Refused
from postern.directory.slapd_adapter import SERVICE, SUFFIX
from postern.host.engines.slapd import PrivateSlapd
from postern.model.directory import DirectoryUnavailable
from postern.telemetry.observed import Observed, read
from tests.directory.conftest import ROW, RunningSlapd
from tests.support.waiting import until

pytestmark = [pytest.mark.slow, pytest.mark.slapd]


@pytest.fixture
def own_slapd() -> Iterator[RunningSlapd]:
    """One that a test may stop and hang."""
    folder = Path(tempfile.mkdtemp(prefix="sl-", dir="/tmp"))
    folder.chmod(0o711)
    password = secrets.token_urlsafe(32)
    server = PrivateSlapd(folder / "d", folder / "s", folder / "log", password)
    try:
        server.start()
        yield RunningSlapd(server, password)
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def test_a_thousand_requests_at_once_each_get_their_own_answer(empty_slapd: RunningSlapd) -> None:
    async def run() -> None:
        client = empty_slapd.client()
        for number in range(20):
            await client.add(
                f"cn=d{number}.test,cn=Accepted Domains,cn=Configuration,{SUFFIX}",
                {"objectClass": [b"acceptedDomain"], "posternDomainType": [b"authoritative"]},
            )
        answers = await asyncio.gather(
            *(client.search(SUFFIX, SUBTREE, f"(cn=d{number % 25}.test)", ("cn",)) for number in range(1000))
        )
        for number, answer in enumerate(answers):
            expected = [f"d{number % 25}.test".encode()] if number % 25 < 20 else []
            assert [entry.attributes["cn"][0] for entry in answer] == expected
        await client.close()

    asyncio.run(run())


def test_results_have_names(empty_slapd: RunningSlapd) -> None:
    async def run() -> None:
        client = empty_slapd.client()
        dn = f"cn=a.test,cn=Accepted Domains,cn=Configuration,{SUFFIX}"
        values = {"objectClass": [b"acceptedDomain"], "posternDomainType": [b"authoritative"]}
        await client.add(dn, values)
        with pytest.raises(AlreadyThere):
            await client.add(dn, values)
        with pytest.raises(NoSuchEntry):
            await client.delete(f"cn=b.test,{SUFFIX}")
        with pytest.raises(Refused):
            await client.add(f"cn=c.test,{SUFFIX}", {"objectClass": [b"nonsense"]})
        with pytest.raises(Refused):
            await client.search(SUFFIX, SUBTREE, "(((", ("cn",))
        assert await client.search(f"ou=Nowhere,{SUFFIX}", SUBTREE, "(cn=*)", ("cn",)) == []
        await client.close()

    asyncio.run(run())


def test_a_restarted_server_is_found_again(own_slapd: RunningSlapd) -> None:
    async def run() -> None:
        client = own_slapd.client()
        await Administration(client, SUFFIX).seed()
        own_slapd.server.stop()
        with pytest.raises(DirectoryUnavailable):
            await client.search(SUFFIX, SUBTREE, "(ou=Users)", ("ou",))
        own_slapd.server.start()
        for _ in range(100):  # a failed attempt answers for all who ask for a quarter of a second
            try:
                found = await client.search(SUFFIX, SUBTREE, "(ou=Users)", ("ou",))
                break
            except DirectoryUnavailable:
                await asyncio.sleep(0.02)
        assert [entry.dn for entry in found] == [f"ou=Users,{SUFFIX}"]
        await client.close()

    asyncio.run(run())


def test_a_search_survives_a_restart_that_nobody_noticed(own_slapd: RunningSlapd) -> None:
    async def run() -> None:
        client = own_slapd.client()
        await Administration(client, SUFFIX).seed()
        own_slapd.server.stop()
        own_slapd.server.start()
        assert len(await client.search(SUFFIX, SUBTREE, "(ou=Users)", ("ou",))) == 1
        await client.close()

    asyncio.run(run())


def test_a_hung_server_is_no_answer_in_bounded_time(own_slapd: RunningSlapd) -> None:
    async def run() -> None:
        client = own_slapd.client(timeout=0.4)
        await Administration(client, SUFFIX).seed()
        pid = own_slapd.server.pid
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        tasks = Path(f"/proc/{pid}/task")
        # A thread that runs stops a little later, and might still answer.
        await until(lambda: {(task / "stat").read_text().rpartition(") ")[2][0] for task in tasks.iterdir()} == {"T"})
        try:
            answers = await asyncio.wait_for(
                asyncio.gather(
                    *(client.search(SUFFIX, SUBTREE, "(cn=x)", ("cn",)) for _ in range(200)), return_exceptions=True
                ),
                30,
            )
            assert {type(answer) for answer in answers} == {DirectoryUnavailable}
        finally:
            os.kill(pid, signal.SIGCONT)
        await client.close()

    asyncio.run(run())


def test_a_wrong_password_is_no_directory(slapd: RunningSlapd) -> None:
    async def run() -> None:
        client = Client(ROW, slapd.server.uri, SERVICE, "wrong")
        with pytest.raises(DirectoryUnavailable) as raised:
            await client.search(SUFFIX, SUBTREE, "(cn=x)", ("cn",))
        assert "wrong" not in repr(raised.value)
        await client.close()

    asyncio.run(run())


def test_the_password_never_goes_in_the_clear() -> None:
    """To a server that answers StartTLS with a refusal, as one on the path between would."""
    heard = bytearray()
    refusal = bytes.fromhex("300c02010178070a010204000400")  # extendedResp, protocolError

    def serve(listener: socket.socket) -> None:
        connection, _ = listener.accept()
        with connection:
            connection.settimeout(10)
            while data := connection.recv(4096):
                heard.extend(data)
                connection.sendall(refusal)

    async def run() -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server = asyncio.get_running_loop().run_in_executor(None, serve, listener)
            client = Client(ROW, f"ldap://127.0.0.1:{listener.getsockname()[1]}", SERVICE, "the-password", timeout=5.0)
            with pytest.raises(DirectoryUnavailable):
                await client.search(SUFFIX, SUBTREE, "(cn=x)", ("cn",))
            await client.close()
            await server

    asyncio.run(run())
    assert b"1.3.6.1.4.1.1466.20037" in heard  # it asked for StartTLS
    assert b"the-password" not in heard


def test_its_use_is_observed(slapd: RunningSlapd, tmp_path: Path) -> None:
    async def run() -> None:
        observed = Observed(tmp_path / "one.jsonl")
        client = Client(ROW, slapd.server.uri, SERVICE, slapd.password, observed=observed)
        await client.search(SUFFIX, SUBTREE, "(cn=x)", ("cn",))
        await client.close()
        observed.flush()

    asyncio.run(run())
    (observation,) = read(tmp_path)
    assert (observation.path, observation.mechanism, observation.seal) == ("private-directory", "Basic", "local")


_ASK = """
import asyncio, sys
from pathlib import Path
from postern.directory.ldap.client import SUBTREE, Client
from postern.directory.slapd_adapter import SERVICE, SUFFIX
from postern.model.directory import DirectoryUnavailable
from postern.paths.table import TABLE
from postern.telemetry.observed import Observed, read

async def ask(uri, folder):
    observed = Observed(Path(folder) / "one.jsonl")
    client = Client(TABLE["private-directory"], uri, SERVICE, sys.stdin.read(), observed=observed)
    try:
        found = await client.search(SUFFIX, SUBTREE, "(ou=Users)", ("ou",))
    except DirectoryUnavailable:
        print("unavailable")
        return
    finally:
        await client.close()
    observed.flush()
    (one,) = read(Path(folder))
    print(len(found), one.peer, one.seal, bool(one.cipher))

asyncio.run(ask(*sys.argv[1:]))
"""


@pytest.mark.parametrize("scheme", ["ldap", "ldaps"])
def test_a_directory_elsewhere_is_asked_inside_tls(own_slapd: RunningSlapd, scheme: str, tmp_path: Path) -> None:
    """Another slapd on TCP: with a certificate that is trusted it serves, with any other it does not."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1", common_name="127.0.0.1")  # libldap insists on a common name
    folder = own_slapd.server.folder
    own_slapd.server.stop()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    certificate.private_key_pem.write_to_path(tmp_path / "key.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "certificate.pem")
    authority.cert_pem.write_to_path(tmp_path / "authority.pem")
    trustme.CA().cert_pem.write_to_path(tmp_path / "stranger.pem")
    settings = (folder / "slapd.conf").read_text().split("database mdb")
    settings[0] += f"TLSCertificateFile {tmp_path}/certificate.pem\nTLSCertificateKeyFile {tmp_path}/key.pem\n\n"
    (tmp_path / "slapd.conf").write_text("database mdb".join(settings))
    url = f"{scheme}://127.0.0.1:{port}"
    words = [
        "/usr/sbin/slapd",
        "-d",
        "none",
        "-f",
        str(tmp_path / "slapd.conf"),
        "-h",
        url,
    ]
    server = subprocess.Popen(words, stderr=subprocess.DEVNULL)

    def ask(trusted: str) -> str:
        done = subprocess.run(
            [sys.executable, "-c", _ASK, url, str(tmp_path)],
            input=own_slapd.password,
            env={**os.environ, "LDAPTLS_CACERT": str(tmp_path / trusted)},
            capture_output=True,
            text=True,
            timeout=30,
        )
        return done.stdout.strip().rpartition("\n")[2]

    try:
        deadline = time.monotonic() + 10
        while (answer := ask("authority.pem")) == "unavailable" and time.monotonic() < deadline:
            assert server.poll() is None
        assert answer == "0 127.0.0.1 TLSv1.3 True"
        assert ask("stranger.pem") == "unavailable"
    finally:
        server.terminate()
        server.wait(10)
