"""Writes typed cells in the reference's style, for our own rows and for cells that a profile changes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from postern.model.security import Mechanism
from postern.paths.row import Path, Port, Tls, Wire

_TLS = {Tls.UPGRADE: " (TLS)", Tls.IMPLICIT: " (SSL)"}
_DYNAMIC = {
    "rpc": "dynamic port (RPC)",
    "random": "random port",
    "sip worker": "dynamic port",
    "rtp": "dynamic port (RTP, UDP)",
}
_SEALS = {"RPC privacy": "RPC encryption", "Kerberos": "Kerberos encryption", "SMB 3": "SMB 3 encryption"}
_LABELS = {
    "epm": "RPC",
    "ldap": "LDAP",
    "global catalogue": "LDAP GC",
    "kerberos": "Kerberos",
    "dns": "DNS",
    "smb": "SMB",
    "kpasswd": "kpasswd",
    "socks": "SOCKS",
    "wingate": "Wingate, Telnet",
    "http": "HTTP",
    "http-01": "http-01",
    "dhcp": "DHCP",
    "dhcpv6": "DHCPv6",
}
"""The names that the reference writes in parentheses behind the ports of a protocol."""


def port_words(ports: Sequence[Port]) -> str:
    """The cell of these ports: "25/TCP (TLS); 88/TCP, 88/UDP (Kerberos); unix socket (ncalrpc)"."""
    kinds = groupby((port for port in ports if port.label != "rpc"), key=lambda port: _LABELS.get(port.label, ""))
    return "; ".join(_group(kind, list(members)) for kind, members in kinds)


def mechanism_words(mechanisms: Sequence[Mechanism]) -> str:
    return ", ".join(mechanisms)


def seal_words(row: Path) -> str:
    if row.seal == "TLS" and any(port.number == 443 for port in row.ports):
        return "HTTPS"
    return _SEALS.get(row.seal, row.seal)


def _group(kind: str, ports: Sequence[Port]) -> str:
    """The text of neighbouring ports: those of one protocol with its name behind them, others one by one."""
    if kind:
        return ", ".join(f"{port.number}/{port.wire}" for port in ports) + f" ({kind})"
    return "; ".join(map(_port, ports))


def _port(port: Port) -> str:
    if port.wire is Wire.UNIX:
        return f"unix socket ({port.label})"
    if port.wire is Wire.ICMP:
        return "ICMP; ICMPv6"
    if port.number is None:
        return _DYNAMIC.get(port.label, "dynamic port")
    clear = " (no SSL)" if port.number == 50389 and port.tls is Tls.NONE else ""
    return f"{port.number}/{port.wire}{_TLS.get(port.tls, clear)}"
