"""Finds, enters and ends the hosts of the lab. Each host is a set of namespaces that a keeper process holds; nsenter enters them.

Nothing is noted in files. The command lines in /proc show which hosts run, for each keeper's has the folder and the host's name
(`keeper.py`). So a lab whose `up` was killed at any moment is found and ended like any other.
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
    """A process of a host. `pid` is its number on this machine, outside the host's namespaces."""

    pid: int
    command: str


class Lifeline:
    """A pipe to the router's keeper. Until it is cut, the lab ends with this process, however that ends."""

    def __init__(self, handle: int) -> None:
        self._handle = handle

    def cut(self) -> None:
        """Lets the lab outlive this process from now on."""
        os.write(self._handle, b"!")
        os.close(self._handle)


class Namespaces:
    """The hosts of the lab in `folder`. Programs that it starts run as the host's root, with an environment of their own."""

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

    def _open(self, prefix: Sequence[str], host: str, *arguments: str, stdin: int = subprocess.DEVNULL) -> None:
        command = [*prefix, sys.executable, "-I", "-S", str(_KEEPER), str(self.folder), host, *arguments]
        done = subprocess.run(  # noqa: S603 (our own program)
            command, stdin=stdin, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, check=False, timeout=_PATIENCE
        )
        if done.returncode:
            errors = done.stderr.decode(errors="replace").strip()
            raise LabError(f"the namespaces of {host} cannot be made: {errors or done.returncode}")

    def running(self) -> dict[str, int]:
        """The pid of the first process of each host that runs, by host."""
        first_processes: dict[str, int] = {}
        for pid, host in self._keepers():
            with contextlib.suppress(OSError, IndexError, StopIteration):
                status = Path(f"/proc/{pid}/status").read_text()
                numbers = next(line for line in status.splitlines() if line.startswith("NSpid:")).split()
                if numbers[-1] == "1":
                    first_processes[host] = pid
        self._first = first_processes
        return dict(first_processes)

    def first(self, host: str) -> int:
        """The pid of a host's first process. Raises LabError if the host does not run."""
        pid = self._first.get(host) or self.running().get(host)
        if pid is None:
            raise LabError(f"{host} does not run in the lab {self.folder.name}: `postern lab status` shows what does")
        return pid

    def lives(self, host: str) -> bool:
        """Whether a host's first process still runs. The host must have been seen to run before."""
        return host in self._first and os.path.exists(f"/proc/{self._first[host]}/ns/net")

    def processes(self) -> dict[str, list[Process]]:
        """The processes of each host without its first one, by host."""
        places = {os.stat(f"/proc/{pid}/ns/pid").st_ino: host for host, pid in self.running().items()}
        by_host: dict[str, list[Process]] = {host: [] for host in places.values()}
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) in self._first.values():
                continue
            with contextlib.suppress(OSError):
                host = places.get(os.stat(f"/proc/{entry}/ns/pid").st_ino)
                command = (
                    Path(f"/proc/{entry}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                )
                if host is not None and command:
                    by_host[host].append(Process(int(entry), command))
        return by_host

    def end(self) -> None:
        """Ends every process of the lab. Returns when there is none. Raises LabError if some cannot be ended."""
        deadline = time.monotonic() + _PATIENCE
        while keepers := self._keepers():
            if time.monotonic() > deadline:
                raise LabError(f"processes of the lab do not end: {', '.join(str(pid) for pid, _ in keepers)}")
            # The router's keeper first: the kernel ends the others with it, and it is gone when they are.
            for pid, _ in sorted(keepers, key=lambda keeper: keeper[1] != ROUTER):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)
        self._first = {}

    def _keepers(self) -> list[tuple[int, str]]:
        keepers = []
        wanted = [os.fsencode(_KEEPER), os.fsencode(self.folder)]
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            with contextlib.suppress(OSError):
                arguments = Path(f"/proc/{entry}/cmdline").read_bytes().split(b"\0")
                # Any user may give a process such arguments; only root's processes are ours.
                if arguments[3:5] == wanted and len(arguments) > 5 and os.stat(f"/proc/{entry}").st_uid == 0:
                    keepers.append((int(entry), os.fsdecode(arguments[5])))
        return keepers

    def prefix(self, host: str, kinds: Sequence[str] = _KINDS) -> list[str]:
        """The arguments to put before a command that must run on this host."""
        return ["nsenter", f"--target={self.first(host)}", *kinds, "--"]

    def run(
        self,
        host: str,
        command: Sequence[str],
        stdin: str = "",
        environment: Mapping[str, str] | None = None,
        seconds: float = 60.0,
    ) -> str:
        """Runs a program on a host, with `stdin` as its input, and returns its output. If it fails, raises LabError with the
        lines that name the cause, and with the name of the file that has the whole output."""
        try:
            done = subprocess.run(  # noqa: S603 (the lab's own commands, no shell)
                [*self.prefix(host), *command],
                input=stdin,
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
            output = done.stdout + "\n" + done.stderr
            kept = self._keep(f"{host}-{os.path.basename(command[0])}-failed.log", output)
            raise LabError(f"{host}: {' '.join(command[:4])} failed ({done.returncode}){kept}:\n{cause(output)}")
        return done.stdout

    def _keep(self, name: str, output: str) -> str:
        """Writes the whole output of a failed program into the lab's logs. Returns the end of a sentence that names the file;
        "" if it cannot be written."""
        file = self.folder / "logs" / name
        try:
            file.write_text(output, encoding="utf-8")
        except OSError:
            return ""
        return f"; all that it said is in {file}"

    def start(self, host: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None) -> None:
        """Starts a program that goes on running. It becomes a child of the host's first process, and its output goes to `log`."""
        # The shell ends at once, so that no process remains outside the host; the program has a session of its own.
        script = 'log=$1; shift; setsid "$@" </dev/null >>"$log" 2>&1 &'
        self.run(host, ["sh", "-c", script, "sh", str(log), *command], environment=environment)

    def wait_for(self, host: str, ports: Collection[int], log: Path) -> None:
        """Waits until processes of the host listen on each of these TCP ports. Raises LabError, which names `log`."""
        deadline = time.monotonic() + _STARTING
        first, open_ports = self.first(host), set[int]()
        while time.monotonic() < deadline:
            open_ports = {
                listener.local_port
                for listener in sockets.table(first)
                if listener.listening and listener.wire == "TCP"
            }
            if open_ports.issuperset(ports):
                return
            if not self.lives(host):
                raise LabError(f"{host} was switched off")
            time.sleep(_LOOK)
        missing = ", ".join(str(port) for port in ports if port not in open_ports)
        raise LabError(f"{host} does not open its ports {missing}: see {log}")
