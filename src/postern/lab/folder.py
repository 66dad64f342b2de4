"""The lab's folder, and the files that each host sees in place of the machine's.

Everything that a lab writes is below /var/lib/postern-lab/NAME. A host sees the machine's files, but has mounts of its own for
/etc (links to the machine's files, except for those that are written here), /run, /tmp, /dev/shm, and the folders of the servers
that it runs. `keeper` makes the mounts; they vanish with its namespaces.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from postern.lab.plan import DC1, DC2, DOMAIN, INTERNET1, REALM, ROUTER, Kind, LabError, Machine, check_name

BASE = Path("/var/lib/postern-lab")
_SAMBA = {"lib": "/var/lib/samba", "cache": "/var/cache/samba"}
_POSTFIX = {"spool": "/var/spool/postfix", "lib": "/var/lib/postfix"}


class Folder:
    """The folder of one lab on disk. It does not exist before `create`."""

    def __init__(self, name: str, base: Path = BASE) -> None:
        self.name = check_name(name)
        self.root = base / self.name

    @property
    def exists(self) -> bool:
        return self.root.exists()

    def host(self, name: str) -> Path:
        """A host's own folder, with `etc`, `state` (the state folder of its postern), `home` and `logs`."""
        return self.root / "hosts" / name

    def state(self, name: str) -> Path:
        return self.host(name) / "state"

    def log(self, host: str, program: str) -> Path:
        return self.root / "logs" / f"{host}-{program}.log"

    @property
    def authority(self) -> Path:
        """The certificate of the organization's authority, which clients trust."""
        return self.root / "authority" / "ca.pem"

    def create(self, machines: tuple[Machine, ...]) -> None:
        """Makes the folder, and one in it for each host. Raises OSError."""
        # Servers that give up root's rights must still be able to enter their own folders.
        for folder in (self.root.parent, self.root, self.root / "hosts", self.root / "logs", self.root / "authority"):
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
            folder.chmod(0o755)
        (self.root / "logs").chmod(0o700)
        for name in (ROUTER, *(host.name for host in machines)):
            for part in ("", "etc", "machine-etc", "home", "logs", "kept"):
                (self.host(name) / part).mkdir(mode=0o755)
                (self.host(name) / part).chmod(0o755)

    def clear(self) -> None:
        """Deletes the files of an earlier lab of this name. Call it only if no process of that lab runs."""
        for entry in self.root.iterdir():
            shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()

    def remove(self) -> None:
        """Deletes the folder, and with the last lab the folder of all labs. Call it only if no process of the lab runs."""
        shutil.rmtree(self.root, ignore_errors=False)
        try:
            self.root.parent.rmdir()
        except OSError:
            pass

    @contextmanager
    def held(self, patience: float = 0.0) -> Iterator[None]:
        """Admits one `up` or `down` of this lab at a time, and waits `patience` seconds for another. Makes the folder if it is
        missing. Raises LabError."""
        deadline = time.monotonic() + patience
        while (handle := self._lock()) is None:
            if time.monotonic() >= deadline:
                raise LabError(f"the lab {self.name} is being started or ended by another process")
            time.sleep(0.05)
        try:
            yield
        finally:
            os.close(handle)

    def _lock(self) -> int | None:
        """Locks the folder itself; the lock vanishes with its holder, however that ends. None if another process holds it."""
        self.root.mkdir(mode=0o755, parents=True, exist_ok=True)
        handle = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.fstat(handle).st_ino == os.stat(self.root).st_ino:
                return handle
        except (BlockingIOError, FileNotFoundError):
            pass
        os.close(handle)
        return None


def furnish(folder: Folder, machine: Machine | None, trusted: bytes = b"") -> None:
    """Writes a host's own files and the list of its mounts; None is the router. `trusted` are authorities (PEM) that
    a client's programs trust beside the machine's own."""
    name = machine.name if machine is not None else ROUTER
    home = folder.host(name)
    mounts: list[dict[str, object]] = [
        _bind("/etc", home / "machine-etc"),
        _bind(home / "etc", "/etc"),
        *_kept(home),
        _empty("/run", 0o755),
        _empty("/var/tmp", 0o1777),  # noqa: S108 (a file system of the host's own)
        _empty("/dev/shm", 0o1777),  # noqa: S108 (a file system of the host's own)
    ]
    own = {"hostname": f"{name}\n", "hosts": "127.0.0.1 localhost\n"}
    if machine is not None:
        own |= _words(machine)
        mounts += _servers(home, machine)
    _link_etc(home, own)
    if machine is not None and machine.kind is Kind.INTERNET:
        settings = Path("/etc/postfix")
        _link_all(
            settings, home / "machine-etc/postfix", home / "etc/postfix", frozenset({"main.cf", "master.cf", "sasl"})
        )
    if trusted:
        _trust(home, trusted)
    (home / "mounts.json").write_text(json.dumps(mounts, indent=1))


