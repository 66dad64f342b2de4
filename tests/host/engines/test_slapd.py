"""The private slapd: who may read what, where it listens, and that it ends with whoever started it.

covers: host.directory
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from postern.directory.ldap.client import SUBTREE, Client
from postern.directory.slapd_adapter import SERVICE, SUFFIX
from postern.host import account, directory
from postern.host import state as state_folder
from postern.host.engines.slapd import PrivateSlapd, SlapdError, uri
from postern.model.organization import AcceptedDomain, Organization, Role, Server, StateFolder
from postern.paths.table import TABLE
from postern.trust.passwords import verifiers as passwords

pytestmark = [pytest.mark.slow, pytest.mark.slapd]

PASSWORD = "the-service-account"


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="sl-", dir="/tmp"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made, ignore_errors=True)


def server_in(folder: Path, password: str = PASSWORD) -> PrivateSlapd:
    return PrivateSlapd(folder / "d", folder / "s", folder / "log", password)


@pytest.fixture
def running(folder: Path) -> Iterator[PrivateSlapd]:
    server = server_in(folder)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def ldapsearch(server: PrivateSlapd, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["ldapsearch", "-LLL", "-o", "ldif-wrap=no", "-H", server.uri, "-b", SUFFIX, *words],
        capture_output=True,
        text=True,
        timeout=20,
    )


KINDS = ("nt", "scram-sha-256", "digest")


def add_people(server: PrivateSlapd) -> None:
    async def run() -> None:
        client = Client(TABLE["private-directory"], server.uri, SERVICE, PASSWORD)
        write = directory.Administration(client, SUFFIX)
        await write.seed()
        await write.add_user("alice@x.test", passwords.verifiers("wonderland", KINDS, "alice@x.test", "x.test"))
        # Someone who can bind at all: Postern's own users have no password that slapd knows.
        await client.add(
            f"cn=reader,{SUFFIX}",
            {
                "objectClass": [b"organizationalRole", b"simpleSecurityObject"],
                "cn": [b"reader"],
                "userPassword": [b"readers-password"],
            },
        )
        await client.close()

    asyncio.run(run())


def test_secrets_are_postern_s_own(running: PrivateSlapd) -> None:
    add_people(running)
    ours = ldapsearch(running, "-x", "-D", SERVICE, "-w", PASSWORD, "(cn=alice@x.test)")
    assert ours.returncode == 0, ours.stderr
    for name in (
        "posternArgon2id: $argon2id$",
        "posternNTHash: ",
        "posternScramSha256: SCRAM-SHA-256$",
        "posternRealmHashes: SHA-256$",
    ):
        assert name in ours.stdout

    theirs = ldapsearch(running, "-x", "-D", f"cn=reader,{SUFFIX}", "-w", "readers-password", "(cn=*)", "*", "+")
    assert "userPrincipalName: alice@x.test" in theirs.stdout
    for secret in ("posternArgon2id", "posternNTHash", "posternScramSha256", "posternRealmHashes", "userPassword"):
        assert secret not in theirs.stdout
    # Nor can it be asked for by comparison.
    probe = ldapsearch(running, "-x", "-D", f"cn=reader,{SUFFIX}", "-w", "readers-password", "(posternNTHash=*)", "cn")
    assert "dn:" not in probe.stdout


@pytest.mark.parametrize(
    "words",
    [
        ("-x",),
        ("-x", "-D", SERVICE, "-w", "wrong"),
        ("-x", "-D", f"cn=alice@x.test,ou=Users,{SUFFIX}", "-w", "wonderland"),
        ("-x", "-D", SERVICE, "-w", ""),
    ],
)
def test_nobody_else_gets_in(running: PrivateSlapd, words: tuple[str, ...]) -> None:
    add_people(running)
    answer = ldapsearch(running, *words, "(cn=*)")
    assert answer.returncode != 0
    assert "dn:" not in answer.stdout


def test_a_process_of_this_machine_is_nobody_by_being_here(running: PrivateSlapd) -> None:
    """ldapi knows the caller's user id (SASL EXTERNAL): that alone opens nothing."""
    add_people(running)
    assert "dn:" not in ldapsearch(running, "-Y", "EXTERNAL", "(cn=*)").stdout


def test_it_listens_on_nothing_but_its_socket(running: PrivateSlapd) -> None:
    pid = running.pid
    ours = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # a client has just gone
            ours.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    for table in ("tcp", "tcp6", "udp", "udp6"):
        inodes = {f"socket:[{line.split()[9]}]" for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]}
        assert not ours & inodes
    unix = Path("/proc/net/unix").read_text().splitlines()
    assert any(line.endswith(str(running.socket)) for line in unix)


def test_it_runs_as_the_serving_account_in_closed_folders(running: PrivateSlapd) -> None:
    who = account.serving()
    assert os.stat(f"/proc/{running.pid}").st_uid == who.uid != 0 or os.geteuid() != 0
    for path, mode in ((running.folder, 0o700), (running.sockets, 0o700), (running.folder / "slapd.conf", 0o600)):
        status = path.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid) == (mode, who.uid)
    assert PASSWORD not in (running.folder / "slapd.conf").read_text()
    assert PASSWORD.encode() not in Path(f"/proc/{running.pid}/cmdline").read_bytes()


