"""GetPasswordExpirationDate (MS-OXWSPED section 3.1.4.1)."""

from __future__ import annotations

from postern.model.domains import fold
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m, t, value
from postern.protocols.ews.times import written
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.operation import Direct

NEVER = "9999-12-31T23:59:59Z"
"""The date of a password that does not expire: the last that clients know."""


async def run(call: Call, request: xml.Element) -> str:
    """The date on which the caller's own password expires, as an Active Directory knows it; no other directory has such dates."""
    # Evolution writes it in the other namespace.
    address = request.text_of(m("MailboxSmtpAddress")) or request.text_of(t("MailboxSmtpAddress"))
    own = (await call.own()).recipient
    if address and fold(address) not in own.folded_addresses:
        raise EwsError(Code.ACCESS_DENIED)
    account = await call.access.directory.account(own.primary)
    ends = account.password_ends if account is not None else None
    return value("m:PasswordExpirationDate", NEVER if ends is None else written(int(ends)))


GET_PASSWORD_EXPIRATION_DATE = Direct("GetPasswordExpirationDate", Version.V2010_SP2, "MS-OXWSPED 3.1.4.1", run)
