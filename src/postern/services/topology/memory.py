"""The last known domain controllers, in a file of the state folder: for the time when DNS is down as this host starts."""

from __future__ import annotations

import contextlib
import ipaddress
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from postern.model.directory import DomainController

_MAX_SIZE = 65_536


@dataclass(frozen=True, slots=True)
class Remembered:
    site: str
    controllers: tuple[DomainController, ...]


def write(file: Path, domain: str, site: str, controllers: Sequence[DomainController]) -> None:
    """Replaces the file. Raises OSError."""
    rows = [[one.fqdn, one.address, one.site, one.global_catalogue] for one in controllers]
    temporary = file.with_suffix(".new")
    with open(temporary, "w", encoding="utf-8", opener=_private) as out:
        json.dump({"domain": domain, "site": site, "controllers": rows}, out)
    os.replace(temporary, file)


def read(file: Path, domain: str) -> Remembered | None:
    """What was known of this domain; none of it counts as up. None where there is nothing to be read."""
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        with open(file, encoding="utf-8") as lines:
            known = json.loads(lines.read(_MAX_SIZE))
        if known["domain"] != domain:
            return None
        controllers = tuple(
            DomainController(str(name), str(ipaddress.ip_address(address)), str(site), False, bool(catalogue), up=False)
            for name, address, site, catalogue in known["controllers"]
        )
        return Remembered(str(known["site"]), controllers)
    return None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
