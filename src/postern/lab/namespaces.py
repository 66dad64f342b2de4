"""A host of the lab as the kernel has it: namespaces that a keeper process holds, found by that process, entered with nsenter.

Nothing is noted in files: which hosts run is read from /proc, where each keeper stands with its folder and its host's name
(`keeper.py`). So a lab whose `up` was killed at any moment is found, and ended, like any other.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from postern.host.supervision import sockets
from postern.lab.plan import ROUTER, LabError
from postern.lab.steps import cause

_KEEPER = Path(__file__).with_name("keeper.py")
_KINDS = ("--mount", "--uts", "--ipc", "--net", "--pid")
_PATIENCE = 20.0
_STARTING = 90.0
_LOOK = 0.05


@dataclass(frozen=True, slots=True)
class Process:
    """`pid` as this machine numbers it."""

    pid: int
    command: str


class Lifeline:
    """While it is held, the lab ends with this process, however that ends."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def cut(self) -> None:
        """From now on the lab outlives this process."""
        os.write(self._handle, b"!")
        os.close(self._handle)


class Namespaces:
    """The hosts of the lab in `folder`. A program started by it runs as root of that host, with an environment of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._first: dict[str, int] = {}

    def open_router(self) -> Lifeline:
        """Creates the router's namespaces, in which those of all other hosts are nested. Raises LabError."""
        reading, writing = os.pipe()
        try:
            self._open([], ROUTER, "tied", stdin=reading)
        except BaseException:
            os.close(writing)
            raise
        finally:
            os.close(reading)
        return Lifeline(writing)

    def open(self, host: str) -> None:
        """Creates another host's namespaces, within the router's. Raises LabError."""
        self._open(["nsenter", f"--target={self.first(ROUTER)}", "--pid"], host)

    def _open(self, prefix: Sequence[str], host: str, *words: str, stdin: int = subprocess.DEVNULL) -> None:
        command = [*prefix, sys.executable, "-I", "-S", str(_KEEPER), str(self.folder), host, *words]
        done = subprocess.run(  # noqa: S603 (our own program)
            command, stdin=stdin, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, check=False, timeout=_PATIENCE
        )
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip()
            raise LabError(f"the namespaces of {host} cannot be made: {said or done.returncode}")

    def running(self) -> dict[str, int]:
        """Each host that runs, with its first process."""
        found: dict[str, int] = {}
        for pid, host in self._keepers():
            with contextlib.suppress(OSError, IndexError, StopIteration):
                status = Path(f"/proc/{pid}/status").read_text()
                numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
                if numbers[-1] == "1":
                    found[host] = pid
        self._first = found
        return dict(found)

    def first(self, host: str) -> int:
        """Its first process. Raises LabError if it does not run."""
        pid = self._first.get(host) or self.running().get(host)
        if pid is None:
            raise LabError(f"{host} does not run in the lab {self.folder.name}: `postern lab status` shows what does")
        return pid

    def lives(self, host: str) -> bool:
        """Whether its first process, known since it was started, still runs."""
        return host in self._first and os.path.exists(f"/proc/{self._first[host]}/ns/net")

    def processes(self) -> dict[str, list[Process]]:
        """What runs on each host, its first process left out."""
        places = {os.stat(f"/proc/{pid}/ns/pid").st_ino: host for host, pid in self.running().items()}
        found: dict[str, list[Process]] = {host: [] for host in places.values()}
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) in self._first.values():
                continue
            with contextlib.suppress(OSError):
                host = places.get(os.stat(f"/proc/{entry}/ns/pid").st_ino)
                words = (
                    Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                )
                if host is not None and words:
                    found[host].append(Process(int(entry), words))
        return found

    def end(self) -> None:
        """Ends every process of the lab. Returns when there is none. Raises LabError if some cannot be ended."""
        deadline = time.monotonic() + _PATIENCE
        while keepers := self._keepers():
            if time.monotonic() > deadline:
                raise LabError(f"processes of the lab do not end: {', '.join(str(pid) for pid, _ in keepers)}")
            # The router's first: the kernel ends the others with it, and lets it go when they are gone.
            for pid, _ in sorted(keepers, key=lambda keeper: keeper[1] != ROUTER):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        self._first = {}

    def _keepers(self) -> list[tuple[int, str]]:
        found = []
        wanted = [os.fsencode(_KEEPER), os.fsencode(self.folder)]
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                # Anybody may give a process such words; only root's are ours.
                if words[3:5] == wanted and len(words) > 5 and os.stat(f"/proc/{entry}").st_uid == 0:
                    found.append((int(entry), os.fsdecode(words[5])))
        return found

    def prefix(self, host: str, kinds: Sequence[str] = _KINDS) -> list[str]:
        """The words before a command that is to run on this host."""
        return ["nsenter", f"--target={self.first(host)}", *kinds, "--"]

    def run(
        self,
        host: str,
        command: Sequence[str],
        given: str = "",
        environment: Mapping[str, str] | None = None,
        seconds: float = 60.0,
    ) -> str:
        """Runs a program there and returns what it printed. Raises LabError with what it said of the cause if it fails, and with
        the name of the file that keeps all it said."""
        try:
            done = subprocess.run(  # noqa: S603 (the lab's own commands, no shell)
                [*self.prefix(host), *command],
                input=given,
                capture_output=True,
                text=True,
                errors="replace",
                env=dict(environment) if environment is not None else None,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"{host}: {command[0]} did not end within {seconds:.0f} seconds") from None
        if done.returncode:
            said = done.stdout + "\n" + done.stderr
            kept = self._keep(f"{host}-{os.path.basename(command[0])}-failed.log", said)
            raise LabError(f"{host}: {' '.join(command[:4])} failed ({done.returncode}){kept}:\n{cause(said)}")
        return done.stdout

    def _keep(self, name: str, said: str) -> str:
        """Writes all that a failed program said into the lab's logs; says where, if that can be done."""
        file = self.folder / "logs" / name
        try:
            file.write_text(said, encoding="utf-8")
        except OSError:
            return ""
        return f"; all that it said is in {file}"

    def start(self, host: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        """Starts a program that stays. It becomes a child of the host's first process, and its words go to `log`."""
        # The shell ends at once, so that nothing of it remains outside; the program has a session of its own.
        script = 'log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 &'
        self.run(host, ["sh", "-c", script, "sh", str(log), *command], environment=environment)

    def wait_for(self, host: str, ports: Collection[int], log: Path) -> None:
        """Until something listens on each of these TCP ports there. Raises LabError; `log` is where to look then."""
        deadline = time.monotonic() + _STARTING
        first, found = self.first(host), set[int]()
        while time.monotonic() < deadline:
            found = {one.local_port for one in sockets.table(first) if one.listening and one.wire == "TCP"}
            if found.issuperset(ports):
                return
            if not self.lives(host):
                raise LabError(f"{host} was switched off")
            time.sleep(_LOOK)
        missing = ", ".join(str(port) for port in ports if port not in found)
        raise LabError(f"{host} does not open its ports {missing}: see {log}")
