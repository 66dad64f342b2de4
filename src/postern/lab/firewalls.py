"""Each host's firewall: the ruleset that `postern paths firewall --host NAME` prints for it, loaded in its namespace."""

from __future__ import annotations

from postern.lab import organization
from postern.lab.folder import Folder
from postern.lab.namespaces import Namespaces
from postern.lab.plan import Machine
from postern.model.organization import Role
from postern.paths.firewall import ruleset


def text(folder: Folder, machine: Machine) -> str:
    """The ruleset of a host, made of the file of the organization; the edge's, of its own file. Raises ConfigurationError."""
    if machine.role is Role.EDGE:
        return ruleset(organization.of(folder, machine), machine.name)
    return ruleset(organization.inside(folder), machine.name)


def load(folder: Folder, namespaces: Namespaces, machine: Machine) -> None:
    """Loads the ruleset in place of a former one; its counters begin at 0. Raises LabError."""
    namespaces.run(machine.name, ["nft", "-f", "-"], stdin=text(folder, machine))
