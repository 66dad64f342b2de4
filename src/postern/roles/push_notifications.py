"""Notifications to subscribers of Exchange Web Services, on the row `ews-notification`."""

from __future__ import annotations

from postern.roles.outgoing import outgoing
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.ews.pushing import NoPusher, Pusher
from postern.services.http.outgoing import Permitted
from postern.telemetry.log import Event, log


def pusher(runtime: Runtime, logon: ServerLogon) -> Pusher | NoPusher | None:
    """Returns what sends the notifications of this process, or refuses to where nobody can be proven; None where the
    configuration wants none."""
    configured = runtime.organization.push_notifications
    if configured is None:
        return None
    try:
        poster = outgoing(runtime, "ews-notification", Permitted(configured.networks))
    except OSError as error:
        log(Event.NOTIFICATIONS_OFF, error=f"the file of authorities cannot be read: {error}")
        return NoPusher()
    made = Pusher(poster, logon.authenticator.reauthorization.register, configured.clear)
    logon.before_stop.append(made.close)
    return made
