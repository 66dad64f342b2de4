"""Makes and starts the domain's two controllers with Samba's programs, as an administrator would."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from postern.lab.folder import Folder
from postern.lab.namespaces import Namespaces
from postern.lab.plan import (
    ADMIN_PASSWORD,
    ADMINISTRATOR,
    BRANCH,
    BRANCH_NETWORK,
    CLIENTS,
    CONTROLLERS,
    DC1,
    DC2,
    DOMAIN,
    HEADQUARTERS,
    INTERNAL,
    MACHINES,
    NETBIOS,
    PASSWORD,
    PEOPLE,
    PERIMETER,
    REALM,
    Kind,
    LabError,
    Machine,
)

_FILLING = Path(__file__).with_name("samba_domain.py")
_SYSTEM_PYTHON = "/usr/bin/python3"
"""The Python for which the system's Samba bindings are built."""

# No file or NetBIOS service: nothing of the lab asks a controller for them.
_SERVICES = "-s3fs,-nbt,-wrepl,-ntp_signd,-dnsupdate"
_KNOWN_WITHIN = 90.0
"""Seconds for a change on one controller to reach the other; mostly it takes one or two."""
PORTS = (53, 88, 135, 389, 464, 636, 3268, 3269)
_NEEDED = ("samba", "samba-tool", "/usr/share/samba/setup/provision.ldif")


def check() -> None:
    """Raises LabError if this machine lacks what a controller needs."""
    for program in _NEEDED:
        if not (Path(program).exists() if program.startswith("/") else shutil.which(program)):
            raise LabError(f"{program} is missing: `scripts/setup lab` installs what the lab needs")


def provision(folder: Folder, namespaces: Namespaces) -> None:
    """Makes the domain on dc1 and fills it. Raises LabError."""
    command = ["samba-tool", "domain", "provision", "--use-rfc2307", f"--realm={REALM}", f"--domain={NETBIOS}"]
    command += ["--server-role=dc", "--dns-backend=SAMBA_INTERNAL", f"--adminpass={ADMIN_PASSWORD}"]
    command += [f"--host-name={DC1.name}", f"--host-ip={DC1.address}", f"--site={HEADQUARTERS}"]
    _remove_configuration(folder, DC1)
    namespaces.run(DC1.name, [*command, *_options(DC1)], seconds=180)
    _forward_nothing(folder, DC1)
    namespaces.run(DC1.name, [_SYSTEM_PYTHON, "-I", str(_FILLING)], stdin=json.dumps(_content()), seconds=60)


def join(folder: Folder, namespaces: Namespaces) -> None:
    """Makes dc2 the domain's second controller; dc1 must answer. Raises LabError."""
    command = ["samba-tool", "domain", "join", DOMAIN, "DC", f"--username={ADMINISTRATOR}%{ADMIN_PASSWORD}"]
    command += [f"--server={DC1.fqdn}", f"--site={BRANCH}", "--dns-backend=SAMBA_INTERNAL"]
    _remove_configuration(folder, DC2)
    namespaces.run(DC2.name, [*command, *_options(DC2)], seconds=180)
    _forward_nothing(folder, DC2)
    namespaces.run(DC2.name, [_SYSTEM_PYTHON, "-I", str(_FILLING)], stdin="{}")


def start(folder: Folder, namespaces: Namespaces, controller: Machine) -> None:
    """Starts Samba on a controller, and waits until it answers. Raises LabError."""
    command = ["samba", "--foreground", "--debug-stdout", "--debuglevel=1", "--model=prefork"]
    log = folder.log(controller.name, "samba")
    namespaces.start(controller.name, command, log)
    namespaces.wait_for(controller.name, PORTS, log)


def connect(namespaces: Namespaces) -> None:
    """Lets dc1 replicate dc2's changes from now on; by itself it would begin within five minutes. Returns when each controller
    knows the service names of both, for until then it issues no ticket for the other. Raises LabError."""
    command = ["samba-tool", "drs", "kcc", DC1.fqdn, f"--username={ADMINISTRATOR}%{ADMIN_PASSWORD}"]
    namespaces.run(DC1.name, command, seconds=120)
    names = [f"{service}/{controller.fqdn}" for controller in CONTROLLERS for service in ("ldap", "HOST")]
    names += [f"{service}/{controller.fqdn}/{DOMAIN}" for controller in CONTROLLERS for service in ("ldap", "GC")]
    question = json.dumps({"await": names, "seconds": _KNOWN_WITHIN})
    for controller in CONTROLLERS:
        namespaces.run(
            controller.name, [_SYSTEM_PYTHON, "-I", str(_FILLING)], stdin=question, seconds=_KNOWN_WITHIN + 30
        )


def _remove_configuration(folder: Folder, controller: Machine) -> None:
    (folder.host(controller.name) / "etc/samba/smb.conf").unlink(missing_ok=True)


def _forward_nothing(folder: Folder, controller: Machine) -> None:
    """Deletes the line "dns forwarder" that samba-tool wrote. It names the first server of resolv.conf, a controller of the
    domain itself: a question that nobody can answer would go round in a circle until it times out."""
    file = folder.host(controller.name) / "etc/samba/smb.conf"
    lines = file.read_text(encoding="utf-8").splitlines(keepends=True)
    file.write_text("".join(line for line in lines if not line.strip().startswith("dns forwarder")), encoding="utf-8")


def _options(controller: Machine) -> list[str]:
    settings = (
        f"interfaces = lo {controller.address}",
        "bind interfaces only = yes",
        "dsdb:schema update allowed = true",
        "prefork children = 1",
        f"server services = {_SERVICES}",
        # Seconds, so short that a change on one controller soon reaches the other.
        "dreplsrv:periodic_startup_interval = 1",
        "dreplsrv:periodic_interval = 10",
        "dreplsrv:notify_interval = 1",
        "kccsrv:periodic_startup_interval = 1",
    )
    return [f"--option={setting}" for setting in settings]


def _content() -> dict[str, object]:
    return {
        "sites": [BRANCH],
        "subnets": {
            INTERNAL.cidr: HEADQUARTERS,
            PERIMETER.cidr: HEADQUARTERS,
            CLIENTS.cidr: HEADQUARTERS,
            BRANCH_NETWORK.cidr: BRANCH,
        },
        "people": [
            {
                "name": person.name,
                "given": person.given_name,
                "surname": person.surname,
                "mail": f"{person.name}@{DOMAIN}",
                "password": PASSWORD,
            }
            for person in PEOPLE
        ],
        "hosts": [{"name": host.fqdn, "address": host.address} for host in MACHINES if host.kind is not Kind.INTERNET],
        "controllers": [
            {"fqdn": controller.fqdn, "address": controller.address, "site": controller.site}
            for controller in CONTROLLERS
        ],
    }
