"""GetUserConfiguration (MS-OXWSUSRCFG section 3.1.4.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m
from postern.protocols.ews.user_configurations import markup
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.user_configurations import Kept

_PARTS = frozenset({"Id", "Dictionary", "XmlData", "BinaryData"})


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    yield await attempted(_get(call, request))


async def _get(call: Call, request: xml.Element) -> str:
    parts = frozenset(request.text_of(m("UserConfigurationProperties"))[:200].split())
    if "All" in parts:
        parts = _PARTS
    if not parts or not parts <= _PARTS:
        raise EwsError(Code.SCHEMA_VALIDATION)
    kept = await Kept.named(call, request.find(m("UserConfigurationName")))
    configuration = await kept.read()
    item = await kept.id_markup() if "Id" in parts else ""
    return f"<m:UserConfiguration>{kept.markup}{item}{markup(configuration, parts)}</m:UserConfiguration>"


GET_USER_CONFIGURATION = Batch("GetUserConfiguration", Version.V2010, "MS-OXWSUSRCFG 3.1.4.3", run)
