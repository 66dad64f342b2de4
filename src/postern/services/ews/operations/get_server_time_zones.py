"""GetServerTimeZones (MS-OXWSGTZ section 3.1.4.1)."""

from __future__ import annotations

from collections.abc import AsyncIterator

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import is_true, m, t
from postern.protocols.ews.versions import Version
from postern.protocols.ical.windows_zones import IANA
from postern.services.ews import time_zones
from postern.services.ews.access import Call
from postern.services.ews.operation import Batch

MAX_IDS = 500
"""Zones of one request; Windows has fewer than 150."""


async def run(call: Call, request: xml.Element) -> AsyncIterator[str | EwsError]:
    asked = request.find(m("Ids"))
    names = [each.text.strip() for each in asked.find_all(t("Id"))] if asked is not None else list(IANA)
    if len(names) > MAX_IDS:
        raise EwsError(Code.INVALID_REQUEST, f"A request asks for at most {MAX_IDS} time zones.")
    is_whole = is_true(request.attributes.get("ReturnFullTimeZoneData", "true"))
    # A name that Windows does not have is left out of the answer.
    told = [time_zones.definition_named("t:TimeZoneDefinition", name, is_whole) for name in dict.fromkeys(names)]
    definitions = "".join(told)
    yield f"<m:TimeZoneDefinitions>{definitions}</m:TimeZoneDefinitions>"


GET_SERVER_TIME_ZONES = Batch("GetServerTimeZones", Version.V2010, "MS-OXWSGTZ 3.1.4.1", run)
