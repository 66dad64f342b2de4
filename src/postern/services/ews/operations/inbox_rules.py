"""GetInboxRules and UpdateInboxRules (MS-OXWSRULES sections 3.1.4.1 and 3.1.4.2): there are no rules yet, and both say so."""

from __future__ import annotations

from typing import NoReturn

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.operation import Direct


async def run(call: Call, request: xml.Element) -> NoReturn:
    raise EwsError(Code.INVALID_OPERATION, "Inbox rules are not supported by this server.")


GET_INBOX_RULES = Direct("GetInboxRules", Version.V2010_SP1, "MS-OXWSRULES 3.1.4.1", run)
UPDATE_INBOX_RULES = Direct("UpdateInboxRules", Version.V2010_SP1, "MS-OXWSRULES 3.1.4.2", run)
