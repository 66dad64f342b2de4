"""A Samba Active Directory domain of the tests' own: controllers in network namespaces that the tests' process reaches directly.

One domain a test run (`samba_domain`, about 8 s), shared by all that need one; a second controller only for who asks
(`samba_second`). Entries are the tests' own business: each makes its own under names of its own and removes what others
could stumble over.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from postern.model.directory import DomainController
from tests.support.needs import needs

_PROGRAMS = ("samba", "samba-tool", "ip", "unshare")
_READY = 60.0
_FOLDERS = {"etc": "/etc/samba", "lib": "/var/lib/samba", "run": "/run/samba"}
_MORE = {"cache": "/var/cache/samba", "log": "/var/log/samba"}


def missing() -> str:
    """What this machine lacks for a domain of its own; "" if nothing."""
    if os.geteuid() != 0:
        return "a Samba domain needs network namespaces, which only root can make"
    lacking = [name for name in _PROGRAMS if _program(name) is None]
    return f"not installed: {', '.join(lacking)} (Debian: samba, samba-ad-provision, iproute2)" if lacking else ""


def _program(name: str) -> str | None:
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


@dataclass(frozen=True)
class Controller:
    name: str
    address: str
    namespace: str
    folder: Path

    @property
    def fqdn(self) -> str:
        return f"{self.name}.{Domain.name}"


class Domain:
    """`controllers` by name ("dc1", and "dc2" once joined); `network` is a /24 whose .1 is the tests' process."""

    name = "corp.test"
    realm = "CORP.TEST"
    netbios = "CORP"
    base = "DC=corp,DC=test"
    configuration = f"CN=Configuration,{base}"
    administrator = "Administrator"
    password = "Admin-pass-1"

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="ad-", dir="/tmp"))
        self.folder.chmod(0o711)
        self._mark = secrets.token_hex(3)
        self.network = _free_network()
        self.controllers: dict[str, Controller] = {}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.krb5_conf = self.folder / "krb5.conf"
        self._keytabs: dict[str, Path] = {}

    # For tests

    def run(self, host: str, argv: Sequence[str], given: str = "", check: bool = True) -> str:
        """Runs a program on a controller, with its Samba's files in their usual places; gives what it printed."""
        done = subprocess.run(
            [*_within(self.controllers[host]), *argv],
            input=given,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, "KRB5_CONFIG": str(self.krb5_conf)},
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(argv)}: {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def samba_tool(self, *argv: str, check: bool = True) -> str:
        return self.run("dc1", ["samba-tool", *argv], check=check)

    def computer(self, name: str, spns: Sequence[str] = ()) -> Path:
        """A computer account (`hub1` is HUB1$) with AES keys, member of "Postern Servers"; returns its keytab. Once each."""
        if name in self._keytabs:
            return self._keytabs[name]
        keytab = self.folder / f"{name}.keytab"
        names = [f"HOST/{name}.{self.name}", *spns]
        # Samba's own bindings are Debian's Python's; one program instead of eight calls of samba-tool, half a second each.
        self.run("dc1", ["/usr/bin/python3", "-c", _COMPUTER, name.upper(), str(keytab), self.base, *names])
        self._keytabs[name] = keytab
        return keytab

    def user(self, name: str, password: str = "Postern-demo-1") -> None:
        """An account that may log on; userPrincipalName is name@corp.test."""
        self.samba_tool("user", "create", name, password)

    def modify(self, dn: str, attribute: str, *values: str) -> None:
        """Replaces an attribute, as administrator, in the controller's own database file."""
        lines = [f"dn: {dn}", "changetype: modify", f"replace: {attribute}", *(f"{attribute}: {v}" for v in values)]
        self.run("dc1", ["ldbmodify", "-H", "/var/lib/samba/private/sam.ldb"], given="\n".join([*lines, ""]))

    def environment(self) -> Mapping[str, str]:
        """For programs and for this process: where Kerberos finds the domain."""
        return {"KRB5_CONFIG": str(self.krb5_conf)}

    def system_socket(self, host: str = "dc1") -> Path:
        """Where LDAP is spoken as the system itself (`samba_writing.SystemClient`)."""
        return self.controllers[host].folder / "lib/private/ldap_priv/ldapi"

    def controller(self, host: str = "dc1") -> DomainController:
        """As a Locator tells of it."""
        known = self.controllers[host]
        return DomainController(known.fqdn, known.address, "Default-First-Site-Name", True, True)

    def signal(self, host: str, number: int) -> None:
        """To all processes of a controller: SIGSTOP hangs it, SIGCONT wakes it."""
        for pid in _pids(self.controllers[host].namespace):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    # Start and stop

    def start(self) -> None:
        _ip("netns", "add", self._space("net"))
        _in(self._space("net"), "link", "set", "lo", "up")
        _in(self._space("net"), "link", "add", "br0", "type", "bridge")
        _in(self._space("net"), "link", "set", "br0", "up")
        _ip("link", "add", f"ad{self._mark}", "type", "veth", "peer", "name", "root", "netns", self._space("net"))
        _in(self._space("net"), "link", "set", "root", "master", "br0", "up")
        _ip("addr", "add", f"{self.network}.1/24", "dev", f"ad{self._mark}")
        _ip("link", "set", f"ad{self._mark}", "up")
        first = self._host("dc1", f"{self.network}.10")
        self._write_krb5_conf()
        self._provision(
            first,
            *("domain", "provision", "--use-rfc2307", f"--realm={self.realm}", f"--domain={self.netbios}"),
            *("--server-role=dc", f"--adminpass={self.password}"),
            *(f"--host-name={first.name}", f"--host-ip={first.address}"),
        )
        self._serve(first)

    def join(self, name: str) -> Controller:
        """One more controller, replicated from the first."""
        joined = self._host(name, f"{self.network}.{10 + len(self.controllers)}")
        self._provision(
            joined,
            *("domain", "join", self.name, "DC", f"-U{self.administrator}%{self.password}"),
            f"--server={self.controllers['dc1'].fqdn}",
        )
        self._write_krb5_conf()
        self._serve(joined)
        return joined

    def stop(self) -> None:
        for controller in self.controllers.values():
            for pid in _pids(controller.namespace):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, 9)
        for process in self._processes.values():
            process.wait(10)
        for controller in self.controllers.values():
            _ip("netns", "del", controller.namespace, check=False)
            shutil.rmtree(f"/etc/netns/{controller.namespace}", ignore_errors=True)
        _ip("link", "del", f"ad{self._mark}", check=False)
        _ip("netns", "del", self._space("net"), check=False)
        shutil.rmtree(self.folder, ignore_errors=True)

    # Within

    def _space(self, name: str) -> str:
        return f"test-{self._mark}-{name}"

    def _host(self, name: str, address: str) -> Controller:
        space, folder = self._space(name), self.folder / name
        for part in (*_FOLDERS, *_MORE):
            (folder / part).mkdir(parents=True)
        controller = self.controllers[name] = Controller(name, address, space, folder)
        _ip("netns", "add", space)
        _in(space, "link", "set", "lo", "up")
        _in(self._space("net"), "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", space)
        _in(self._space("net"), "link", "set", name, "master", "br0", "up")
        _in(space, "addr", "add", f"{address}/24", "dev", "eth0")
        _in(space, "link", "set", "eth0", "up")
        configured = Path("/etc/netns") / space
        configured.mkdir(parents=True)
        first = self.controllers["dc1"].address
        (configured / "resolv.conf").write_text(f"search {self.name}\nnameserver {first}\noptions timeout:1\n")
        (configured / "hosts").write_text(f"127.0.0.1 localhost\n{address} {controller.fqdn} {name}\n")
        return controller

    def _provision(self, controller: Controller, *argv: str) -> None:
        options = (
            f"interfaces=lo {controller.address}",
            "bind interfaces only=yes",
            "dsdb:schema update allowed = true",
        )
        self.run(
            controller.name,
            ["samba-tool", *argv, "--dns-backend=SAMBA_INTERNAL", *(f"--option={option}" for option in options)],
        )
        # samba-tool makes the resolver's name server the one to forward to, which is this controller itself: what it does not
        # know would go round in a circle until it times out.
        file = controller.folder / "etc" / "smb.conf"
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(line for line in lines if not line.strip().startswith("dns forwarder")))

    def _serve(self, controller: Controller) -> None:
        log = controller.folder / "samba.log"
        with open(log, "wb") as out:
            self._processes[controller.name] = subprocess.Popen(
                [*_within(controller), "samba", "-F", "--debug-stdout", "-d1", "--model=prefork"],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _READY
        while not all(_listens(controller.namespace, port) for port in (53, 88, 135, 389, 445, 3268)):
            if time.monotonic() > deadline or self._processes[controller.name].poll() is not None:
                raise RuntimeError(f"samba on {controller.name} did not start:\n{log.read_text()[-3000:]}")
            time.sleep(0.1)

    def _write_krb5_conf(self) -> None:
        kdcs = "\n".join(f"  kdc = {controller.address}" for controller in self.controllers.values())
        self.krb5_conf.write_text(_KRB5_CONF.format(realm=self.realm, kdcs=kdcs, name=self.name))
        self.krb5_conf.chmod(0o644)


_COMPUTER = """
import secrets, sys
from samba.auth import system_session
from samba.net import Net
from samba.param import LoadParm
from samba.samdb import SamDB
import samba.dckeytab

name, keytab, base, *spns = sys.argv[1:]
lp = LoadParm()
lp.load_default()
db = SamDB(lp=lp, session_info=system_session())
account, dn = name + "$", f"CN={name},CN=Computers,{base}"
db.newcomputer(name)
lines = [f"dn: {dn}", "changetype: modify", "replace: msDS-SupportedEncryptionTypes", "msDS-SupportedEncryptionTypes: 24",
         "-", "replace: servicePrincipalName", *(f"servicePrincipalName: {spn}" for spn in spns)]
db.modify_ldif("\\n".join(lines))
db.setpassword(f"(sAMAccountName={account})", secrets.token_urlsafe(24) + "-aA1")
db.enable_account(f"(sAMAccountName={account})")
if not db.search(base, expression="(sAMAccountName=Postern Servers)"):
    db.newgroup("Postern Servers")
db.add_remove_group_members("Postern Servers", [account], add_members_operation=True)
Net(None, lp).export_keytab(keytab=keytab, principal=account)
"""

_KRB5_CONF = """[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
[realms]
 {realm} = {{
{kdcs}
 }}
[domain_realm]
 .{name} = {realm}
"""


def _within(controller: Controller) -> list[str]:
    """Before a command: in the controller's namespaces, its folders where Samba expects them."""
    mounts = "".join(
        f"mount --bind {controller.folder / name} {place}; " for name, place in {**_FOLDERS, **_MORE}.items()
    )
    places = " ".join({**_FOLDERS, **_MORE}.values())
    script = f'set -e; hostname {controller.name}; mkdir -p {places}; {mounts}exec "$@"'
    return ["ip", "netns", "exec", controller.namespace, "unshare", "-m", "-u", "sh", "-c", script, "sh"]


def _ip(*argv: str, check: bool = True) -> str:
    return subprocess.run(["ip", *argv], check=check, capture_output=True, text=True).stdout


def _in(space: str, *argv: str) -> str:
    return _ip("-n", space, *argv)


def _pids(space: str) -> list[int]:
    return [int(pid) for pid in _ip("netns", "pids", space, check=False).split()]


def _listens(space: str, port: int) -> bool:
    done = subprocess.run(
        ["ip", "netns", "exec", space, "cat", "/proc/net/tcp"], capture_output=True, text=True, check=False
    )
    return any(line.split()[1].endswith(f":{port:04X}") for line in done.stdout.splitlines()[1:] if " 0A " in line)


def _free_network() -> str:
    taken = _ip("-4", "addr") + _ip("route")
    for _ in range(1000):
        network = f"10.78.{secrets.randbelow(256)}"
        if f"{network}." not in taken:
            return network
    raise RuntimeError("no free network in 10.78.0.0/16")


@pytest.fixture(scope="session")
@needs("samba", together="samba")
def samba_domain() -> Iterator[Domain]:
    """A running domain with one controller; gone afterwards."""
    if lacking := missing():
        pytest.skip(lacking)
    domain = Domain()
    try:
        domain.start()
        yield domain
    finally:
        domain.stop()


@pytest.fixture(scope="session")
def samba_second(samba_domain: Domain) -> Controller:
    """The same domain with a second controller, dc2."""
    return samba_domain.join("dc2")
