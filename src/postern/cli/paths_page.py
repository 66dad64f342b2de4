"""Describes rows for people: the cells that `postern paths --json` gives, how a row is enforced, and the page docs/paths.md.

It is pure: it reads the table only, so that the page can be checked to be current.
"""

from __future__ import annotations

from collections.abc import Iterator

from postern.model.organization import Profile
from postern.model.security import Encryption, Mechanism, Seal
from postern.paths.guard import Guard
from postern.paths.row import End, Party, Path, Port, Table, Tls, Wire
from postern.paths.table import TABLE, settle
from postern.trust.framing.sasl import names

CELLS = {
    "ports": "Ports",
    "default_auth": "Default authentication",
    "supported_auth": "Supported authentication",
    "encryption": "Encryption",
    "encrypted_by_default": "Encrypted by default",
}
_TLS = Seal("TLSv1.3", "TLS_AES_256_GCM_SHA384")
_SASL = (Party.HUB, Party.EDGE, Party.CLIENT_ACCESS)
"""Callees that answer SMTP, IMAP and POP, which advertise SASL mechanisms."""
_SETTLED = {
    Encryption.REQUIRED: "required: clear text is refused before authentication",
    Encryption.OFFERED: "offered: always there, never demanded",
    Encryption.NEVER: "never: the row has none",
}


def cells(row: Path) -> dict[str, object]:
    """Returns a row as JSON has it: the reference's own words, and ours where a profile changed a cell."""
    return {
        "path": row.id,
        "table": row.table.value,
        "name": row.name,
        "caller": ", ".join(row.caller),
        "callee": row.callee.value,
        **{key: getattr(row.cells, key) for key in CELLS},
        "ours": row.ours,
    }


def enforcement(row: Path) -> list[str]:
    """Returns what the program does so that nothing else than this row can happen on it, a sentence each."""
    return list(_enforcement(row))


def _enforcement(row: Path) -> Iterator[str]:
    yield "ports: " + "; ".join(map(_port, row.ports)) + "; no other is bound or dialled"
    yield f"encryption {_SETTLED[row.encryption]}"
    guard = Guard([row], frozenset(Mechanism))
    if row.callee in _SASL and any(port.tls is Tls.UPGRADE for port in row.ports):
        yield f"advertised in clear text: {_offered(guard, None)}"
        yield f"advertised inside TLS: {_offered(guard, _TLS)}"
    if Mechanism.PEER in row.supported_auth:
        yield "on the unix socket: the kernel names the caller's account (SO_PEERCRED)"
    refused = [weak for weak in (Mechanism.BASIC, Mechanism.DIGEST, Mechanism.NTLM) if weak not in row.supported_auth]
    refusal = guard.check_mechanism(refused[0], _TLS) if refused else None
    if refusal is not None:
        yield f"refused: {', '.join(refused)} ('{refusal.text}')"
    refusal = guard.check_mechanism(row.default_auth[0], None)
    if refusal is not None:
        yield f"refused in clear text: everything ('{refusal.text}')"
    yield f"every log line, observation and tracking record of it says path={row.id}"


def _offered(guard: Guard, seal: Seal | None) -> str:
    offer = guard.offer(seal, can_upgrade=True)
    return (
        ", ".join((*(("the upgrade to TLS",) if offer.upgrade else ()), *names(offer.mechanisms, binds=True)))
        or "nothing"
    )


def _port(port: Port) -> str:
    if port.wire is Wire.UNIX:
        return f"unix socket {port.label}"
    if port.wire is Wire.ICMP:
        return "ICMP and ICMPv6"
    number = "a port of the dynamic range" if port.number is None else str(port.number)
    how = {Tls.NONE: "", Tls.UPGRADE: ", TLS by command", Tls.IMPLICIT: ", TLS from the first byte"}[port.tls]
    where = {
        End.CALLEE: "",
        End.CALLER: ", at the caller",
        End.BOTH: ", at both ends",
        End.LOCAL: ", on the same host only",
    }[port.end]
    return f"{number}/{port.wire}{f' ({port.label})' if port.label else ''}{how}{where}"


# docs/paths.md

