"""The plan of the lab: five networks, the hosts in them, the domain, and the people. It has values only.

The rest of this package is derived from it; `docs/journeys/lab.md` shows it to users.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from postern.model.organization import Role

DOMAIN = "corp.test"
REALM = "CORP.TEST"
NETBIOS = "CORP"
OTHER_DOMAIN = "other.test"
ADMINISTRATOR = "Administrator"
ADMIN_PASSWORD = "Admin-pass-1"  # noqa: S105 (of a domain that no network of this machine reaches)
PASSWORD = "Postern-demo-1"  # noqa: S105 (of the lab's people, told to the user)
HEADQUARTERS, BRANCH = "Headquarters", "Branch"
ROUTER = "router"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,11}(?<!-)")


class Kind(StrEnum):
    """The kind of a host. It decides which programs run on the host, and how the host is prepared."""

    CONTROLLER = "domain controller"
    SERVER = "server"
    CLIENT = "client"
    INTERNET = "other organization"


@dataclass(frozen=True, slots=True)
class Network:
    """A network of the lab, a /24. `prefix` is its address without the last number: "10.77.1." has the router at 10.77.1.1.
    `name` is also the name of its bridge."""

    name: str
    prefix: str

    @property
    def cidr(self) -> str:
        return f"{self.prefix}0/24"

    @property
    def router(self) -> str:
        return f"{self.prefix}1"


@dataclass(frozen=True, slots=True)
class Machine:
    """A host of the lab."""

    name: str
    kind: Kind
    network: Network
    address: str
    site: str = ""
    role: Role | None = None

    @property
    def fqdn(self) -> str:
        return f"mx.{OTHER_DOMAIN}" if self.kind is Kind.INTERNET else f"{self.name}.{DOMAIN}"

    @property
    def inside(self) -> bool:
        """Whether the host stands inside, with the domain's controllers as its name servers."""
        return self.kind is not Kind.INTERNET and self.role is not Role.EDGE


@dataclass(frozen=True, slots=True)
class Person:
    """A person of the domain. `name` is the account's name, and the left side of the mail address; `server` has the mailbox."""

    name: str
    given_name: str
    surname: str
    server: str = "mbx1"


INTERNAL = Network("internal", "10.77.1.")
PERIMETER = Network("perimeter", "10.77.2.")
CLIENTS = Network("clients", "10.77.3.")
BRANCH_NETWORK = Network("branch", "10.77.4.")
INTERNET = Network("internet", "203.0.113.")
NETWORKS = (INTERNAL, PERIMETER, CLIENTS, BRANCH_NETWORK, INTERNET)

DC1 = Machine("dc1", Kind.CONTROLLER, INTERNAL, "10.77.1.10", HEADQUARTERS)
DC2 = Machine("dc2", Kind.CONTROLLER, BRANCH_NETWORK, "10.77.4.10", BRANCH)
HUB1 = Machine("hub1", Kind.SERVER, INTERNAL, "10.77.1.20", HEADQUARTERS, Role.HUB)
HUB2 = Machine("hub2", Kind.SERVER, BRANCH_NETWORK, "10.77.4.20", BRANCH, Role.HUB)
MBX1 = Machine("mbx1", Kind.SERVER, INTERNAL, "10.77.1.30", HEADQUARTERS, Role.MAILBOX)
CAS1 = Machine("cas1", Kind.SERVER, INTERNAL, "10.77.1.40", HEADQUARTERS, Role.CLIENT_ACCESS)
MBX2 = Machine("mbx2", Kind.SERVER, BRANCH_NETWORK, "10.77.4.30", BRANCH, Role.MAILBOX)
CAS2 = Machine("cas2", Kind.SERVER, BRANCH_NETWORK, "10.77.4.40", BRANCH, Role.CLIENT_ACCESS)
EDGE1 = Machine("edge1", Kind.SERVER, PERIMETER, "10.77.2.20", "", Role.EDGE)
CLIENT1 = Machine("client1", Kind.CLIENT, CLIENTS, "10.77.3.50", HEADQUARTERS)
INTERNET1 = Machine("internet1", Kind.INTERNET, INTERNET, "203.0.113.25")
MACHINES = (DC1, DC2, HUB1, HUB2, MBX1, CAS1, MBX2, CAS2, EDGE1, CLIENT1, INTERNET1)
CONTROLLERS = (DC1, DC2)
SERVERS = tuple(machine for machine in MACHINES if machine.kind is Kind.SERVER)

PEOPLE = (
    Person("alice", "Alice", "Archer"),
    Person("bob", "Bob", "Baker"),
    Person("carol", "Carol", "Carter"),
    Person("dave", "Dave", "Dyer"),
    Person("grace", "Grace", "Green", "mbx2"),
)
STRANGERS = ("erin", "frank")
"""People with a mailbox in the other organization."""


class LabError(Exception):
    """The lab cannot do something; the text says what is wrong, and what to do."""


class NeedsRoot(LabError):
    """The user is not root, who alone may make namespaces and firewalls."""


class NoSuchHost(LabError):
    """No host of the lab has that name."""


RPC_PORTS = (20000, 20019)


def check_name(name: str) -> str:
    """Returns a lab's name if it is valid: so short that the kernel accepts paths of sockets in its folder (unix(7)). Raises
    LabError."""
    if _NAME.fullmatch(name) is None:
        raise LabError(f'"{name}" is no name for a lab: write 1 to 12 of a-z, 0-9 and "-", beginning with a letter')
    return name


def machine(name: str) -> Machine:
    """The host with this name. Raises NoSuchHost if there is none."""
    for candidate in MACHINES:
        if candidate.name == name:
            return candidate
    raise NoSuchHost(f'no host of the lab is called "{name}": it has {", ".join(machine.name for machine in MACHINES)}')