def _bind(source: str | Path, target: str | Path) -> dict[str, object]:
    return {"kind": "bind", "source": str(source), "target": str(target)}


def _empty(target: str, mode: int) -> dict[str, object]:
    return {"kind": "empty", "target": target, "mode": mode}


def _made(target: str | Path, mode: int = 0o755) -> dict[str, object]:
    return {"kind": "folder", "target": str(target), "mode": mode}


def _kept(home: Path) -> Iterator[dict[str, object]]:
    """An empty /tmp. If this program itself lies in /tmp, that part of it stays visible."""
    places = {Path(place).resolve() for place in (__file__, sys.prefix, sys.base_prefix)}
    kept = sorted({Path("/tmp") / place.parts[2] for place in places if place.parts[:2] == ("/", "tmp")})  # noqa: S108 (only compared)
    for number, place in enumerate(kept):
        yield _made(home / "kept" / str(number))
        yield _bind(place, home / "kept" / str(number))
    yield _empty("/tmp", 0o1777)  # noqa: S108 (a file system of the host's own)
    for number, place in enumerate(kept):
        yield _made(place)
        yield _bind(home / "kept" / str(number), place)


def _servers(home: Path, machine: Machine) -> Iterator[dict[str, object]]:
    """Private folders for servers whose folders have fixed paths."""
    wanted = dict(_SAMBA)
    yield _bind(home / "logs", "/var/log")
    yield _made("/var/log/samba")
    yield _made("/run/samba")
    if machine.kind is Kind.INTERNET:
        wanted |= _POSTFIX
    for part, path in wanted.items():
        if os.path.isdir(path):
            (home / part).mkdir(mode=0o755, exist_ok=True)
            status = os.stat(path)
            os.chown(home / part, status.st_uid, status.st_gid)
            yield _bind(home / part, path)


def _words(machine: Machine) -> Mapping[str, str]:
    """The files from which a host knows its own name and its domain."""
    own = {"hosts": f"127.0.0.1 localhost\n{machine.address} {machine.fqdn} {machine.name}\n"}
    if machine.inside:
        near = sorted((DC1, DC2), key=lambda controller: controller.site != (machine.site or DC1.site))
        servers = "".join(f"nameserver {controller.address}\n" for controller in near)
        own["resolv.conf"] = f"search {DOMAIN}\n{servers}options timeout:1 attempts:2\n"
        own["krb5.conf"] = _KRB5.format(
            realm=REALM, domain=DOMAIN, kdcs="".join(f"  kdc = {controller.address}\n" for controller in near)
        )
        own["samba/smb.conf"] = f"[global]\nrealm = {REALM}\nworkgroup = {REALM.partition('.')[0]}\n"
    else:
        own["resolv.conf"] = f"nameserver {INTERNET1.address}\noptions timeout:1 attempts:2\n"
    return own


# Kerberos asks the controllers by address, the near one first. By names from DNS, a controller that is gone costs 10 s.
_KRB5 = """\
[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 rdns = false
[realms]
 {realm} = {{
{kdcs} }}
[domain_realm]
 .{domain} = {realm}
 {domain} = {realm}
"""

_HIDDEN = frozenset({"krb5.keytab", "samba", "postfix", "nsd", "mailname", "krb5.conf.d"})
"""Entries of the machine's own /etc that hosts of the lab must not see."""


def _link_etc(home: Path, own: Mapping[str, str]) -> None:
    """Makes the host's /etc: its own files, and links to all other files of the machine's."""
    for name, text in own.items():
        file = home / "etc" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    for hidden in ("samba", "postfix", "nsd"):
        (home / "etc" / hidden).mkdir(exist_ok=True)
    _link_all(Path("/etc"), home / "machine-etc", home / "etc", _HIDDEN)


def _link_all(machines: Path, seen_at: Path, here: Path, left_out: frozenset[str] = frozenset()) -> None:
    for entry in os.scandir(machines):
        link = here / entry.name
        if entry.name in left_out or link.exists() or link.is_symlink():
            continue
        # A link is copied as it is: its target may be relative to /etc.
        link.symlink_to(os.readlink(entry.path) if entry.is_symlink() else seen_at / entry.name)


def _trust(home: Path, authorities: bytes) -> None:
    """Adds authorities to the bundle that OpenSSL and GnuTLS read by default."""
    bundle = Path("/etc/ssl/certs/ca-certificates.crt")
    if not bundle.exists():
        raise LabError(f"{bundle} is missing: install ca-certificates")
    ssl, seen = home / "etc" / "ssl", home / "machine-etc" / "ssl"
    ssl.unlink()
    (ssl / "certs").mkdir(parents=True)
    (ssl / "certs" / bundle.name).write_bytes(bundle.read_bytes() + authorities)
    _link_all(Path("/etc/ssl"), seen, ssl)
    _link_all(bundle.parent, seen / "certs", ssl / "certs")
