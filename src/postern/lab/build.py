"""`postern lab up` and `down`: every step from an empty folder to an organization behind its firewalls, and back.

Reads the clock and the machine's processes. The command line prints the progress.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass

from postern.lab import client, controllers, firewalls, internet, network, organization, servers
from postern.lab.folder import Folder, furnish
from postern.lab.namespaces import Lifeline, Namespaces
from postern.lab.plan import DC1, DC2, EDGE1, HUB1, INTERNET1, MACHINES, MBX1, SERVERS, Kind, LabError, NeedsRoot
from postern.lab.steps import LabStep, Progress, run
from postern.model.organization import Profile, Role

_PROGRAMS = ("ip", "nft", "nsenter", "sysctl", "tcpdump", "setsid")
_PATIENCE = 90.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """The options of `postern lab up`. `bare` makes only hosts and networks. With `servers` False the state folders are made,
    but no postern runs, and the forest is not prepared. With `firewalls` False every host may reach every other."""

    profile: Profile = Profile.PRACTICAL
    bare: bool = False
    servers: bool = True
    firewalls: bool = True


def check(whole: bool = True) -> None:
    """Checks that this machine can have a lab. Raises LabError, which names what is missing."""
    if not sys.platform.startswith("linux"):
        raise LabError("the lab is made of Linux namespaces: it needs a Linux machine")
    if os.geteuid() != 0:
        raise NeedsRoot("the lab makes network namespaces and loads firewalls, which root may: type sudo in front")
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        raise LabError(f"{', '.join(missing)} missing: `scripts/setup lab` installs what the lab needs")
    if whole:
        controllers.check()
        internet.check()


def up(folder: Folder, wanted: Wanted, tell: Callable[[Progress], None]) -> None:
    """Builds the lab. If a step fails, every process of the lab is ended, and the logs stay in the folder until `down` or the
    next `up`. Raises LabError, OSError, and the errors of `host` for files that it cannot use."""
    check(whole=not wanted.bare)
    os.umask(0o022)
    with folder.held():
        namespaces = Namespaces(folder.root)
        if namespaces.running():
            raise LabError(f"the lab {folder.name} is up: `postern lab down --name {folder.name}` ends it")
        folder.clear()
        builder = _Builder(folder, namespaces, wanted)
        try:
            run(builder.steps(), tell, namespaces.end)
            builder.commit()
        except BaseException:
            namespaces.end()
            raise


def down(folder: Folder) -> bool:
    """Ends every process of the lab and deletes its folder, also after a crash. False if there was neither."""
    check(whole=False)
    namespaces = Namespaces(folder.root)
    if not folder.exists and not namespaces.running():
        return False
    namespaces.end()
    with folder.held(patience=_PATIENCE):
        # An `up` at the same time has failed by now; processes that it started meanwhile end too.
        namespaces.end()
        folder.remove()
    return True


class _Builder:
    def __init__(self, folder: Folder, namespaces: Namespaces, wanted: Wanted) -> None:
        self.folder = folder
        self.namespaces = namespaces
        self.wanted = wanted
        self.inside = organization.inside_text(MACHINES, wanted.profile)
        self.edge = organization.edge_text(MACHINES, wanted.profile)
        self._lifeline: Lifeline | None = None

    def steps(self) -> list[LabStep]:
        steps = [
            LabStep("files of the hosts", self._files),
            LabStep("networks", self._networks, ("files of the hosts",)),
        ]
        ready = "networks"
        if self.wanted.firewalls and not self.wanted.bare:
            ready = "firewalls"
            steps.append(LabStep(ready, self._firewalls, ("networks",)))
        if self.wanted.bare:
            return steps
        before_join = "dc1"
        if self.wanted.servers:
            before_join = "forest prepared"
            steps += self._server_steps(ready)
        return [
            *steps,
            LabStep("domain", self._domain, (ready,)),
            LabStep("dc1", lambda: controllers.start(self.folder, self.namespaces, DC1), ("domain",)),
            LabStep("dc2 joins", lambda: controllers.join(self.folder, self.namespaces), (before_join,)),
            LabStep("dc2", lambda: controllers.start(self.folder, self.namespaces, DC2), ("dc2 joins",)),
            LabStep("replication", lambda: controllers.connect(self.namespaces), ("dc2",)),
            LabStep("internet1", self._internet, (ready,)),
        ]

    def _server_steps(self, ready: str) -> list[LabStep]:
        """The steps that start servers. The edge needs no domain; hub2 waits for dc2, the controller of its site."""
        steps = [LabStep("forest prepared", lambda: servers.prepare_forest(self.folder), ("dc1",))]
        for machine in SERVERS:
            needs = ready if machine.role is Role.EDGE else "dc2" if machine.site == DC2.site else "forest prepared"
            steps.append(LabStep(machine.name, servers.starter(self.folder, self.namespaces, machine), (needs,)))
        return [
            *steps,
            LabStep("mailboxes", lambda: servers.give_mailboxes(self.folder), (MBX1.name,)),
            LabStep("edge subscribed", lambda: servers.subscribe_edge(self.folder), (EDGE1.name, HUB1.name)),
            LabStep(
                "edge synchronized", lambda: servers.synchronize_edge(self.folder), ("edge subscribed", "mailboxes")
            ),
        ]

    def commit(self) -> None:
        """Lets the lab outlive this process from now on."""
        if self._lifeline is not None:
            self._lifeline.cut()

    def _files(self) -> None:
        self.folder.create(MACHINES)
        organization.make_authority(self.folder, self.inside)
        trusted = self.folder.authority.read_bytes()
        furnish(self.folder, None)
        for machine in MACHINES:
            furnish(self.folder, machine, trusted if machine.kind is Kind.CLIENT else b"")
        client.prepare(self.folder)
        for machine in SERVERS:
            organization.prepare(self.folder, machine, self.edge if machine.role is Role.EDGE else self.inside)

    def _networks(self) -> None:
        self._lifeline = self.namespaces.open_router()
        for machine in MACHINES:
            self.namespaces.open(machine.name)
        network.build_router(self.namespaces)
        for machine in MACHINES:
            network.connect(self.namespaces, machine)

    def _firewalls(self) -> None:
        for machine in MACHINES:
            firewalls.load(self.folder, self.namespaces, machine)

    def _domain(self) -> None:
        controllers.provision(self.folder, self.namespaces)

    def _internet(self) -> None:
        internet.prepare(self.folder)
        internet.start(self.folder, self.namespaces)
        self.namespaces.wait_for(INTERNET1.name, internet.PORTS, self.folder.log(INTERNET1.name, "postfix"))
