"""A directory harvest against an edge: 500 connections ask for addresses that do not exist, beside an honest sender.

    python -m bench.harvest [CONNECTIONS] [RECIPIENTS] [SECONDS]

`postern run` serves an edge of one worker with its own directory (ADAM's place) of 50,000 hashed recipients. First slapd is asked
directly; then the harvesters ask the edge, without the tarpit (how many look-ups it bears) and with it (what a harvest is left
with). Look-ups a second are also told per core: what one core's time would buy, of the edge's process alone and with slapd's.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import dns.message
import dns.rcode
import ldap

from bench import accounting
from bench.compare import ROOT, load
from bench.ours import COMMAND
from bench.peers import wait_for
from postern.directory.adam import layout
from postern.directory.adam.client import AdamClient, simple
from postern.directory.adam.replica import EdgeReplica
from postern.directory.adam.state import State
from postern.host import secret_files, state
from postern.host.engines import adam
from postern.model.edge import EdgeRecipient
from postern.model.security import Mechanism
from postern.paths.table import TABLE
from postern.protocols.edge.hashes import address_hash
from postern.roles.secrets import Secret
from postern.services.agents.state import AgentFile, AgentState

OFFSET = 13_000
HONEST = "person7@example.test"
TOML = """
[organization]
name = "Bench"
offset = {offset}
dns-servers = ["127.0.0.1:{names}"]
[[domain]]
name = "example.test"
[[server]]
name = "edge1"
fqdn = "edge1.example.test"
roles = ["edge"]
addresses = ["127.0.0.1"]
workers = 1
[limits]
connections = 5000
connections-per-address = 5000
errors-per-connection = 1000000
"""


@dataclass(frozen=True)
class Edge:
    """`worker` serves port 25; `slapd` is its directory."""

    folder: Path
    worker: int
    slapd: int

    @property
    def port(self) -> int:
        return OFFSET + 25


@contextlib.contextmanager
def edge(folder: Path) -> Iterator[Edge]:
    names = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    names.bind(("127.0.0.1", 0))
    threading.Thread(target=_no_such_name, args=(names,), daemon=True).start()
    (folder / "postern.toml").write_text(TOML.format(offset=OFFSET, names=names.getsockname()[1]))
    with open(folder.parent / "harvest.out", "w+") as out:
        process = subprocess.Popen([COMMAND, "run", "--state", str(folder)], stdout=out, stderr=subprocess.STDOUT)
        try:
            wait_for(OFFSET + 25, 60.0)
            yield Edge(folder, *(_listener(process.pid, OFFSET + port) for port in (25, 50389)))
        finally:
            process.terminate()
            process.wait(20)


def _no_such_name(names: socket.socket) -> None:
    """A name server that knows nobody: SPF and DMARC are asked about the honest sender, too."""
    while True:
        data, peer = names.recvfrom(4096)
        answer = dns.message.make_response(dns.message.from_wire(data))
        answer.set_rcode(dns.rcode.NXDOMAIN)
        names.sendto(answer.to_wire(), peer)


def _listener(root: int, port: int) -> int:
    """Which of the supervisor's processes listens there."""
    listening = subprocess.run(["ss", "-Hltnp", f"sport = {port}"], capture_output=True, text=True, check=True).stdout
    for pid in accounting.tree([root])[1:]:
        if f"pid={pid}," in listening:
            return pid
    raise RuntimeError(f"nobody listens on {port}")


def fill(folder: Path, recipients: int) -> float:
    """Seconds that it took."""
    place = state.find(folder)
    password = secret_files.obtain(place, Secret.ADAM)

    async def work() -> None:
        bind = simple(layout.ADMINISTRATOR, password)
        replica = EdgeReplica(
            AdamClient(TABLE["edgesync"], adam.socket_uri(place), bind, Mechanism.BASIC, timeout=60.0)
        )
        people = [EdgeRecipient(uuid4(), (address_hash(f"person{n}@example.test"),)) for n in range(recipients)]
        async for _ in replica.write(people, ()):
            pass
        # As EdgeSync ends: before that an edge says of nobody that there is no such recipient.
        await replica.write_state(State("bench", full=time.time(), synchronized=time.time(), recipients=recipients))
        await replica.close()

    begin = time.perf_counter()
    asyncio.run(work())
    return time.perf_counter() - begin


