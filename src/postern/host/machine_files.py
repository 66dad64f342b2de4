"""Stores the secrets of computer accounts: keytab and password of each server, and the probe's password. They go into this host's
state folder, or into a folder whose parts an administrator carries to other hosts.

Files have mode 0600 and are replaced at once. `trust.kerberos.keytab` makes the keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from postern.directory.ad.servers import keytab_names
from postern.model.organization import Server, StateFolder
from postern.roles.secrets import Secret
from postern.trust.kerberos import keytab
from postern.trust.private_files import replace_file

KEYTAB = "keytab"


@dataclass(frozen=True, slots=True)
class Places:
    """The folders of the files. `output` None means the state folder of this host, for its one server; `keytab` "" means the
    keytab in the state folder."""

    state: StateFolder
    output: Path | None = None
    keytab: str = ""

    def folder(self, server: Server) -> Path:
        return self.state.secrets if self.output is None else self.output / server.name

    def keytab_of(self, server: Server) -> Path:
        return Path(self.keytab) if self.output is None and self.keytab else self.folder(server) / KEYTAB


def is_known(places: Places, server: Server, version: int) -> bool:
    """Whether the account's password is here, and a keytab with its present keys (`version`)."""
    if _read(places.folder(server) / Secret.MACHINE_ACCOUNT) is None:
        return False
    return (server.machine_account, version) in keytab.principals(_read(places.keytab_of(server)) or b"")


def lacks_names(places: Places, server: Server) -> bool:
    """Whether the keytab lacks one of the names that the server serves under."""
    names = {name for name, _ in keytab.principals(_read(places.keytab_of(server)) or b"")}
    return not names.issuperset(keytab_names(server))


def keep(places: Places, realm: str, server: Server, password: str, version: int) -> None:
    """Writes the server's password and keytab. Raises OSError."""
    _write(places.folder(server) / Secret.MACHINE_ACCOUNT, password.encode() + b"\n")
    _write_keytab(places, realm, server, password, version)


def complete(places: Places, realm: str, servers: Sequence[Server]) -> None:
    """Writes keytabs that lack a name again, from the password, and gives the probe's password to all servers. Raises OSError."""
    for server in servers:
        password = _read(places.folder(server) / Secret.MACHINE_ACCOUNT)
        versions = dict(keytab.principals(_read(places.keytab_of(server)) or b""))
        if password is not None and server.machine_account in versions and lacks_names(places, server):
            version = versions[server.machine_account]
            _write_keytab(places, realm, server, password.decode().strip(), version)
    for probe in filter(None, (_read(places.folder(server) / Secret.PROBE_ACCOUNT) for server in servers)):
        keep_probe(places, servers, probe.decode().strip())
        break


def has_probe(places: Places, servers: Sequence[Server]) -> bool:
    return any(_read(places.folder(server) / Secret.PROBE_ACCOUNT) for server in servers)


def keep_probe(places: Places, servers: Sequence[Server], password: str) -> None:
    for server in servers:
        _write(places.folder(server) / Secret.PROBE_ACCOUNT, password.encode() + b"\n")


def forget(places: Places, servers: Sequence[Server]) -> None:
    """Deletes the files of accounts that were removed. Raises OSError."""
    for server in servers:
        folder = places.folder(server)
        for file in (places.keytab_of(server), folder / Secret.MACHINE_ACCOUNT, folder / Secret.PROBE_ACCOUNT):
            file.unlink(missing_ok=True)


def lacking(places: Places, servers: Sequence[Server]) -> Iterator[str]:
    """Says in sentences which files `complete` would write; no account changes by that."""
    for server in servers:
        if _read(places.keytab_of(server)) is not None and lacks_names(places, server):
            yield f"{places.keytab_of(server)} is written again: service names were added."
    if has_probe(places, servers):
        without = [server for server in servers if _read(places.folder(server) / Secret.PROBE_ACCOUNT) is None]
        for server in without:
            yield f"{places.folder(server) / Secret.PROBE_ACCOUNT} is written."


def _write_keytab(places: Places, realm: str, server: Server, password: str, version: int) -> None:
    services = [f"host/{server.fqdn}", *keytab_names(server)]
    content = keytab.keytab(realm, server.machine_account, password, version, dict.fromkeys(services))
    _write(places.keytab_of(server), content)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes() or None
    except FileNotFoundError:
        return None


def _write(path: Path, content: bytes) -> None:
    """Replaces a file, and makes its folder if need be."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    replace_file(path, content)
