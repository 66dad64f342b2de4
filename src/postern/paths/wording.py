"""Typed cells in the reference's way of writing, for what a profile changes."""

from __future__ import annotations

from collections.abc import Sequence

from postern.model.security import Mechanism
from postern.paths.row import Path, Port, Table, Tls, Wire

_TLS = {Tls.UPGRADE: " (TLS)", Tls.IMPLICIT: " (SSL)"}
_DYNAMIC = {"rpc": "dynamic port (RPC)", "random": "random port", "sip worker": "dynamic port"}
_SEALS = {"RPC privacy": "RPC encryption", "Kerberos": "Kerberos encryption", "SMB 3": "SMB 3 encryption"}


def port_words(ports: Sequence[Port]) -> str:
    """ "25/TCP (TLS); 465/TCP (SSL); unix socket (ncalrpc)"."""
    return "; ".join(_port(port) for port in ports if port.label != "rpc")


def mechanism_words(mechanisms: Sequence[Mechanism]) -> str:
    return ", ".join(mechanisms)


def seal_words(row: Path) -> str:
    if row.seal == "TLS" and row.table is Table.CLIENT_ACCESS and any(port.number == 443 for port in row.ports):
        return "HTTPS"
    return _SEALS.get(row.seal, row.seal)


def _port(port: Port) -> str:
    if port.wire is Wire.UNIX:
        return f"unix socket ({port.label})"
    if port.number is None:
        return _DYNAMIC.get(port.label, "dynamic port")
    clear = " (no SSL)" if port.number == 50389 and port.tls is Tls.NONE else ""
    return f"{port.number}/{port.wire}" + (" (RPC)" if port.label == "epm" else _TLS.get(port.tls, clear))