def test_its_entries_survive(folder: Path) -> None:
    for round_number in (1, 2):
        server = server_in(folder)
        server.start()
        if round_number == 1:
            add_people(server)
            assert server.pid is not None
            os.kill(server.pid, signal.SIGKILL)
        found = ldapsearch(server, "-x", "-D", SERVICE, "-w", PASSWORD, "(cn=alice@x.test)", "cn")
        assert ("cn: alice@x.test" in found.stdout) == (round_number == 2)
        server.stop()


_STARTER = """
import sys, time
from pathlib import Path
from postern.host.engines.slapd import PrivateSlapd
folder = Path(sys.argv[1])
server = PrivateSlapd(folder / "d", folder / "s", folder / "log", "the-service-account")
server.start()
print(server.pid, flush=True)
time.sleep(60)
"""


def test_it_ends_with_the_supervisor(folder: Path) -> None:
    starter = subprocess.Popen([sys.executable, "-c", _STARTER, str(folder)], stdout=subprocess.PIPE, text=True)
    try:
        assert starter.stdout is not None
        pid = int(starter.stdout.readline())
        assert Path(f"/proc/{pid}").exists()
    finally:
        starter.kill()
        starter.wait()
        starter.stdout.close()
    _until(lambda: not _serves(pid, folder))


def test_the_orphan_of_a_crash_is_ended_first(folder: Path) -> None:
    first = server_in(folder)
    first.start()
    orphan = first.pid
    first._server = None  # as if its supervisor were gone, and the kernel had not told it
    second = server_in(folder)
    try:
        assert second.orphan() == orphan
        second.start()
        assert second.pid not in (None, orphan)
        assert ldapsearch(second, "-x", "-D", SERVICE, "-w", PASSWORD).returncode in (0, 32)
    finally:
        second.stop()


def test_another_s_process_is_not_taken_for_an_orphan(folder: Path) -> None:
    server = server_in(folder)
    (folder / "d").mkdir()
    (folder / "d" / "slapd.pid").write_text(f"{os.getpid()}\n")
    assert server.orphan() is None


def test_what_keeps_it_from_starting_is_said(folder: Path) -> None:
    too_long = PrivateSlapd(folder / "d", folder / ("s" * 100), folder / "log", PASSWORD)
    with pytest.raises(SlapdError, match="shorter --state"):
        too_long.start()
    server = server_in(folder)
    server.start()
    server.stop()
    (folder / "d" / "data" / "data.mdb").write_bytes(b"not a database" * 1000)
    with pytest.raises(SlapdError, match="status"):
        server.start()
    assert server.pid is None


def test_a_first_start_makes_accounts_and_a_second_changes_nothing(folder: Path) -> None:
    state = state_folder.create(folder / "state")
    hub = Server("hub1", "hub1.x.test", frozenset({Role.HUB, Role.MAILBOX}), ("127.0.0.1",))
    organization = Organization("x", (AcceptedDomain("x.test"),), (hub,), directory=uri(state.sockets / "slapd"))
    password = directory.secret_files.obtain(state, "directory")
    server = PrivateSlapd(state.slapd, state.sockets / "slapd", state.logs / "slapd.log", password)
    server.start()
    try:
        asyncio.run(_seed_twice(state, organization, hub))
    finally:
        server.stop()


async def _seed_twice(state: StateFolder, organization: Organization, hub: Server) -> None:
    async def everything() -> list[tuple[str, list[bytes]]]:
        async with directory.opened(state, organization) as opened:
            found = await opened.write._client.search(SUFFIX, SUBTREE, "(objectClass=*)", ("entryCSN",))
            return sorted((entry.dn, entry.attributes["entryCSN"]) for entry in found)

    await directory.seed(state, organization, hub)
    before = await everything()
    await directory.seed(state, organization, hub)
    assert await everything() == before
    async with directory.opened(state, organization) as opened:
        machine = await opened.read.account("HUB1$")
        assert machine is not None and machine.enabled
        secret = directory.secret_files.obtain(state, "machine-account")
        assert await opened.read.verifier(machine, "nt") == passwords.verifiers(secret, ["nt"])["nt"]
        name, password = await directory.ensure_probe_account(opened, state, organization)
        probe = await opened.write.show(name)
        assert (probe.hidden, probe.database, probe.verifiers) == (True, "hub1", ("argon2id",))
        account = await opened.read.account(name)
        assert account is not None
        assert passwords.matches(await opened.read.verifier(account, "argon2id"), password)
        await opened.write.enable_verifier("nt")
        await opened.write.set_enabled(name, False)
        await directory.ensure_probe_account(opened, state, organization)
        probe = await opened.write.show(name)
        assert probe.enabled and probe.verifiers == ("argon2id", "nt")


def _serves(pid: int, folder: Path) -> bool:
    try:
        return os.fsencode(folder) in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def _until(condition: object, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
