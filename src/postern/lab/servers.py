"""Prepares the forest for the organization's servers, carries their keys to them, and starts `postern run` on each, by the
commands that an administrator would give."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from postern.host import account, state
from postern.lab import entrance
from postern.lab.folder import Folder
from postern.lab.namespaces import Namespaces
from postern.lab.plan import (
    ADMIN_PASSWORD,
    ADMINISTRATOR,
    DC1,
    DOMAIN,
    EDGE1,
    HUB1,
    MBX1,
    PEOPLE,
    SERVERS,
    LabError,
    Machine,
)
from postern.lab.steps import cause

_READY = "Postern is ready"
_PATIENCE = 90.0
_LOOK = 0.05


def program() -> str:
    """The `postern` that belongs to this Python."""
    return str(Path(sys.executable).with_name("postern"))


def prepare_forest(folder: Folder) -> None:
    """Runs `postern setup ad` on hub1, and copies each server's keytab into its state folder. Raises LabError or OSError."""
    own = state.find(folder.state(HUB1.name))
    output = own.root / "spool" / "setup"
    command = [program(), "setup", "ad", "--yes", "--user", ADMINISTRATOR, "--password-stdin"]
    command += ["--controller", DC1.fqdn, "--output", str(output), "--state", str(own.root)]
    entrance.run(folder, HUB1.name, command, stdin=f"{ADMIN_PASSWORD}\n", seconds=180)
    for machine in SERVERS:
        made = output / machine.name
        if made.is_dir():
            _carry(made, folder.state(machine.name))
    shutil.rmtree(output)


def _carry(made: Path, root: Path) -> None:
    owner = account.owner(root)
    for file in made.iterdir():
        target = root / "secrets" / file.name
        shutil.copyfile(file, target)
        target.chmod(0o600)
        os.chown(target, owner.uid, owner.gid)


def subscribe_edge(folder: Folder) -> None:
    """Makes a subscription file on edge1, and subscribes it on hub1. Raises LabError."""
    new = [program(), "edge", "subscription", "new", "--server", EDGE1.name]
    text = entrance.run(folder, EDGE1.name, new)
    carried = state.find(folder.state(HUB1.name)).root / "spool" / "subscription.xml"
    carried.touch(mode=0o600)
    owner = account.owner(folder.state(HUB1.name))
    os.chown(carried, owner.uid, owner.gid)
    carried.write_text(text)
    try:
        entrance.run(folder, HUB1.name, [program(), "edge", "subscribe", str(carried), "--server", HUB1.name])
    finally:
        carried.unlink()


def synchronize_edge(folder: Folder) -> None:
    """Runs EdgeSync once, so that the edge knows the mailboxes before the first mail comes. Raises LabError."""
    entrance.run(folder, HUB1.name, [program(), "edge", "sync", "--server", HUB1.name])


def give_mailboxes(folder: Folder) -> None:
    """Gives each of the domain's people a mailbox. Raises LabError."""
    for person in PEOPLE:
        added = [program(), "user", "add", f"{person.name}@{DOMAIN}", "--database", person.server]
        entrance.run(folder, MBX1.name, added)


def starter(folder: Folder, namespaces: Namespaces, machine: Machine) -> Callable[[], None]:
    """Returns a function that starts `postern run` on a host, and returns when the server says that it is ready. It raises
    LabError."""

    def start() -> None:
        log = folder.log(machine.name, "postern")
        command = [program(), "run", "--state", str(folder.state(machine.name)), "--server", machine.name]
        namespaces.start(machine.name, command, log, entrance.environment(folder, machine.name, os.environ))
        _wait(namespaces, machine, log)

    return start


def _wait(namespaces: Namespaces, machine: Machine, log: Path) -> None:
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        output = log.read_text(errors="replace")
        if _READY in output:
            return
        if not namespaces.lives(machine.name):
            raise LabError(f"{machine.name} was switched off")
        if not any("postern" in process.command for process in namespaces.processes().get(machine.name, [])):
            raise LabError(f"{machine.name}: postern run ended (whole log: {log}):\n{cause(output)}")
        time.sleep(_LOOK)
    raise LabError(f"{machine.name} is not ready after {_PATIENCE:.0f} s: see {log}")
