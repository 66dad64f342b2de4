"""The domain's two controllers: Samba's programs, called as an administrator would."""

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
"""Samba's bindings are built for this one."""

# No file or NetBIOS service: nothing of the lab asks a controller for them.
_SERVICES = "-s3fs,-nbt,-wrepl,-ntp_signd,-dnsupdate"
_KNOWN_WITHIN = 90.0
"""Seconds in which what one controller was told reaches the other; it mostly takes one or two."""
PORTS = (53, 88, 135, 389, 464, 636, 3268, 3269)
_NEEDED = ("samba", "samba-tool", "/usr/share/samba/setup/provision.ldif")


def check() -> None:
    """Raises LabError if this machine lacks what a controller needs."""
    for one in _NEEDED:
        if not (Path(one).exists() if one.startswith("/") else shutil.which(one)):
            raise LabError(f"{one} is missing: `scripts/setup lab` installs what the lab needs")


def provision(folder: Folder, namespaces: Namespaces) -> None:
    """Makes the domain on dc1 and fills it. Raises LabError."""
    command = ["samba-tool", "domain", "provision", "--use-rfc2307", f"--realm={REALM}", f"--domain={NETBIOS}"]
    command += ["--server-role=dc", "--dns-backend=SAMBA_INTERNAL", f"--adminpass={ADMIN_PASSWORD}"]
    command += [f"--host-name={DC1.name}", f"--host-ip={DC1.address}", f"--site={HEADQUARTERS}"]
    _remove_configuration(folder, DC1)
    namespaces.run(DC1.name, [*command, *_options(DC1)], seconds=180)
    _forward_nothing(folder, DC1)
    namespaces.run(DC1.name, [_SYSTEM_PYTHON, "-I", str(_FILLING)], given=json.dumps(_content()), seconds=60)


def join(folder: Folder, namespaces: Namespaces) -> None:
    """Makes dc2 the domain's second controller; dc1 must answer. Raises LabError."""
    command = ["samba-tool", "domain", "join", DOMAIN, "DC", f"--username={ADMINISTRATOR}%{ADMIN_PASSWORD}"]
    command += [f"--server={DC1.fqdn}", f"--site={BRANCH}", "--dns-backend=SAMBA_INTERNAL"]
    _remove_configuration(folder, DC2)
    namespaces.run(DC2.name, [*command, *_options(DC2)], seconds=180)
    _forward_nothing(folder, DC2)
    namespaces.run(DC2.name, [_SYSTEM_PYTHON, "-I", str(_FILLING)], given="{}")


def start(folder: Folder, namespaces: Namespaces, controller: Machine) -> None:
    """Starts Samba there, and waits until it answers. Raises LabError."""
    command = ["samba", "--foreground", "--debug-stdout", "--debuglevel=1", "--model=prefork"]
    log = folder.log(controller.name, "samba")
    namespaces.start(controller.name, command, log)
    namespaces.wait_for(controller.name, PORTS, log)


def connect(namespaces: Namespaces) -> None:
    """Lets dc1 read dc2's changes from now on; by itself it would find out within five minutes. Returns when each controller
    knows the service names of both: until then it gives out no ticket for the other. Raises LabError."""
    command = ["samba-tool", "drs", "kcc", DC1.fqdn, f"--username={ADMINISTRATOR}%{ADMIN_PASSWORD}"]
    namespaces.run(DC1.name, command, seconds=120)
    names = [f"{service}/{one.fqdn}" for one in CONTROLLERS for service in ("ldap", "HOST")]
    names += [f"{service}/{one.fqdn}/{DOMAIN}" for one in CONTROLLERS for service in ("ldap", "GC")]
    given = json.dumps({"await": names, "seconds": _KNOWN_WITHIN})
    for one in CONTROLLERS:
        namespaces.run(one.name, [_SYSTEM_PYTHON, "-I", str(_FILLING)], given=given, seconds=_KNOWN_WITHIN + 30)


def _remove_configuration(folder: Folder, controller: Machine) -> None:
    (folder.host(controller.name) / "etc/samba/smb.conf").unlink(missing_ok=True)


def _forward_nothing(folder: Folder, controller: Machine) -> None:
    """Takes the name server to forward to out of what samba-tool wrote. It took the first of resolv.conf, a controller of the
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
        # Seconds: what is written to one controller is soon known to the other.
        "dreplsrv:periodic_startup_interval = 1",
        "dreplsrv:periodic_interval = 10",
        "dreplsrv:notify_interval = 1",
        "kccsrv:periodic_startup_interval = 1",
    )
    return [f"--option={one}" for one in settings]


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
                "name": one.name,
                "given": one.given,
                "surname": one.surname,
                "mail": f"{one.name}@{DOMAIN}",
                "password": PASSWORD,
            }
            for one in PEOPLE
        ],
        "hosts": [{"name": one.fqdn, "address": one.address} for one in MACHINES if one.kind is not Kind.INTERNET],
        "controllers": [{"fqdn": one.fqdn, "address": one.address, "site": one.site} for one in CONTROLLERS],
    }
