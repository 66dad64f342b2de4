"""Ways to break a running lab: each is a context manager that puts everything back; and ways to ask who has noticed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from postern.lab import controllers, servers
from postern.lab.folder import Folder
from postern.lab.namespaces import Namespaces
from postern.lab.plan import machine
from tests.lab.live import POSTERN, Lab, eventually

SAM = "/var/lib/samba/private/sam.ldb"
EDGE = "CN=edge1,CN=Edge Subscriptions,CN=Postern,CN=Services,CN=Configuration,DC=corp,DC=test"


def row(lab: Lab, host: str, path: str) -> str:
    """What `postern verify` on that host says of this row: its verdict."""
    said = json.loads(lab.shell(host, "postern", "verify", "--json", "--path", path, check=False) or "[]")
    return next((str(one["verdict"]) for one in said if one["path"] == path), "nothing")


def cell(lab: Lab, path: str, host: str) -> str:
    return str(lab.verify("--doors", "--path", path)["cells"][path][host]["state"])


def controller_is_up(lab: Lab, host: str, controller: str) -> bool:
    said = json.loads(lab.shell(host, "postern", "topology", "--json", check=False) or '{"controllers": []}')
    return any(one["fqdn"] == f"{controller}.corp.test" and one["up"] for one in said["controllers"])


def events(lab: Lab, host: str, log: str, event: str) -> int:
    """How often this has been said there so far."""
    file = lab.folder / f"hosts/{host}/state/logs/{log}.jsonl"
    return file.read_text().count(f'"event": "{event}"')


@contextmanager
def rules(lab: Lab, **added: str) -> Iterator[None]:
    """A rule at the head of these hosts' chains: `cas1="input tcp dport 993 drop"`."""
    try:
        for host, rule in added.items():
            lab.shell(host, "nft", f"insert rule inet postern {rule}")
        yield
    finally:
        for host in added:
            lab.shell(host, "sh", "-c", f"postern paths firewall --host {host} | nft -f -")


@contextmanager
def running(lab: Lab, host: str, *command: str) -> Iterator[None]:
    """A program there that says something when it is ready, and ends with its standard input."""
    words = [POSTERN, "lab", "shell", "--name", lab.name, host, *command]
    other = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert other.stdout is not None
        assert other.stdout.readline() == "ready\n"
        yield
    finally:
        other.communicate(timeout=20)


@contextmanager
def rogue_listener(lab: Lab) -> Iterator[None]:
    text = "import socket, sys; s = socket.create_server(('', 8080)); print('ready', flush=True); sys.stdin.read()"
    with running(lab, "hub2", sys.executable, "-I", "-c", text):
        yield


@contextmanager
def swapped(lab: Lab, host: str, files: dict[str, Path]) -> Iterator[None]:
    """Another file's content in these files of its state folder; its servers start again with them."""
    before = {lab.folder / "hosts" / host / "state" / name: b"" for name in files}
    before = {place: place.read_bytes() for place in before}
    try:
        for place, other in zip(before, files.values(), strict=True):
            place.write_bytes(other.read_bytes())
        stop(lab, host)
        start(lab, host)
        yield
    finally:
        for place, data in before.items():
            place.write_bytes(data)
        stop(lab, host)
        start(lab, host)


def stop(lab: Lab, host: str) -> None:
    """`postern run` there is told to end, and has ended."""
    file = lab.folder / f"hosts/{host}/state/lock"
    pid = re.findall(r"process (\d+)", file.read_text())[0]
    lab.shell(host, "kill", "-TERM", pid, check=False)
    eventually(f"{host} has stopped", lambda: lab.command("shell", host, "kill", "-0", pid, check=False).returncode, 40)


def start(lab: Lab, host: str, *before: str) -> None:
    """`before`: words that go before `postern run`."""
    folder = Folder(lab.name)
    namespaces = Namespaces(folder.root)
    folder.log(host, "postern").write_text("")  # it is asked whether "ready" is in it
    if before:
        namespaces = Wrapped(folder.root, before)
    servers.starter(folder, namespaces, machine(host))()


