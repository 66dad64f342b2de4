"""Thunderbird as Debian ships it, without a display, driven over Marionette (Mozilla's remote control) from the tests.

Every name leads to 127.0.0.1. The ports 80 and 443, which it has no setting for, are led to the organization's by a proxy.
"""

from __future__ import annotations

import base64
import contextlib
import json
import select
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.clients.people import tool
from tests.organization import Organization
from tests.support.ports import free_port

READY = 60.0
SCRIPT = 60_000
"""Milliseconds of one script."""


class Thunderbird:
    """A connection to a running Thunderbird: it runs scripts with all its rights, and takes pictures."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._received = b""
        self._number = 0
        self._message()  # the greeting
        self._ask("WebDriver:NewSession", capabilities={})
        self._ask("Marionette:SetContext", value="chrome")

    def run(self, script: str, *arguments: Any) -> Any:
        """Runs the body of an asynchronous function; its arguments are `a0`, `a1` and so on. Returns what it returns."""
        names = ", ".join([*(f"a{number}" for number in range(len(arguments))), "done"])
        body = (
            f"const [{names}] = arguments;"
            f"(async () => {{ {script} }})().then(value => done([value, '']), error => done([null, `${{error}}`]));"
        )
        answer = self._ask("WebDriver:ExecuteAsyncScript", script=body, args=list(arguments), scriptTimeout=SCRIPT)
        value, error = answer["value"]
        assert not error, error
        return value

    def picture(self, file: Path) -> None:
        file.write_bytes(base64.b64decode(self._ask("WebDriver:TakeScreenshot", full=True)["value"]))

    def _ask(self, command: str, **parameters: Any) -> Any:
        self._number += 1
        wire = json.dumps([0, self._number, command, parameters]).encode()
        self._connection.sendall(b"%d:%s" % (len(wire), wire))
        _, number, error, result = self._message()
        assert number == self._number and not error, error
        return result

    def _message(self) -> Any:
        while b":" not in self._received:
            self._receive()
        size, _, self._received = self._received.partition(b":")
        while len(self._received) < int(size):
            self._receive()
        wire, self._received = self._received[: int(size)], self._received[int(size) :]
        return json.loads(wire)

    def _receive(self) -> None:
        octets = self._connection.recv(65_536)
        assert octets, "Thunderbird is gone"
        self._received += octets


@contextmanager
def started(organization: Organization, folder: Path) -> Iterator[Thunderbird]:
    """Thunderbird with a new profile in `folder`, which trusts the organization's authority."""
    profile, port = folder / "profile", free_port()
    profile.mkdir(parents=True)
    database = f"sql:{profile}"
    for words in (
        ["-N", "--empty-password"],
        ["-A", "-n", "authority", "-t", "C,,", "-i", str(organization.authority)],
    ):
        subprocess.run([tool("certutil"), *words, "-d", database], check=True, capture_output=True, timeout=60)
    with _proxy(organization) as proxy, (folder / "log").open("wb") as log:
        settings = {
            "marionette.port": port,
            "network.dns.forceResolve": "127.0.0.1",
            "network.proxy.type": 1,
            **{f"network.proxy.{kind}": "127.0.0.1" for kind in ("http", "ssl")},
            **{f"network.proxy.{kind}_port": proxy for kind in ("http", "ssl")},
            "network.manage-offline-status": False,
            "app.update.enabled": False,
            "mail.provider.suppress_dialog_on_startup": True,
            "mail.shell.checkDefaultClient": False,
            "mailnews.start_page.enabled": False,
        }
        lines = (f"user_pref({json.dumps(name)}, {json.dumps(value)});\n" for name, value in settings.items())
        (profile / "user.js").write_text("".join(lines))
        command = [tool("thunderbird"), "--headless", "--no-remote", "--profile", str(profile), "--marionette"]
        process = subprocess.Popen(
            [*command, "--remote-allow-system-access"],
            stdout=log,
            stderr=log,
            env={"HOME": str(folder), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TZ": "UTC"},
        )
        try:
            with _connected(port, process) as connection:
                running = Thunderbird(connection)
                # Marionette takes this choice away from users.
                running.run('Services.prefs.setBoolPref("signon.rememberSignons", true)')
                yield running
        finally:
            process.kill()
            process.wait()


def _connected(port: int, process: subprocess.Popen[bytes]) -> socket.socket:
    deadline = time.monotonic() + READY
    while True:
        try:
            connection = socket.create_connection(("127.0.0.1", port), 5)
        except OSError:
            assert process.poll() is None and time.monotonic() < deadline, "Thunderbird does not start"
            time.sleep(0.2)
        else:
            connection.settimeout(2 * SCRIPT / 1000)
            return connection


@contextmanager
def _proxy(organization: Organization) -> Iterator[int]:
    """A proxy for HTTP and CONNECT that leads every host's 80 and 443 to the organization's."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_serve, args=(server, organization), daemon=True).start()
        yield server.getsockname()[1]
        with contextlib.suppress(OSError):
            server.shutdown(socket.SHUT_RDWR)


def _serve(server: socket.socket, organization: Organization) -> None:
    with contextlib.suppress(OSError):
        while True:
            client, _ = server.accept()
            threading.Thread(target=_lead, args=(client, organization), daemon=True).start()


def _lead(client: socket.socket, organization: Organization) -> None:
    with client, contextlib.suppress(OSError, ValueError):
        head = b""
        while b"\r\n\r\n" not in head:
            if not (octets := client.recv(65_536)):
                return
            head += octets
        method, target, _ = head.split(b" ", 2)
        connects = method == b"CONNECT"
        with socket.create_connection(("127.0.0.1", organization.port(443 if connects else 80)), 10) as there:
            if connects:
                client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
            else:
                path = b"/" + target.split(b"/", 3)[3]
                there.sendall(head.replace(target, path, 1))
            while ready := select.select([client, there], [], [], 60)[0]:
                for end in ready:
                    if not (octets := end.recv(65_536)):
                        return
                    (there if end is client else client).sendall(octets)
