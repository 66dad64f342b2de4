"""Acting in the place of another user, under an explicit right (MS-OXWSCDATA section 2.2.3.3, ExchangeImpersonation).

The right is configured (`[[impersonation]]` in postern.toml), with accounts or groups that have it and those whom they may
impersonate. Nobody has it by being an administrator. Both names are in the log, for each request.
"""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from postern.model.directory import DirectoryUnavailable, Recipient
from postern.model.domains import fold
from postern.model.mailbox import MailboxError
from postern.model.security import Identity, PrincipalKind
from postern.protocols.ews.codes import Code
from postern.protocols.ews.envelope import Fault, Impersonated
from postern.protocols.ews.errors import EwsError
from postern.services.ews.access import Call, EwsAccess
from postern.telemetry.log import Event, log

EVERYBODY = "everybody"


async def acting(access: EwsAccess, caller: Identity, named: Impersonated | None, operation: str) -> Identity:
    """Returns the identity that a request acts with: the caller's own, or that of the user whom the request names. Raises Fault:
    ErrorImpersonateUserDenied for a caller without the right, who does not learn whether there is such a user."""
    if named is None:
        return caller
    try:
        user = await _acting(access, caller, named)
    except (DirectoryUnavailable, MailboxError):
        raise Fault(Code.SERVER_BUSY) from None
    except Fault:
        log(Event.IMPERSONATION_REFUSED, identity=caller.name, user=named.name[:256], operation=operation)
        raise
    log(Event.IMPERSONATED, identity=caller.name, user=user.name, operation=operation)
    return user


async def renewed(call: Call) -> Call:
    """Returns a call of the same user for another look, long after the request: an impersonation is judged again, and rights and
    mailboxes are asked for anew. Raises EwsError ErrorImpersonateUserDenied."""
    identity = call.identity
    if call.header.impersonated is not None and call.impersonator is not None:
        try:
            identity = await _acting(call.access, call.impersonator, call.header.impersonated)
        except Fault as fault:
            raise EwsError(fault.code) from None
    return Call(call.access, identity, call.header, call.impersonator)


async def _acting(access: EwsAccess, caller: Identity, named: Impersonated) -> Identity:
    held = set(await access.sharing.grantees(caller.guid))
    own = {fold(caller.name)}
    grants = [grant for grant in access.impersonations() if await _has(access, grant.by, own, held)]
    if not grants:
        raise Fault(Code.IMPERSONATE_USER_DENIED)
    owner = await _owner(access, named)
    groups = set(await access.sharing.grantees(owner.guid))
    for grant in grants:
        if EVERYBODY in grant.of or await _has(access, grant.of, owner.folded_addresses, groups):
            # It ends with the caller's session, and has no ticket and no groups of its own.
            return replace(caller, kind=PrincipalKind.USER, name=owner.primary, guid=owner.guid, groups=frozenset())
    raise Fault(Code.IMPERSONATE_USER_DENIED)


async def _has(
    access: EwsAccess, names: tuple[str, ...], addresses: set[str] | frozenset[str], held: set[UUID]
) -> bool:
    """Whether one of these names is that of a user, or of a group that the user is in."""
    folded = [fold(name) for name in names if name != EVERYBODY]
    if not addresses.isdisjoint(folded):
        return True
    groups = await access.directory.recipients(folded)
    return any(group.guid in held for group in groups.values())


async def _owner(access: EwsAccess, named: Impersonated) -> Recipient:
    """The user whom a request names. Raises Fault."""
    address = named.name
    if named.kind == "PrincipalName":
        account = await access.directory.account(named.name)
        address = account.recipient if account is not None else ""
        if not address:
            raise Fault(Code.INVALID_USER_PRINCIPAL_NAME)
    elif named.kind not in ("PrimarySmtpAddress", "SmtpAddress"):
        # An account of a domain has a SID, but no client asks by it alone.
        raise Fault(Code.INVALID_USER_SID)
    owner = await access.sharing.mailbox(fold(address))
    if owner is None:
        raise Fault(Code.NON_EXISTENT_MAILBOX)
    if named.kind == "PrimarySmtpAddress" and fold(owner.primary) != fold(address):
        raise Fault(Code.NON_PRIMARY_SMTP_ADDRESS)
    return owner