class Wrapped(Namespaces):
    """Starts programs under another one."""

    def __init__(self, folder: Path, before: tuple[str, ...]) -> None:
        super().__init__(folder)
        self._before = before

    def start(self, host: str, command: object, log: Path, environment: object = None) -> None:
        super().start(host, [*self._before, *command], log, environment)  # type: ignore[misc, arg-type]  # a starter of the lab itself


@contextmanager
def wrong_clock(lab: Lab, host: str) -> Iterator[None]:
    """A quarter of an hour fast: three times what Kerberos lets pass (RFC 4120 section 3.2.3)."""
    stop(lab, host)
    try:
        start(lab, host, "faketime", "-f", "+15m")
        yield
        stop(lab, host)
    finally:
        start(lab, host)


@contextmanager
def cut_off(lab: Lab, host: str) -> Iterator[None]:
    lab.shell("router", "ip", "link", "set", host, "down")
    try:
        yield
    finally:
        lab.shell("router", "ip", "link", "set", host, "up")


@contextmanager
def hanging(lab: Lab, host: str, program: str) -> Iterator[None]:
    """It keeps its connections and says nothing any more."""
    lab.shell(host, "pkill", "-STOP", "-f", f"^{program}")  # in the host's own process namespace
    try:
        yield
    finally:
        lab.shell(host, "pkill", "-CONT", "-f", f"^{program}")


@contextmanager
def controller_stopped(lab: Lab, host: str) -> Iterator[None]:
    folder = Folder(lab.name)
    lab.shell(host, "pkill", "-TERM", "-o", "-f", "^samba")

    def gone() -> bool:
        return bool(lab.command("shell", host, "pgrep", "-f", "^samba", check=False).returncode)

    try:
        eventually(f"{host} has stopped", gone, 20)
        yield
    finally:
        controllers.start(folder, Namespaces(folder.root), machine(host))


@contextmanager
def account_disabled(lab: Lab, name: str) -> Iterator[None]:
    lab.shell("dc1", "samba-tool", "user", "disable", name)
    try:
        yield
    finally:
        lab.shell("dc1", "samba-tool", "user", "enable", name)


@contextmanager
def attribute_gone(lab: Lab, dn: str, name: str, which: Callable[[str], bool] = bool) -> Iterator[None]:
    """Values of an attribute are deleted in Active Directory, those that `which` says yes to."""
    listed = lab.shell("dc1", "ldbsearch", "-H", SAM, "--cross-ncs", "-b", dn, "-s", "base", name).replace("\n ", "")
    values = [line for line in listed.splitlines() if line.startswith(f"{name}:") and which(line)]
    assert values
    with ExitStack() as back:
        for word in ("delete", "add"):
            text = f"dn: {dn}\nchangetype: modify\n{word}: {name}\n" + "".join(f"{one}\n" for one in values)
            file = lab.folder / f"hosts/dc1/home/{word}.ldif"
            file.write_text(text)
            if word == "add":
                back.callback(lab.shell, "dc1", "ldbmodify", "-H", SAM, "--cross-ncs", str(file))
            else:
                lab.shell("dc1", "ldbmodify", "-H", SAM, "--cross-ncs", str(file))
        yield


@contextmanager
def stripped(lab: Lab) -> Iterator[None]:
    """Somebody between hub2 and hub1 hides that hub1 can do TLS."""
    script = str(Path(__file__).with_name("stripping.py"))
    table = (
        "table ip stripping { chain way { type nat hook prerouting priority -100; "
        "ip saddr 10.77.4.20 tcp dport 25 redirect to :2525 ; } ; }"
    )
    with (
        running(lab, "hub1", sys.executable, "-s", script, "10.77.1.20", "2525", "25"),
        rules(lab, hub1="input tcp dport 2525 accept"),
    ):
        lab.shell("hub1", "nft", table)
        try:
            yield
        finally:
            lab.shell("hub1", "nft", "delete", "table", "ip", "stripping")


def kill(lab: Lab, host: str, process: str) -> None:
    """At once, without a word; its supervisor starts it again."""
    pid = (lab.folder / f"hosts/{host}/state/processes/{process}").read_text().split()[0]
    lab.shell(host, "kill", "-KILL", pid)
