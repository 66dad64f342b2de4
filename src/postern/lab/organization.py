"""The files of the lab's own organization: postern.toml, one for the servers inside and one for the edge, and each server's
state folder with a certificate of the organization's authority.

The edge stands outside the domain: its file knows the hubs and the internet, and it is its own authority.
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
    """The file that all servers of the domain share; hosts' firewalls are made of it too."""
    return "".join(
        [
            _head(profile),
            _DOMAIN.format(domain=DOMAIN, netbios=NETBIOS),
            _ACCEPTED.format(domain=DOMAIN),
            *map(_entry, machines),
        ]
    )


def edge_text(machines: Iterable[Machine], profile: Profile) -> str:
    """What an edge is told by hand; the rest comes with EdgeSync."""
    known = [one for one in machines if one.kind is Kind.INTERNET or one.role in (Role.EDGE, Role.HUB)]
    return "".join([_head(profile), _ACCEPTED.format(domain=DOMAIN), *map(_entry, known)])


def _head(profile: Profile) -> str:
    return _HEAD.format(name=NAME, profile=profile, first=RPC_PORTS[0], last=RPC_PORTS[1])


def _entry(machine: Machine) -> str:
    words = {"name": machine.name, "fqdn": machine.fqdn, "address": machine.address, "site": machine.site or _NO_SITE}
    if machine.role is not None:
        return _SERVER.format(role=machine.role, **words)
    return _HOST.format(parties=", ".join(f'"{one}"' for one in _PARTIES[machine.kind]), **words)


def prepare(folder: Folder, machine: Machine, text: str) -> None:
    """Makes a server's state folder. Raises OSError, StateError, ConfigurationError or CertificateError."""
    place = state.create(folder.state(machine.name))
    configuration.write(place, text)
    organization = configuration.parse(text)
    if machine.role is not Role.EDGE:
        _certify(folder, place, organization, machine)
    owner = account.owner(place.root)
    for file in place.certificates.iterdir():
        os.chown(file, owner.uid, owner.gid)


def _certify(folder: Folder, place: StateFolder, organization: Organization, machine: Machine) -> None:
    """A certificate that the one authority signs; its key does not stay with the server."""
    authority = folder.authority.parent
    for name in ("ca.pem", "ca.key"):
        shutil.copy2(authority / name, place.certificates / name)
    server = organization.server(machine.name)
    certificates.ensure(place, organization, server, datetime.datetime.now(datetime.UTC))
    (place.certificates / "ca.key").unlink()


def make_authority(folder: Folder, text: str) -> None:
    """The organization's authority, in the lab's folder: what clients are given to trust."""
    organization = configuration.parse(text)
    own = StateFolder(folder.root / "authority-state", folder.root)
    own.certificates.mkdir(parents=True, mode=0o700)
    certificates.ensure(own, organization, organization.servers[0], datetime.datetime.now(datetime.UTC))
    for name, mode in (("ca.pem", 0o644), ("ca.key", 0o600)):
        shutil.move(own.certificates / name, folder.authority.with_name(name))
        folder.authority.with_name(name).chmod(mode)
    shutil.rmtree(own.root)


def inside(folder: Folder) -> Organization:
    """The organization as the servers of the domain have it. Raises ConfigurationError."""
    return of(folder, next(one for one in SERVERS if one.inside))


def of(folder: Folder, machine: Machine) -> Organization:
    """The organization as this server has it. Raises ConfigurationError."""
    return configuration.load(state.find(folder.state(machine.name)))
