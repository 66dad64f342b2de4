"""Gives a command's failure its form: a sentence that says what is wrong and then what to do, and an exit status of sysexits.h.

`os.EX_…` has the numbers. Status 1 is kept for a check that ran and found something wrong (`verify`, `edge status`), so that a
script can tell "it is wrong" from "it could not be asked".
"""

from __future__ import annotations

import os

import click

FOUND_WRONG = 1
"""A check found something wrong; there was no failure."""
INTERRUPTED = 130
"""128 and the number of SIGINT, as shells have it."""
READER_GONE = 141
"""128 and the number of SIGPIPE, as shells have it."""

_STATUS = {
    "postern.directory.ad.administrator_connection.NotProven": os.EX_NOPERM,
    "postern.directory.ad.address_policy.PolicyError": os.EX_DATAERR,
    "postern.directory.ad.setup.SetupError": os.EX_CONFIG,
    "postern.directory.ldap.connection.AlreadyThere": os.EX_DATAERR,
    "postern.directory.ldap.connection.NoSuchEntry": os.EX_NOUSER,
    "postern.directory.ldap.connection.Refused": os.EX_NOPERM,
    "postern.directory.ldap.tickets.TicketError": os.EX_NOPERM,
    "postern.directory.settings.AdministrationError": os.EX_DATAERR,
    "postern.directory.settings.NotConfigured": os.EX_CONFIG,
    "postern.directory.settings.NotFound": os.EX_NOUSER,
    "postern.directory.settings.NotPermitted": os.EX_NOPERM,
    "postern.host.certificates.CertificateError": os.EX_CONFIG,
    "postern.host.configuration.ConfigurationError": os.EX_CONFIG,
    "postern.host.edge.EdgeError": os.EX_DATAERR,
    "postern.host.edge.WrongHost": os.EX_CONFIG,
    "postern.host.state.StateError": os.EX_CONFIG,
    "postern.host.supervision.processes.Held": os.EX_TEMPFAIL,
    "postern.lab.plan.NeedsRoot": os.EX_NOPERM,
    "postern.lab.plan.NoSuchHost": os.EX_NOUSER,
    "postern.model.directory.IncompleteAnswer": os.EX_TEMPFAIL,
    "postern.services.acme.client.RateLimited": os.EX_TEMPFAIL,
    "postern.services.agents.dkim_keys.DkimKeyError": os.EX_DATAERR,
    "postern.services.edge.edgesync.CredentialExpired": os.EX_NOPERM,
    "postern.services.edge.edgesync.LeaseHeld": os.EX_TEMPFAIL,
    "postern.services.edge.edgesync.NotSubscribed": os.EX_NOUSER,
    "postern.store.migrations.SchemaError": os.EX_CONFIG,
    "postern.transport.control.NoAnswer": os.EX_TEMPFAIL,
    "postern.transport.lock.QueueLocked": os.EX_TEMPFAIL,
    "postern.trust.certificates.chains.ChainError": os.EX_DATAERR,
    "postern.trust.pool.Overloaded": os.EX_TEMPFAIL,
}
"""By class, whose name stands here so that nothing is imported for it; a class that is not here has its parent's status."""


class Failure(click.ClickException):
    """A command cannot do what was asked. The message says what is wrong and what to do; `status` is an `os.EX_…`."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.exit_code = status  # type: ignore[misc]  # click declares it for the class alone


def status_of(error: Exception) -> int:
    """The exit status for an exception: EX_SOFTWARE for one that is neither ours nor the operating system's.

    EX_UNAVAILABLE is what sysexits.h has for everything of ours that says no more.
    """
    for kind in type(error).__mro__:
        if status := _STATUS.get(f"{kind.__module__}.{kind.__qualname__}"):
            return status
    if type(error).__module__.startswith("postern."):
        return os.EX_UNAVAILABLE
    if isinstance(error, PermissionError):
        return os.EX_NOPERM
    return os.EX_IOERR if isinstance(error, OSError) else os.EX_SOFTWARE


def failure(error: Exception, message: str = "") -> Failure:
    """The failure of a command for an exception that explains itself, or that `message` explains."""
    return Failure(message or str(error), status_of(error))