def slapd_alone(folder: Path, connections: int, seconds: float) -> float:
    """Look-ups a second of a plain client: one hash a question, and a question at a time on each connection."""
    place = state.find(folder)
    password = secret_files.obtain(place, Secret.ADAM)
    counts = [0] * connections
    end = time.monotonic() + seconds

    def ask(which: int) -> None:
        client = ldap.initialize(adam.socket_uri(place))
        client.simple_bind_s(layout.ADMINISTRATOR, password)
        while time.monotonic() < end:
            value = hashlib.sha256(secrets.token_bytes(8)).digest()
            escaped = "".join(f"\\{octet:02x}" for octet in value)
            client.search_s(layout.RECIPIENTS, ldap.SCOPE_ONELEVEL, f"(posternAddressHash={escaped})", ["cn"])
            counts[which] += 1

    threads = [threading.Thread(target=ask, args=(which,)) for which in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / seconds


def tarpit(folder: Path, seconds: float) -> None:
    def change(settings: AgentState) -> None:
        settings.settings["recipient-filter"] = {"tarpit": seconds}

    AgentFile(folder).change(change)
    time.sleep(3)  # workers look every two seconds


def harvest(served: Edge, connections: int, seconds: float, pipelined: int, name: str) -> None:
    """An honest sender runs beside."""
    honest = subprocess.Popen(
        [sys.executable, "-m", "bench.harvest_load", "honest", str(served.port), str(seconds), "0.02", HONEST],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    before = accounting.cpu_seconds([served.worker]), accounting.cpu_seconds([served.slapd])
    asked = load("bench.harvest_load", "harvest", served.port, connections, seconds, pipelined)
    worker, slapd = (
        accounting.cpu_seconds([pid]) - was for pid, was in zip((served.worker, served.slapd), before, strict=True)
    )
    sent = json.loads(honest.communicate(timeout=60)[0])
    count = asked["operations"]
    cores = f"a core: edge {_per_core(count, worker)}, edge and slapd {_per_core(count, worker + slapd)}"
    each = f"CPU/1000 {worker / count * 1000:.3f} + {slapd / count * 1000:.3f} s" if count else ""
    if connections:
        print(f"{name:<28} {count / asked['seconds']:>8,.0f} look-ups/s   {cores}   {each}")
    times = f"median {sent['median'] * 1000:.1f} ms, 99% {sent['p99'] * 1000:.1f} ms"
    cost = f"edge {accounting.pss_bytes([served.worker]) / 1e6:.0f} MB, its CPU {worker / asked['seconds'] * 100:.0f}%"
    title = "  honest mail meanwhile" if connections else "honest mail, no harvest"
    print(f"{title:<28} {sent['messages'] / sent['seconds']:>8,.1f} messages/s   {times}   {cost}", flush=True)


def _per_core(count: float, cpu: float) -> str:
    return f"{count / cpu:,.0f}/s" if cpu and count else "-"


def main() -> int:
    given = [int(word) for word in sys.argv[1:]]
    connections, recipients, seconds = (*given, *(500, 50_000, 10)[len(given) :])
    with tempfile.TemporaryDirectory(prefix="postern-bench-", dir="/var/tmp") as temporary:
        folder = Path(temporary) / "edge"
        Path(temporary).chmod(0o755)
        folder.mkdir(mode=0o700)
        with edge(folder) as served:
            print(f"{recipients:,} recipients in {fill(folder, recipients):.1f} s", flush=True)
            for number in (1, 4):
                print(
                    f"slapd alone, {number} connections      {slapd_alone(folder, number, 4):>8,.0f} look-ups/s",
                    flush=True,
                )
            tarpit(folder, 0)
            harvest(served, 0, seconds, 1, "nobody harvests")
            harvest(served, connections, seconds, 1, f"{connections} connections")
            harvest(served, connections, seconds, 20, f"{connections} connections, 20 at once")
            tarpit(folder, 5)
            harvest(served, connections, seconds, 20, "the same, tarpit of 5 s")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
