"""A whole organization for tests: `postern run` on a temporary state folder, as a user would start it.

Ports are shifted by an offset that is free; nothing here knows more than a user: the command line, the ports, the files.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.ports import free_offset

POSTERN = str(Path(sys.executable).with_name("postern"))
PASSWORD = "a password for tests"
PORTS = (25, 110, 135, 143, 465, 587, 993, 995)
READY_TIMEOUT = 90.0


@dataclass
class Organization:
    """A running organization. `command` is `postern` with its state; `port(25)` the real number."""

    state: Path
    offset: int
    process: subprocess.Popen[bytes]
    log: Path
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def authority(self) -> Path:
        return self.state / "certificates" / "ca.pem"

    def port(self, number: int) -> int:
        return number + self.offset

    def command(self, *arguments: str, given: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [POSTERN, *arguments, "--state", str(self.state)],
            input=given,
            capture_output=True,
            text=True,
            timeout=120,
            env={**os.environ, "COLUMNS": "200", **self.environment},
        )
        if check and done.returncode:
            raise AssertionError(f"postern {' '.join(arguments)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def add_user(self, name: str) -> str:
        """A mailbox with PASSWORD; returns its address."""
        self.command("user", "add", name, "--password-stdin", given=PASSWORD + "\n")
        return name if "@" in name else f"{name}@example.test"

    def verify(self, *arguments: str) -> dict[str, dict]:
        """The verifier's reports by row id."""
        done = self.command("verify", "--json", *arguments, check=False)
        try:
            return {report["path"]: report for report in json.loads(done.stdout)}
        except ValueError:
            raise AssertionError(f"verify: {done.returncode}\n{done.stdout}\n{done.stderr}") from None

    def workers(self, role: str) -> list[int]:
        """Process ids of a role's workers (and of "slapd", "postgresql")."""
        found = []
        for file in (self.state / "processes").iterdir():
            if file.name.partition(".")[0] == role:
                found.append(int(file.read_text().split()[0]))
        return found

    def stop(self, timeout: float = 15.0) -> float:
        """SIGTERM, as Ctrl-C would; returns the seconds that stopping took."""
        begin = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"not stopped within {timeout} s:\n{self.log.read_text()[-2000:]}") from None
        return time.monotonic() - begin


def start(
    state: Path | None = None,
    offset: int | None = None,
    configuration: Mapping[str, str] | None = None,
    command: tuple[str, ...] = (POSTERN,),
    environment: Mapping[str, str] | None = None,
    arguments: tuple[str, ...] = (),
) -> Organization:
    """Starts and waits until the doors are open. `configuration` are replacements in postern.toml, made before the start
    (the file is written by a first, short start if it is not there); `arguments` are further ones of `run`."""
    state = state or Path(tempfile.mkdtemp(prefix="pt-", dir="/tmp")) / "state"
    # The account that serves must reach the folder (PostgreSQL and slapd never run as root).
    state.parent.chmod(0o755)
    offset = free_offset() if offset is None else offset
    if configuration:
        if not (state / "postern.toml").exists():
            start(state, offset, None, command, environment).stop()
        text = (state / "postern.toml").read_text()
        for old, new in configuration.items():
            assert old in text, f"{old!r} is not in postern.toml"
            text = text.replace(old, new)
        (state / "postern.toml").write_text(text)
    log = state.parent / "run.log"
    said_before = log.stat().st_size if log.exists() else 0
    with open(log, "ab") as out:
        process = subprocess.Popen(
            # SIGHUP asks for new certificates, and must not be ignored because the tests were started by nohup(1).
            [
                "env",
                "--default-signal=HUP",
                *command,
                "run",
                "--state",
                str(state),
                "--offset",
                str(offset),
                *arguments,
            ],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
        )
    organization = Organization(state, offset, process, log, dict(environment or {}))
    deadline = time.monotonic() + READY_TIMEOUT
    while time.monotonic() < deadline:
        if b"Postern is ready" in log.read_bytes()[said_before:]:
            return organization
        if process.poll() is not None:
            break
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise AssertionError(f"postern run did not get ready:\n{log.read_text()[-3000:]}")


def remove(organization: Organization) -> None:
    """Stops it if it still runs, and deletes its folder."""
    if organization.process.poll() is None:
        organization.process.send_signal(signal.SIGTERM)
        try:
            organization.process.wait(15)
        except subprocess.TimeoutExpired:
            organization.process.kill()
            organization.process.wait()
    shutil.rmtree(organization.state.parent, ignore_errors=True)


@contextmanager
def with_users(*names: str) -> Iterator[Organization]:
    """A running organization where these users have mailboxes."""
    made = start()
    try:
        for name in names:
            made.add_user(name)
        yield made
    finally:
        remove(made)
