"""Notifications to subscribers of Exchange Web Services, on the row `ews-notification`."""

from __future__ import annotations

from postern.net.dns import Resolver
from postern.net.tls import authorities_file, validating_context
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.ews.pushing import Pusher
from postern.services.http.outgoing import Outgoing, Permitted


def pusher(runtime: Runtime, logon: ServerLogon) -> Pusher | None:
    """Returns what sends the notifications of this process; None where the configuration wants none, or nobody can be proven."""
    organization, rows = runtime.organization, runtime.rows
    configured = organization.push_notifications
    if configured is None:
        return None
    try:
        tls = validating_context(authorities_file(organization.authorities))
    except OSError:  # without the file of authorities, no subscriber can be proven
        return None
    outgoing = Outgoing(
        rows["ews-notification"],
        Resolver(rows["any-server-to-dns"], organization.dns_servers),
        runtime.observed,
        tls,
        Permitted(configured.networks),
    )
    made = Pusher(outgoing, logon.authenticator.reauthorization.register, configured.clear)
    logon.before_stop.append(made.close)
    return made
