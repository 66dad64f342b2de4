"""CreateUserConfiguration (MS-OXWSUSRCFG section 3.1.4.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import m, t
from postern.protocols.ews.user_configurations import read_configuration
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch, attempted
from postern.services.ews.user_configurations import Kept


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    yield await attempted(_create(call, request.find(m("UserConfiguration"))))


async def _create(call: Call, wanted: xml.Element | None) -> str:
    if wanted is None:
        raise EwsError(Code.SCHEMA_VALIDATION)
    kept = await Kept.named(call, wanted.find(t("UserConfigurationName")))
    await kept.create(read_configuration(wanted))
    return ""


CREATE_USER_CONFIGURATION = Batch("CreateUserConfiguration", Version.V2010, "MS-OXWSUSRCFG 3.1.4.1", run)
