"""The status of replication to an edge, and its problems, for monitors and administrators."""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509

from postern.model.edge import Subscription
from postern.model.words import counted
from postern.services.edge.edgesync import LEASE, EdgeSync, EdgeSyncError
from postern.services.edge.pairs import BEGIN_BEFORE, good_until

CERTIFICATE_WARNING = 14 * 86400.0


@dataclass(frozen=True, slots=True)
class EdgeStatus:
    """The status of one edge. Times are seconds since 1970, 0: never. `problems` are sentences; without any, all is well."""

    edge: str
    fqdn: str
    site: str
    holder: str
    synchronized: float
    full: float
    recipients: int
    account_until: float
    certificate_until: float
    problems: tuple[str, ...]


async def status_of(sync: EdgeSync, hub: str, subscription: Subscription, now: float) -> EdgeStatus:
    """Asks an edge for its status. Raises DirectoryUnavailable for the organization's own directory only."""
    problems: list[str] = []
    until, expires = good_until(subscription, hub), certificate_end(subscription.certificate)
    holder, synchronized, full, recipients = "", 0.0, 0.0, 0
    try:
        lease, state = await sync.look(subscription)
    except EdgeSyncError as error:
        problems.append(str(error))
    else:
        holder, synchronized, full = lease.holder if lease else "", state.synchronized, state.full
        recipients = state.recipients
        if not full:
            problems.append("it was never synchronized as a whole: its recipients are not known yet")
        elif now - synchronized > LEASE:
            problems.append(
                f"nobody has replicated to it for {counted(round((now - synchronized) / 60), 'minute')}: its lease is stale"
            )
        if until - now < BEGIN_BEFORE:
            problems.append("this hub's account ends within three days, and none follows it")
    if expires - now < CERTIFICATE_WARNING:
        problems.append("its certificate ends within 14 days: renew it on the edge, and subscribe it anew")
    return EdgeStatus(
        subscription.name,
        subscription.fqdn,
        subscription.site,
        holder,
        synchronized,
        full,
        recipients,
        until,
        expires,
        tuple(problems),
    )


def certificate_end(der: bytes) -> float:
    """The end of a certificate's validity, in seconds since 1970; 0 if it is no certificate."""
    try:
        return x509.load_der_x509_certificate(der).not_valid_after_utc.timestamp()
    except ValueError:
        return 0.0
