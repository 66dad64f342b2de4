"""Writes krb5.conf for this host's processes. The realm's key distribution centres are the controllers that answer, best first.

libkrb5 tries the addresses in their order and goes on within a second where one is silent. It is told to look nothing up in DNS,
neither centres nor the services' names: a name server that is down would hold up every logon.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from postern.model.directory import DomainController

_MAX_CENTRES = 8

_TEXT = """# Written by Postern's topology service from what the domain's controllers say. Changes are overwritten.
[libdefaults]
 default_realm = {realm}
 dns_lookup_kdc = false
 dns_lookup_realm = false
 dns_canonicalize_hostname = false
 rdns = false
 permitted_enctypes = aes256-cts-hmac-sha1-96 aes128-cts-hmac-sha1-96
[realms]
 {realm} = {{
{centres}
 }}
[domain_realm]
 .{domain} = {realm}
 {domain} = {realm}
"""


def text(domain: str, controllers: Iterable[DomainController]) -> str:
    """Returns the text of the file for this domain (a DNS name; the realm is the same in capitals) and these controllers, best
    first."""
    addresses = list(dict.fromkeys(controller.address for controller in controllers))[:_MAX_CENTRES]
    centres = "\n".join(f"  kdc = [{address}]" if ":" in address else f"  kdc = {address}" for address in addresses)
    return _TEXT.format(realm=domain.upper(), domain=domain.lower(), centres=centres)


def write(file: Path, domain: str, controllers: Sequence[DomainController]) -> bool:
    """Replaces the file if that changes it, and returns whether it did. Without any controller the former file stays. Raises
    OSError."""
    wanted = text(domain, controllers)
    with contextlib.suppress(OSError):
        if file.read_text(encoding="utf-8") == wanted:
            return False
    if not controllers:
        return False
    temporary = file.with_suffix(".new")
    with open(temporary, "w", encoding="utf-8", opener=_readable) as out:
        out.write(wanted)
    os.replace(temporary, file)
    return True


def keep(file: Path, domain: str, controllers: Sequence[DomainController]) -> None:
    """Does as `write`, but raises nothing where the disk is full: the former file stays."""
    with contextlib.suppress(OSError):
        write(file, domain, controllers)


def _readable(path: str, flags: int) -> int:
    return os.open(path, flags, 0o644)
