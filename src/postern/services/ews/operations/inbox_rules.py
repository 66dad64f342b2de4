"""GetInboxRules and UpdateInboxRules (MS-OXWSRULES sections 3.1.4.1 and 3.1.4.2): there are no rules yet, and both say so."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.envelope import CLOSING, opening, start_tag
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call


class NoRules:
    """An operation on rules. Its answer is a response message itself, which no ResponseMessages are around."""

    since = Version.V2010_SP1

    def __init__(self, name: str, section: str) -> None:
        self.name = name
        self.section = section

    async def answer(self, call: Call, request: xml.Element) -> AsyncGenerator[str, None]:
        error = EwsError(Code.INVALID_OPERATION, "Inbox rules are not supported by this server.")
        start = start_tag(f"{self.name}Response").removesuffix(">")
        yield f'{opening(call.header.version)}{start} ResponseClass="Error">{error.markup}</m:{self.name}Response>{CLOSING}'


GET_INBOX_RULES = NoRules("GetInboxRules", "MS-OXWSRULES 3.1.4.1")
UPDATE_INBOX_RULES = NoRules("UpdateInboxRules", "MS-OXWSRULES 3.1.4.2")
