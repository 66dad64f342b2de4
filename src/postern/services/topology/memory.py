"""Keeps the last known domain controllers in a file of the state folder, for the case that DNS is down when this host starts."""

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
    """Replaces the file by these controllers. Raises OSError."""
    rows = [
        [controller.fqdn, controller.address, controller.site, controller.global_catalogue]
        for controller in controllers
    ]
    temporary = file.with_suffix(".new")
    with open(temporary, "w", encoding="utf-8", opener=_private) as out:
        json.dump({"domain": domain, "site": site, "controllers": rows}, out)
    os.replace(temporary, file)


def read(file: Path, domain: str) -> Remembered | None:
    """Reads the controllers of this domain from the file; none of them counts as up. None where nothing can be read."""
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
