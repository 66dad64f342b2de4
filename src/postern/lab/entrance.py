"""Runs commands on a host, with the prefix and the environment of `postern lab shell`."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from postern.lab import client
from postern.lab.folder import Folder
from postern.lab.namespaces import Namespaces
from postern.lab.plan import CLIENT1, ROUTER, Kind, machine

_KEPT = ("TERM", "LANG", "LC_ALL", "COLORTERM", "COLUMNS", "LINES", "POSTERN_DEBUG")
_PROMPT = r"\[\e[1;36m\]{host}\[\e[0m\]:\w# "


def environment(folder: Folder, host: str, outside: Mapping[str, str]) -> dict[str, str]:
    """The environment of programs on this host: postern and its state folder, the host's own home, and Kerberos' settings."""
    home = folder.host(host) / "home"
    own = {
        "PATH": f"{Path(sys.executable).parent}:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": str(home),
        "USER": "root",
        "LOGNAME": "root",
        "SHELL": "/bin/bash",
        "KRB5_CONFIG": "/etc/krb5.conf",
        "POSTERN_LAB": str(folder.root),
        "PS1": _PROMPT.format(host=host),
    }
    if host == CLIENT1.name:
        own["PATH"] = f"{home / client.PROGRAMS}:{own['PATH']}"
    if host != ROUTER and machine(host).kind is Kind.SERVER:
        own["POSTERN_STATE"] = str(folder.state(host))
    return {name: outside[name] for name in _KEPT if name in outside} | own


def words(
    folder: Folder, host: str, command: Sequence[str], outside: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """The arguments and the environment to execute; an empty command means a shell. Raises LabError if the host does not run."""
    if host != ROUTER:
        machine(host)
    wanted = list(command) or ["bash", "--norc", "-i"]
    prefix = Namespaces(folder.root).prefix(host)
    prefix.insert(-1, f"--wdns={folder.host(host) / 'home'}")
    return [*prefix, *wanted], environment(folder, host, outside)


def run(folder: Folder, host: str, command: Sequence[str], stdin: str = "", seconds: float = 60.0) -> str:
    """Runs a command on a host as `postern lab shell` would, and returns its output. Raises LabError if it fails."""
    return Namespaces(folder.root).run(host, command, stdin, environment(folder, host, os.environ), seconds)
