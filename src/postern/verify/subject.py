"""What is verified, and with what: values only, filled in by `host.probes`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from postern.model.directory import DomainController, TrustedCertificate
from postern.model.organization import Organization, Server
from postern.model.security import Mechanism
from postern.net.tls import Certificate
from postern.paths.row import Path
from postern.verify.report import RowReport
from postern.verify.sasl_client import Credentials


@dataclass(frozen=True, slots=True)
class Subject:
    """The organization with URLs in place of its private engines, and this host's server in it.

    `probe` is a user, `machine` this server's account, `service` the directory's service account (its DN). `enabled` are the
    mechanisms an administrator switched on for users. `sockets` is the folder of this host's unix sockets; `reached` are
    those that a process of another account could open, None where that could not be tried (only root can).
    """

    organization: Organization
    here: Server
    rows: Mapping[str, Path]
    authority: FilePath
    probe: Credentials
    machine: Credentials
    service: Credentials
    enabled: frozenset[Mechanism]
    sockets: FilePath
    reached: frozenset[FilePath] | None = None
    certificate: Certificate | None = None
    """This server's own, which direct trust knows it by."""
    trusted: tuple[TrustedCertificate, ...] = ()
    """What the directory has of the servers at the other end of direct trust."""
    controllers: tuple[DomainController, ...] = ()
    subscribed: Mapping[str, str] = field(default_factory=dict)
    """On a hub: the edges that have a subscription, by name, with the site whose hubs serve them."""
    replication: Mapping[str, tuple[Credentials, ...]] = field(default_factory=dict)
    """The accounts (their DNs) by which this hub can replicate to an edge now, by the edge's name, the best first."""


Dial = Callable[[Path, Sequence[Server], Subject, RowReport], None]
"""Asks these servers on a row, and reports what they said. Never raises: what cannot be reached is a failed check."""
