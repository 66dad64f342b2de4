"""DeleteUserConfiguration (MS-OXWSUSRCFG section 3.1.4.2)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.user_configurations import Kept


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    yield await attempted(_delete(call, request))


async def _delete(call: Call, request: xml.Element) -> str:
    await (await Kept.named(call, request.find(m("UserConfigurationName")))).delete()
    return ""


DELETE_USER_CONFIGURATION = Batch("DeleteUserConfiguration", Version.V2010, "MS-OXWSUSRCFG 3.1.4.2", run)
