"""Writes the files of the lab's own organization: a postern.toml for the servers inside and one for the edge, and each server's
state folder with a certificate of the organization's authority.

The edge stands outside the domain: its file names the hubs and the internet, and it has an authority of its own.
"""

from __future__ import annotations

import datetime
import os
import shutil
from collections.abc import Iterable

from postern.host import account, certificates, configuration, state
from postern.lab.folder import Folder
from postern.lab.plan import DOMAIN, NETBIOS, RPC_PORTS, SERVERS, Kind, Machine
from postern.model.organization import Organization, Profile, Role, StateFolder

NAME = "Corp"

_HEAD = """\
# The lab's. Everything that is not here has its default: see the postern.toml of a first start.
[organization]
name = "{name}"
profile = "{profile}"
rpc-ports = [{first}, {last}]
"""
_DOMAIN = """
[active-directory]
domain = "{domain}"
netbios = "{netbios}"
"""
_ACCEPTED = """
[[domain]]
name = "{domain}"
type = "authoritative"
"""
_SERVER = """
[[server]]
name = "{name}"
fqdn = "{fqdn}"
roles = ["{role}"]
addresses = ["{address}"]
site = "{site}"
workers = 1
"""
_HOST = """
[[host]]
name = "{name}"
fqdn = "{fqdn}"
parties = [{parties}]
addresses = ["{address}"]
site = "{site}"
"""
_PARTIES = {
    Kind.CONTROLLER: ("active-directory", "name-server", "time-server"),
    Kind.CLIENT: ("client", "administrator"),
    Kind.INTERNET: ("internet", "name-server"),
}
_NO_SITE = "Default-First-Site-Name"


def inside_text(machines: Iterable[Machine], profile: Profile) -> str:
    """The postern.toml that all servers of the domain share. The firewalls of hosts inside are made of it too."""
    return "".join(
        [
            _head(profile),
            _DOMAIN.format(domain=DOMAIN, netbios=NETBIOS),
            _ACCEPTED.format(domain=DOMAIN),
            *map(_entry, machines),
        ]
    )


def edge_text(machines: Iterable[Machine], profile: Profile) -> str:
    """The postern.toml of the edge, as an administrator writes it; EdgeSync brings the rest."""
    listed = [machine for machine in machines if machine.kind is Kind.INTERNET or machine.role in (Role.EDGE, Role.HUB)]
    return "".join([_head(profile), _ACCEPTED.format(domain=DOMAIN), *map(_entry, listed)])


def _head(profile: Profile) -> str:
    return _HEAD.format(name=NAME, profile=profile, first=RPC_PORTS[0], last=RPC_PORTS[1])


def _entry(machine: Machine) -> str:
    fields = {"name": machine.name, "fqdn": machine.fqdn, "address": machine.address, "site": machine.site or _NO_SITE}
    if machine.role is not None:
        return _SERVER.format(role=machine.role, **fields)
    return _HOST.format(parties=", ".join(f'"{party}"' for party in _PARTIES[machine.kind]), **fields)


def prepare(folder: Folder, machine: Machine, text: str) -> None:
    """Makes a server's state folder. Raises OSError, StateError, ConfigurationError or CertificateError."""
    state_folder = state.create(folder.state(machine.name))
    configuration.write(state_folder, text)
    organization = configuration.parse(text)
    if machine.role is not Role.EDGE:
        _certify(folder, state_folder, organization, machine)
    owner = account.owner(state_folder.root)
    for file in state_folder.certificates.iterdir():
        os.chown(file, owner.uid, owner.gid)


def _certify(folder: Folder, state_folder: StateFolder, organization: Organization, machine: Machine) -> None:
    """Makes a certificate that the organization's authority signs. The authority's key does not stay with the server."""
    authority = folder.authority.parent
    for name in ("ca.pem", "ca.key"):
        shutil.copy2(authority / name, state_folder.certificates / name)
    server = organization.server(machine.name)
    certificates.ensure(state_folder, organization, server, datetime.datetime.now(datetime.UTC))
    (state_folder.certificates / "ca.key").unlink()


def make_authority(folder: Folder, text: str) -> None:
    """Makes the organization's authority in the lab's folder. Clients are given its certificate to trust."""
    organization = configuration.parse(text)
    own = StateFolder(folder.root / "authority-state", folder.root)
    own.certificates.mkdir(parents=True, mode=0o700)
    certificates.ensure(own, organization, organization.servers[0], datetime.datetime.now(datetime.UTC))
    for name, mode in (("ca.pem", 0o644), ("ca.key", 0o600)):
        shutil.move(own.certificates / name, folder.authority.with_name(name))
        folder.authority.with_name(name).chmod(mode)
    shutil.rmtree(own.root)


def inside(folder: Folder) -> Organization:
    """The organization in the file of the domain's servers. Raises ConfigurationError."""
    return of(folder, next(server for server in SERVERS if server.inside))


def of(folder: Folder, machine: Machine) -> Organization:
    """The organization in this server's file. Raises ConfigurationError."""
    return configuration.load(state.find(folder.state(machine.name)))
