"""Dials the rows of mail, and makes the setting of the checks for each server and row."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from postern.model.organization import Server
from postern.model.security import Mechanism
from postern.net.tls import opportunistic_context, validating_context
from postern.paths.deployment import closed
from postern.paths.row import Path, Port, Tls, Wire
from postern.verify.internet_checks import check_internet_row
from postern.verify.mail_checks import Setting, check_mail_row
from postern.verify.mail_probe import ProbeConnection, SmtpConnection
from postern.verify.report import RowReport
from postern.verify.stranger import stranger_context
from postern.verify.subject import Subject
from postern.verify.waiting import waiting_mechanisms

Client = Callable[[str, int, ssl.SSLContext | None, str], ProbeConnection]
"""Connects to a host and port, with a context for TLS from the first byte, and the name that the server's certificate has."""


@dataclass(frozen=True, slots=True)
class MailRow:
    """Asks every server of a row whose callers authenticate. `client` logs on with the probe account; `by_machine`: with this
    server's own account."""

    client: Client
    by_machine: bool = False

    def __call__(self, row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
        for server in servers:
            setting = _setting(subject, row, server, self.client, self.by_machine)
            check_mail_row(row, _ports(row), setting, report)


def check_strangers_row(row: Path, servers: Sequence[Server], subject: Subject, report: RowReport) -> None:
    """Asks every server of a row on which strangers bring mail."""
    for server in servers:
        check_internet_row(_ports(row), _setting(subject, row, server, SmtpConnection), report)


def _ports(row: Path) -> list[Port]:
    return [port for port in row.ports if port.wire is Wire.TCP and port.tls is not Tls.NONE]


def _setting(subject: Subject, row: Path, server: Server, client: Client, by_machine: bool = False) -> Setting:
    organization = subject.organization

    def connect(port: Port, context: ssl.SSLContext | None) -> ProbeConnection:
        assert port.number is not None
        return client(server.addresses[0], organization.port(port.number), context, server.fqdn)

    # Each host has an authority of its own, so another host's certificate proves nothing here; its ticket does (hub-to-hub).
    own = server.name == subject.here.name
    return Setting(
        connect=connect,
        validating=validating_context(subject.authority) if own else opportunistic_context(),
        stranger=stranger_context(subject.authority if own else None, subject.probe.name),
        credentials=subject.machine if by_machine else subject.probe,
        waiting=waiting_mechanisms(organization, subject.enabled),
        host_name=server.fqdn,
        beside=_beside(subject, row),
    )


def _beside(subject: Subject, row: Path) -> dict[int, frozenset[Mechanism]]:
    """By port number, the mechanisms of the other rows that the same door answers for in this organization."""
    shown: dict[int, frozenset[Mechanism]] = {}
    for other in _others(subject, row):
        for number in {port.number for port in other.ports if port.number is not None}:
            shown[number] = shown.get(number, frozenset()) | frozenset(other.supported_auth)
    return shown


def _others(subject: Subject, row: Path) -> Iterator[Path]:
    for other in subject.rows.values():
        if other.id != row.id and other.callee is row.callee and not closed(subject.organization, other):
            yield other
