"""SASL GSSAPI (RFC 4752), the server's side, on python-gssapi. No security layer: the connection's TLS is the layer.

Reads the keytab. A principal is someone's only in our own realm, and only while the directory has an enabled account. The
groups of a ticket's PAC come with the identity.
"""

from __future__ import annotations

import importlib
from typing import Any

from postern.model.directory import DirectoryUnavailable
from postern.model.security import Mechanism, Peer
from postern.trust.acceptor import FAILED, TOO_MANY, UNAVAILABLE, Challenge, Denied, Granted
from postern.trust.kerberos.errors import Cause, cause_of, report
from postern.trust.kerberos.principal import Principals, Ticket, ticket_of
from postern.trust.passwords.judge import Judge
from postern.trust.passwords.pool import Overloaded

gssapi: Any
try:
    gssapi = importlib.import_module("gssapi")
except (ImportError, OSError):  # the extra postern[kerberos] is not installed, or libkrb5 is missing
    gssapi = None

_MAX_TOKEN = 65_536
_MAX_STEPS = 6
_NO_LAYER = b"\x01"
_OFFER = _NO_LAYER + b"\0\0\0"  # RFC 4752 section 3.1: with no layer the size is zero


def usable(keytab: str) -> bool:
    """Whether tickets can be accepted with this keytab."""
    if gssapi is None:
        return False
    try:
        _credentials(keytab)
    except gssapi.exceptions.GSSError:
        return False
    return True


class GssapiServer:
    def __init__(self, judge: Judge, peer: Peer, principals: Principals, keytab: str, binding: bytes) -> None:
        self._judge = judge
        self._peer = peer
        self._principals = principals
        self._keytab = keytab
        self._binding = binding
        self._context: Any = None
        self._ticket: Ticket | None = None
        self._steps = 0
        self._offered = False

    async def step(self, response: bytes | None) -> Challenge | Granted | Denied:
        if response is None:
            return Challenge(b"")
        self._steps += 1
        if self._steps > _MAX_STEPS or len(response) > _MAX_TOKEN:
            return FAILED
        try:
            if self._offered:
                return await self._finish(response)
            if self._context is None or not self._context.complete:
                token = await self._judge.in_pool(lambda: self._accept(response), self._peer)
                if token or not self._context.complete:
                    return Challenge(token)
            elif response:
                return FAILED
            self._offered = True
            return Challenge(bytes(self._context.wrap(_OFFER, False).message))
        except gssapi.exceptions.GSSError as error:
            cause = cause_of(error.min_code, Cause.WRONG)
            report(cause, error.min_code)
            return FAILED if cause is Cause.WRONG else UNAVAILABLE
        except DirectoryUnavailable:
            return UNAVAILABLE
        except Overloaded:
            return TOO_MANY

    def _accept(self, token: bytes) -> bytes:
        """Blocks: libkrb5 reads the keytab and syncs its replay cache."""
        if self._context is None:
            credentials = _credentials(self._keytab)
            # Whoever binds must bind to this channel (RFC 5929); who does not is let in all the same (MIT since 1.19).
            bindings = gssapi.raw.ChannelBindings(application_data=self._binding) if self._binding else None
            self._context = gssapi.SecurityContext(creds=credentials, usage="accept", channel_bindings=bindings)
            self._context.__DEFER_STEP_ERRORS__ = False  # else a failed step looks like one that goes on
        answer = bytes(self._context.step(token) or b"")
        if self._context.complete:
            self._ticket = ticket_of(self._context)
        return answer

    async def _finish(self, response: bytes) -> Granted | Denied:
        """The client's choice of layer and the name it wants: RFC 4752 section 3.2."""
        choice = bytes(self._context.unwrap(response).message)
        if len(choice) < 4 or choice[:1] != _NO_LAYER or self._ticket is None:
            return FAILED
        account = await self._principals.account(self._ticket)
        if account is None or not account.enabled:
            return FAILED
        try:
            authzid = choice[4:].decode().lower()
        except UnicodeDecodeError:
            return FAILED
        if authzid not in ("", account.name.lower(), *self._principals.names(self._ticket)):
            return FAILED
        groups, ends = self._ticket.groups, _end_of(self._context)
        return Granted(await self._judge.membership.identity(account, Mechanism.KERBEROS, groups, ends))


def _end_of(context: Any) -> float:
    """When the ticket ends. The context, which is used up by this, says so by `lifetime` too, but adds the clock skew that
    libkrb5 allows."""
    lucid = importlib.import_module("gssapi.raw.ext_krb5").krb5_export_lucid_sec_context(context, 1)
    return float(lucid.endtime)


def _credentials(keytab: str) -> Any:
    """Any service key of the keytab may answer: smtp, imap, pop."""
    return gssapi.Credentials(usage="accept", store={"keytab": keytab}, mechs=[gssapi.MechType.kerberos])