_INTRODUCTION = """\
# The data paths

This page is generated from the table (`postern paths docs`). One test checks that it is current, another compares the
reference's rows with the reference, cell by cell. Nothing listens and nothing dials without a row. The row says which port is
bound, what is advertised and what is refused; its id stands in every log; and the host's firewall is made from it.

- **Authentication**: a caller tries the first mechanism first.
- **Encryption**, in parentheses: *required* (clear text is refused before authentication), as for end users and between most of
  our servers; *offered* (always there, never demanded), as to strangers; or *never*: the row has none.
- A *profile* settles the rows for an organization. `reference` is the tables below to the letter. A new organization starts
  with `practical`, which adds what today's clients need and encrypts what can be encrypted. `hardened` drops NTLM, Digest and
  Basic wherever Kerberos, SCRAM or a certificate can do the work. The end of the page lists each deviation with its reason.
- Rows marked ° are not built: no process listens on them or dials them, and the firewall keeps them closed.
"""
HEADINGS = {
    Table.TRANSPORT: "Transport servers",
    Table.MAILBOX: "Mailbox servers",
    Table.CLIENT_ACCESS: "Client Access servers",
    Table.UNIFIED_MESSAGING: "Unified Messaging servers",
    Table.OURS: "Ours: beyond the reference",
}


def document() -> str:
    """Returns the whole page as Markdown."""
    parts = [_INTRODUCTION]
    for table, heading in HEADINGS.items():
        rows = [row for row in TABLE.values() if row.table is table]
        parts.append(f"\n## {heading}\n\n" + "\n".join(_markdown(rows)) + "\n")
    for profile, against in ((Profile.PRACTICAL, Profile.REFERENCE), (Profile.HARDENED, Profile.PRACTICAL)):
        parts.append(
            f"\n## Differences of `{profile}` from `{against}`\n\n" + "\n".join(_differences(profile, against)) + "\n"
        )
    parts.append("\n## Rows that are not built\n\n" + "\n".join(_waiting()) + "\n")
    return "".join(parts)


def _markdown(rows: list[Path]) -> Iterator[str]:
    yield "| Path | Caller → callee | Ports | Authentication | Supported | Encryption | By default |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        reference = row.cells
        mark = "°" if row.waits else ""
        notes = f"<br>*{row.notes}*" if row.notes else ""
        yield (
            f"| `{row.id}`{mark}<br>{row.name}{notes} | {', '.join(row.caller)} → {row.callee} | {reference.ports} "
            f"| {reference.default_auth} | {reference.supported_auth} | {reference.encryption} ({row.encryption}) "
            f"| {reference.encrypted_by_default} |"
        )


def _differences(profile: Profile, against: Profile) -> Iterator[str]:
    yield "| Path | Cell | Before | After | Reason |"
    yield "|---|---|---|---|---|"
    former = settle(against)
    for row in settle(profile).values():
        changes = differences(row, former[row.id])
        because = "; ".join(why(row, former[row.id]))
        for index, (cell, was, now) in enumerate(changes):
            first, last = (f"`{row.id}`", because) if index == 0 else ("", "")
            yield f"| {first} | {cell} | {was} | {now} | {last} |"


def differences(row: Path, other: Path) -> list[tuple[str, str, str]]:
    """Returns the cells in which two settlings of a row differ: heading, the other's value, this row's value."""
    mine, theirs = cells(row), cells(other)
    changed = [
        (heading, str(theirs[key]), str(mine[key])) for key, heading in CELLS.items() if mine[key] != theirs[key]
    ]
    if row.encryption is not other.encryption:
        changed.append(("Encryption is", str(other.encryption), str(row.encryption)))
    return changed


def why(row: Path, other: Path) -> list[str]:
    """Returns the reasons for which `row` differs; if it is `other` that left the reference, its reasons, turned round."""
    new = [reason for reason in row.reasons if reason not in other.reasons]
    return new or [f"{reason} (not so here)" for reason in other.reasons if reason not in row.reasons]


def _waiting() -> Iterator[str]:
    reasons: dict[str, list[str]] = {}
    for row in TABLE.values():
        if row.waits:
            reasons.setdefault(row.waits, []).append(f"`{row.id}`")
    for reason, ids in reasons.items():
        yield f"- {reason}: {', '.join(ids)}"
