"""Free/busy of a client access process: the calendars of all mailbox servers, and the organizations that are asked for theirs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path as FilePath

from postern.model.availability import Availability
from postern.model.domains import a_labels
from postern.protocols.dcerpc.interfaces.availability import MAILBOX_AVAILABILITY
from postern.protocols.ews.foreign_availability import MAX_OCTETS
from postern.roles.outgoing import outgoing
from postern.roles.runtime import Runtime
from postern.roles.server_logon import ServerLogon
from postern.services.access.availability import FreeBusy
from postern.services.ews.other_organizations import ForeignAvailability, OtherOrganization
from postern.services.http.outgoing import target_of
from postern.services.mailbox.client import availability_client
from postern.telemetry.log import Event, log

SECONDS = 20.0
"""Seconds that another organization has for its answer: clients wait for it with those of this one."""


def free_busy(runtime: Runtime, logon: ServerLogon) -> FreeBusy:
    calls = logon.rpc.calls
    clients = calls.clients(runtime.rows["availability-to-mailbox"], MAILBOX_AVAILABILITY)
    calendars = {name: availability_client(rpc, MAILBOX_AVAILABILITY) for name, rpc in clients.items()}

    def server(database: str) -> Availability | None:
        here = calls.server_of(database)
        return calendars.get(here.name) if here is not None else None

    return FreeBusy(logon.directory, logon.shared.sharing, server, _others(runtime))


def _others(runtime: Runtime) -> ForeignAvailability | None:
    organization = runtime.organization
    if not organization.availability:
        return None
    try:
        # An administrator named the place.
        poster = outgoing(runtime, "availability-to-organization", lambda address, port: True, SECONDS, MAX_OCTETS)
    except OSError as error:
        log(Event.AVAILABILITY_FAILED, error=f"the file of authorities cannot be read: {error}")
        return None
    others = {}
    for space in organization.availability:
        target, file = target_of(space.url), FilePath(space.password_file)
        assert target is not None, "the configuration takes no other URL"
        others[a_labels(space.domain)] = OtherOrganization(target, space.user, _reading(file))
    return ForeignAvailability(poster, others)


def _reading(file: FilePath) -> Callable[[], str]:
    """Returns what reads a password from its file, each time, so that a changed one counts at once."""
    return lambda: file.read_text(encoding="utf-8").strip("\r\n")
