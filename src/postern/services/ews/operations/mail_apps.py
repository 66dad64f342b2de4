"""GetAppManifests and GetAppMarketplaceUrl (MS-OXWSCEXT sections 3.1.4.2 and 3.1.4.3).

There are no apps here. Outlook asks for them when it starts, and takes a fault for a logon that failed (grommunio/gromox#261).
"""

from __future__ import annotations

from typing import NoReturn

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import element, m
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.operation import Direct


async def manifests(call: Call, request: xml.Element) -> str:
    """An empty list: Apps for those who say what they support, as 2013 SP1 has it, else Manifests."""
    says = request.find(m("SchemaVersionSupported")) is not None and call.header.version >= Version.V2013_SP1
    return element("m:Apps" if says else "m:Manifests")


async def marketplace(call: Call, request: xml.Element) -> NoReturn:
    raise EwsError(Code.INVALID_OPERATION, "There is no marketplace for apps here.")


GET_APP_MANIFESTS = Direct("GetAppManifests", Version.V2013, "MS-OXWSCEXT 3.1.4.2", manifests)
GET_APP_MARKETPLACE_URL = Direct("GetAppMarketplaceUrl", Version.V2013, "MS-OXWSCEXT 3.1.4.3", marketplace)
