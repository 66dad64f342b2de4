"""The subject of a verification: the host, its table and the credentials of the probes. `host.probes` fills in the values."""

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
    mechanisms that an administrator enabled for users. `sockets` is the folder of this host's unix sockets. `reached` are those
    that a process of another account could open; None where that could not be tried, for only root can.
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
    """The certificate of this server, by which direct trust knows it."""
    probe_authority: Certificate | None = None
    """The authority of this host that issues certificates for `probe` and `closed`; None where no door asks clients for one."""
    closed: str = ""
    """The name of an account that is disabled, "" where there is none to try it with."""
    trusted: tuple[TrustedCertificate, ...] = ()
    """The certificates that the directory has for the servers at the other end of direct trust."""
    controllers: tuple[DomainController, ...] = ()
    subscribed: Mapping[str, str] = field(default_factory=dict)
    """On a hub: by the name of each subscribed edge, the site whose hubs serve it."""
    replication: Mapping[str, tuple[Credentials, ...]] = field(default_factory=dict)
    """By the name of each edge, the accounts (DNs) with which this hub can replicate to it now, the best first."""


Dial = Callable[[Path, Sequence[Server], Subject, RowReport], None]
"""Asks these servers on a row, and reports their answers. Never raises: a server that cannot be reached is a failed check."""
