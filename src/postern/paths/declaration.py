"""Makes the typed rows of the lines of the table that a person writes.

A line's columns are id, "caller > callee", ports, the default mechanisms in order ("NTLM, Kerberos"), and the encryption ("TLS"),
followed by `offered` or `never` where it is not required. Its words are those of `row.Party`, `model.security.Mechanism` and
`row.SEALS`; an unknown word raises ValueError when the table is imported. `row` adds the reference's cells to a line; `own`
composes the cells of a row that the reference does not have. The other fields of a row follow by name: `row.Knowledge`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Unpack

from postern.model.security import Encryption, Mechanism
from postern.paths.reference import LINES
from postern.paths.row import SEALS, Cells, Knowledge, Party, Path, Port, Table
from postern.paths.wording import mechanism_words, port_words, seal_words

_NONE: Mapping[str, str] = MappingProxyType({})


def row(
    id: str,
    who: str,
    ports: tuple[Port, ...],
    auth: str,
    encryption: str,
    *,
    supported: str = "",
    **known: Unpack[Knowledge],
) -> Path:
    """The reference's row of this id. `supported` are its mechanisms, if they are not just the default ones. Raises KeyError
    for an id that the reference does not have."""
    line = LINES[id]
    made = _declared(id, line.table, line.name, who, ports, auth, encryption, supported, line.cells)
    return replace(made, **known)


def own(
    id: str,
    who: str,
    ports: tuple[Port, ...],
    auth: str,
    encryption: str,
    *,
    name: str,
    supported: str = "",
    notes: str = "",
    cells: Mapping[str, str] = _NONE,
    **known: Unpack[Knowledge],
) -> Path:
    """A row beyond the reference. Its cells are composed in the reference's style from the typed values; `cells` has those
    that are worded otherwise, by the fields of `Cells`."""
    blank = Cells("", "", "", "", "", notes)
    made = _declared(id, Table.OURS, name, who, ports, auth, encryption, supported, blank)
    never = made.encryption is Encryption.NEVER
    composed = replace(
        blank,
        ports=port_words(ports),
        default_auth=mechanism_words(made.default_auth),
        supported_auth=mechanism_words(made.supported_auth),
        encryption=seal_words(made) or "none",
        encrypted_by_default="no" if never else "yes",
    )
    return replace(made, cells=replace(composed, **cells), **known)


def _declared(
    id: str,
    table: Table,
    name: str,
    who: str,
    ports: tuple[Port, ...],
    auth: str,
    encryption: str,
    supported: str,
    cells: Cells,
) -> Path:
    callers, _, callee = who.partition(" > ")
    seal, asked = _encryption(encryption)
    return Path(
        id=id,
        table=table,
        name=name,
        caller=tuple(map(Party, callers.split(", "))),
        callee=Party(callee),
        ports=ports,
        default_auth=_mechanisms(auth),
        supported_auth=_mechanisms(supported or auth),
        encryption=asked,
        cells=cells,
        seal=seal,
    )


def _mechanisms(text: str) -> tuple[Mechanism, ...]:
    return tuple(map(Mechanism, text.split(", ")))


def _encryption(text: str) -> tuple[str, Encryption]:
    """ "RPC privacy" is required, "TLS offered" is not, and "never" names nothing that could encrypt."""
    asked = Encryption.REQUIRED
    for weaker in (Encryption.OFFERED, Encryption.NEVER):
        if text.endswith(weaker):
            text, asked = text.removesuffix(weaker).rstrip(), weaker
    if text not in SEALS:
        raise ValueError(f"nothing that encrypts is called {text!r}")
    return text, asked
