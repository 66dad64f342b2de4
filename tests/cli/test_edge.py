"""`postern edge` as an administrator gives it: the file on the edge, the rest on a hub, two hosts on one machine."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from postern.cli.edge import edge
from postern.cli.failures import FOUND_WRONG
from postern.host import account, configuration
from postern.model.organization import StateFolder
from tests.edge_hosts import EDGE, HUBS, TwoHosts, empty, run, two_hosts

pytestmark = [
    pytest.mark.slapd,
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("ldapsearch") is None, reason="OpenLDAP is missing: install slapd and ldap-utils"),
]


def written(hosts: TwoHosts) -> None:
    """postern.toml and the host's name in both state folders."""
    lines = [
        "[organization]",
        'name = "Corp"',
        f"offset = {hosts.organization.offset}",
        "[[domain]]",
        'name = "corp.test"',
    ]
    for server in (*HUBS, EDGE):
        roles = ", ".join(f'"{role.value}"' for role in server.roles)
        lines += ["[[server]]", f'name = "{server.name}"', f'fqdn = "{server.fqdn}"', f"roles = [{roles}]"]
        lines += [f'addresses = ["{server.addresses[0]}"]', f'site = "{server.site}"']
    for folder, server in ((hosts.hub_state, HUBS[0]), (hosts.edge_state, EDGE)):
        configuration.write(folder, "\n".join(lines))
        configuration.record(folder, server)


@pytest.fixture(scope="module")
def started() -> Iterator[TwoHosts]:
    with two_hosts() as hosts:
        written(hosts)
        yield hosts


@pytest.fixture
def hosts(started: TwoHosts) -> TwoHosts:
    empty(started)
    return started


@contextlib.contextmanager
def keeper(hosts: TwoHosts) -> Iterator[None]:
    """The edge's process that makes accounts, in a thread with a loop of its own: commands have theirs."""
    done = threading.Event()

    async def work() -> None:
        async with hosts.keeper():
            await asyncio.to_thread(done.wait)

    thread = threading.Thread(target=lambda: asyncio.run(work()))
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def postern(folder: StateFolder, *words: str) -> Result:
    return CliRunner().invoke(edge, [*words, "--state", str(folder.root)])


def done(folder: StateFolder, *words: str) -> str:
    result = postern(folder, *words)
    assert result.exit_code == 0, result.output or repr(result.exception)
    return result.output


def as_json(folder: StateFolder, *words: str) -> Any:
    return json.loads(done(folder, *words, "--json"))


def subscribed(hosts: TwoHosts, folder: Path) -> Path:
    file = folder / "edge1.xml"
    done(hosts.edge_state, "subscription", "new", "--output", str(file))
    done(hosts.hub_state, "subscribe", str(file))
    return file


def test_from_a_file_to_an_edge_that_is_up_to_date(hosts: TwoHosts, tmp_path: Path) -> None:
    assert "no subscribed edge" in done(hosts.hub_state, "list")
    with keeper(hosts):
        file = subscribed(hosts, tmp_path)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert "EdgeServerFQDN" in file.read_text()

        async def alice() -> None:
            async with hosts.directory() as directory:
                await directory.write.add_user("alice@corp.test", {})

        run(alice)
        (first,) = as_json(hosts.hub_state, "sync")
        assert (first["full"], first["added"], first["recipient_count"]) == (True, 1, 1)
        (second,) = as_json(hosts.hub_state, "sync", "edge1", "--full")
        assert (second["full"], second["added"], second["changed"]) == (True, 0, 0)
        assert "edge1" in done(hosts.hub_state, "sync")
    (status,) = as_json(hosts.hub_state, "status")
    assert (status["edge"], status["hub"], status["recipient_count"], status["ok"]) == ("edge1", "hub1", 1, True)
    assert "hub1" in done(hosts.hub_state, "status")
    (listed,) = as_json(hosts.hub_state, "list")
    assert (listed["fqdn"], listed["hubs"], listed["site"]) == ("edge1.corp.test", ["hub1"], "Headquarters")
    assert as_json(hosts.hub_state, "unsubscribe", "edge1")["edge"] == "edge1"
    assert postern(hosts.hub_state, "unsubscribe", "edge1").exit_code == os.EX_NOUSER
    assert "is no subscribed edge" in postern(hosts.hub_state, "sync", "edge1").output
    assert as_json(hosts.edge_state, "unsubscribe", "edge1")["accounts"] >= 1


def test_the_file_goes_to_standard_output_too(hosts: TwoHosts) -> None:
    assert done(hosts.edge_state, "subscription", "new").startswith("<?xml")


def test_status_ends_with_2_where_something_is_wrong(hosts: TwoHosts, tmp_path: Path) -> None:
    subscribed(hosts, tmp_path)
    never = postern(hosts.hub_state, "status", "--json")
    assert never.exit_code == FOUND_WRONG
    assert "never synchronized" in json.loads(never.output)[0]["problems"][0]
    hosts.edge_slapd.stop()
    try:
        down = postern(hosts.hub_state, "status")
        assert down.exit_code == FOUND_WRONG
        assert "does not answer" in down.output
        assert postern(hosts.edge_state, "subscription", "new").exit_code == os.EX_UNAVAILABLE
    finally:
        hosts.edge_slapd.start()


def test_each_command_says_where_it_belongs(hosts: TwoHosts, tmp_path: Path) -> None:
    assert "edge1 is no hub" in postern(hosts.edge_state, "sync").output
    assert "hub1 is no edge" in postern(hosts.hub_state, "subscription", "new").output
    assert "this is edge1" in postern(hosts.edge_state, "unsubscribe", "edge2").output
    broken = tmp_path / "broken.xml"
    broken.write_text("<x/>")
    assert "no subscription file" in postern(hosts.hub_state, "subscribe", str(broken)).output


def test_root_writes_the_file_where_root_may(hosts: TwoHosts, tmp_path: Path) -> None:
    """The command is carried out as the state folder's owner; the file is the caller's."""
    tmp_path.chmod(0o700)
    file = tmp_path / "edge1.xml"
    done(hosts.edge_state, "subscription", "new", "--output", str(file))
    assert file.stat().st_uid == os.geteuid()
    assert account.owner(hosts.edge_state.root).uid is not None
