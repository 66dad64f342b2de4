"""ConvertId (MS-OXWSCVTID section 3.1.4.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.alternate_ids import IdFormat, read_alternate, written_alternate
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import element, m, t
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch

MAX_IDS = 1_000


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    wanted = _format(request.attributes.get("DestinationFormat", ""))
    named = (request.find(m("SourceIds")) or xml.Element("")).elements
    if not 0 < len(named) <= MAX_IDS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names 1 to {MAX_IDS} ids.")
    for each in named:
        try:
            yield _converted(each, wanted)
        except EwsError as error:
            yield error


def _format(text: str) -> IdFormat:
    try:
        return IdFormat(text)
    except ValueError:
        raise EwsError(Code.SCHEMA_VALIDATION) from None


def _converted(named: xml.Element, wanted: IdFormat) -> str:
    if named.name != t("AlternateId"):
        # There are no public folders here.
        raise EwsError(Code.UNSUPPORTED_TYPE_FOR_CONVERSION)
    mailbox = named.attributes.get("Mailbox", "")
    if not mailbox:
        raise EwsError(Code.SCHEMA_VALIDATION)
    id_ = read_alternate(_format(named.attributes.get("Format", "")), named.attributes.get("Id", ""))
    return element(
        "m:AlternateId",
        **{"xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance", "xsi:type": "t:AlternateIdType"},
        Format=wanted,
        Id=written_alternate(wanted, id_),
        Mailbox=mailbox,
    )


CONVERT_ID = Batch("ConvertId", Version.V2007_SP1, "MS-OXWSCVTID 3.1.4.1", run)
