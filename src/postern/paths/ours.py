"""Rows beyond the reference, marked as ours: what a whole organization also needs, and the paths that stand only in its notes."""

from __future__ import annotations

from postern.model.security import Encryption, Mechanism
from postern.paths.row import Party, Path, Port, Table, Tls, Wire, Words

OURS: tuple[Path, ...] = (
    Path(
        id="internet-to-hub",
        table=Table.OURS,
        name="Internet mail server to Hub Transport (no edge deployed)",
        caller=(Party.INTERNET,),
        callee=Party.HUB,
        ports=(Port(25, Wire.TCP, Tls.UPGRADE),),
        default_auth=(Mechanism.ANONYMOUS,),
        supported_auth=(Mechanism.ANONYMOUS,),
        encryption=Encryption.OFFERED,
        words=Words("25/TCP (TLS)", "Anonymous", "Anonymous", "TLS", "yes", "opportunistic TLS"),
        seal="TLS",
    ),
)
