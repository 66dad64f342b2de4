"""Pebble, Let's Encrypt's test server, which nobody here wrote, on a port of its own, with a name server that it asks."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from postern.services.acme import client
from tests.services.name_server import Zone, serving
from tests.support.ports import free_port

NAMES = ("mail.example.test", "example.test", "server1.example.test")
LOOKED_FOR = ("autodiscover.example.test", "autoconfig.example.test")
"""Names that a client access server has beside its own."""
ZONE: Zone = {(name, "A"): ("127.0.0.1",) for name in (*NAMES, *LOOKED_FOR)}


@pytest.fixture
def quick_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looks at orders every few milliseconds: Pebble is at work for no longer, and nobody pays for its looks."""
    monkeypatch.setattr(client, "SHORTEST", 0.01)
    monkeypatch.setattr(client, "LONGEST", 0.05)


@dataclass(frozen=True)
class Pebble:
    """A running Pebble. `authorities` validates its directory; `names` is the port of its name server."""

    directory: str
    authorities: Path
    names: int


@contextlib.contextmanager
def pebble(
    http_port: int,
    zone: Zone = ZONE,
    life: int = 90 * 86_400,
    settings: Mapping[str, str] | None = None,
    **more: object,
) -> Iterator[Pebble]:
    """Starts Pebble, which asks challenges at `http_port`. `life` is that of its certificates, in seconds."""
    program = shutil.which("pebble")
    if program is None:
        pytest.skip("pebble is not installed")
    folder = Path(tempfile.mkdtemp(prefix="pbl-", dir="/tmp"))
    authority, port = trustme.CA(), free_port()
    shown = authority.issue_cert("127.0.0.1", "localhost")
    shown.cert_chain_pems[0].write_to_path(folder / "cert.pem")
    shown.private_key_pem.write_to_path(folder / "key.pem")
    authority.cert_pem.write_to_path(folder / "ca.pem")
    configuration = {
        "listenAddress": f"127.0.0.1:{port}",
        "managementListenAddress": f"127.0.0.1:{free_port()}",
        "certificate": str(folder / "cert.pem"),
        "privateKey": str(folder / "key.pem"),
        "httpPort": http_port,
        "tlsPort": free_port(),
        "ocspResponderURL": "",
        "certificateValidityPeriod": life,
        **more,
    }
    (folder / "config.json").write_text(json.dumps({"pebble": configuration}))
    with name_server(zone) as names, open(folder / "log", "wb") as out:
        process = subprocess.Popen(
            [program, "-config", folder / "config.json", "-dnsserver", f"127.0.0.1:{names}"],
            stdout=out,
            stderr=subprocess.STDOUT,
            env=os.environ | {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_AUTHZREUSE": "0", **(settings or {})},
        )
        try:
            _wait(process, folder / "log")
            yield Pebble(f"https://127.0.0.1:{port}/dir", folder / "ca.pem", names)
        finally:
            process.terminate()
            process.wait(10)
            shutil.rmtree(folder, ignore_errors=True)


def _wait(process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 20
    while "ACME directory available" not in (text := log.read_text(errors="replace")):
        assert process.poll() is None and time.monotonic() < end, text
        time.sleep(0.02)


@contextlib.contextmanager
def name_server(zone: Zone) -> Iterator[int]:
    """Serves a zone from a thread of its own; gives the port."""
    ready, stop, ports = threading.Event(), threading.Event(), list[int]()

    async def serve() -> None:
        async with serving(zone) as server:
            ports.append(server.port)
            ready.set()
            await asyncio.to_thread(stop.wait)

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert ready.wait(10)
        yield ports[0]
    finally:
        stop.set()
        thread.join(10)
