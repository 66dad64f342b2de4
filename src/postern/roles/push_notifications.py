"""Notifications to subscribers of Exchange Web Services, on the row `ews-notification`."""

from __future__ import annotations

from postern.roles.outgoing import outgoing
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.ews.pushing import Pusher
from postern.services.http.outgoing import Permitted


def pusher(runtime: Runtime, logon: ServerLogon) -> Pusher | None:
    """Returns what sends the notifications of this process; None where the configuration wants none, or nobody can be proven."""
    configured = runtime.organization.push_notifications
    if configured is None:
        return None
    try:
        poster = outgoing(runtime, "ews-notification", Permitted(configured.networks))
    except OSError:  # without the file of authorities, no subscriber can be proven
        return None
    made = Pusher(poster, logon.authenticator.reauthorization.register, configured.clear)
    logon.before_stop.append(made.close)
    return made
