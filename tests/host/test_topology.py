"""A host in Samba's domain: its topology process, asked by commands, and commands where none runs. covers: cli.topology"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from postern.host import configuration
from postern.host.engines import start as engines
from postern.host.topology import look, seen
from postern.model.organization import StateFolder
from postern.roles import topology
from postern.roles.runtime import Runtime
from postern.telemetry.metrics import Metric, Metrics
from tests.directory.samba import Domain
from tests.support.ports import free_offset, free_port

POSTERN = str(Path(sys.executable).with_name("postern"))
_TOML = """
[organization]
name = "Corp"
profile = "{profile}"
offset = {offset}
rpc-ports = [{rpc}, {last}]
dns-servers = ["{dns}"]
{table}
[[domain]]
name = "corp.test"

[[server]]
name = "topo1"
fqdn = "topo1.corp.test"
roles = ["hub"]
addresses = ["127.0.0.1"]
site = "Nowhere"
"""


def written(folder: Path, dns: str = "127.0.0.9", table: str = "", profile: str = "practical") -> StateFolder:
    rpc = free_port()
    text = _TOML.format(offset=free_offset(), rpc=rpc, last=rpc + 9, dns=dns, table=table, profile=profile)
    folder.mkdir(exist_ok=True)
    (folder / "postern.toml").write_text(text)
    (folder / "secrets").mkdir(exist_ok=True)
    sockets = folder / "s"
    sockets.mkdir(exist_ok=True)
    return StateFolder(folder, sockets)


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [POSTERN, "topology", *arguments, "--state", str(folder)], capture_output=True, text=True, timeout=60
    )


def test_without_a_domain_it_says_so(tmp_path: Path) -> None:
    done = command(written(tmp_path / "state").root)
    assert done.returncode == 78 and "no Active Directory" in done.stderr


@pytest.fixture
def in_domain(samba_domain: Domain) -> Iterator[StateFolder]:
    with tempfile.TemporaryDirectory(prefix="to-", dir="/tmp") as folder:
        table = f'[active-directory]\ndomain = "{Domain.name}"\n'
        dns = samba_domain.controllers["dc1"].address
        yield written(Path(folder) / "state", dns, table)


@pytest.mark.slow
@pytest.mark.root
def test_one_look_finds_the_controllers_and_leaves_krb5_conf(samba_domain: Domain, in_domain: StateFolder) -> None:
    done = command(in_domain.root, "--json")
    told = json.loads(done.stdout)
    address = samba_domain.controllers["dc1"].address
    assert (told["domain"], told["site"], told["service"]) == (Domain.name, "Default-First-Site-Name", False)
    assert told["controllers"][0]["fqdn"] == "dc1.corp.test" and told["controllers"][0]["address"] == address
    assert told["controllers"][0]["up"] and told["controllers"][0]["global_catalogue"] and done.returncode == 0
    assert f"kdc = {address}" in in_domain.krb5_conf.read_text()
    assert in_domain.topology.exists()
    shown = command(in_domain.root)
    assert "dc1.corp.test" in shown.stdout and "no topology service" in shown.stdout


@pytest.mark.slow
@pytest.mark.root
def test_nobody_is_found_where_dns_knows_nobody(in_domain: StateFolder) -> None:
    written(in_domain.root, "127.0.0.9", '[active-directory]\ndomain = "nowhere.test"\n')
    done = command(in_domain.root)
    assert done.returncode == 1 and "no domain controller" in done.stdout


@pytest.mark.slow
@pytest.mark.root
@pytest.mark.parametrize("profile", ["practical", "reference"])
def test_the_topology_process_tells_the_hosts_commands(
    samba_domain: Domain, in_domain: StateFolder, monkeypatch: pytest.MonkeyPatch, counted: Metrics, profile: str
) -> None:
    keytab = samba_domain.computer("topo1")
    (in_domain.secrets / "keytab").write_bytes(keytab.read_bytes())
    (in_domain.secrets / "machine-account").write_text("unknown here\n")
    if profile == "reference":
        text = (in_domain.root / "postern.toml").read_text().replace("practical", "reference")
        (in_domain.root / "postern.toml").write_text(text)
    organization = engines.resolved(configuration.load(in_domain), in_domain)
    server = organization.servers[0]
    for name in ("KRB5_CONFIG", "KRB5CCNAME", "KRB5_CLIENT_KTNAME"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # put back as it was

    async def run() -> None:
        runtime = Runtime.outside(organization, server, in_domain)
        process = await topology.start(runtime)
        try:
            assert in_domain.krb5_conf.exists()
            found = await seen(organization, server, in_domain)
            assert found.running, "the command asked for itself"
            assert [(one.fqdn, one.up) for one in found.controllers] == [("dc1.corp.test", True)]
            account = await process.directory.account("TOPO1$")
            assert account is not None and account.is_server
            counted.read_gauges()
            controllers = {state: counted.values[Metric.DOMAIN_CONTROLLERS, (state,)] for state in ("up", "down")}
            assert controllers == {"up": 1, "down": 0}
        finally:
            await process.stop()
        assert not (await seen(organization, server, in_domain)).running
        assert (await look(organization, server, in_domain)).controllers

    asyncio.run(run())
