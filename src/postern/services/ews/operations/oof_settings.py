"""GetUserOofSettings and SetUserOofSettings (MS-OXWOOF sections 3.1.4.1 and 3.1.4.2).

Only the owner of a mailbox, or somebody who impersonates him, sees and sets what is answered in his name; another gets a fault.
All else that fails is told in the answer.
"""

from __future__ import annotations

import time

from postern.items.out_of_office import harmless
from postern.model.domains import fold
from postern.model.out_of_office import MAX_TEXT, OofAudience, OofState, OutOfOffice
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import element, t, value
from postern.protocols.ews.times import read_time, written
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call, Mailbox
from postern.services.ews.operation import Single, attempted

_DAY = 86_400
_STATES = {state.name.capitalize(): state for state in OofState}
_AUDIENCES = {audience.name.capitalize(): audience for audience in OofAudience}


async def get(call: Call, request: xml.Element) -> str:
    mailbox = await _owned(call, request)
    settings = await attempted(_settings(mailbox))
    if isinstance(settings, EwsError):
        return _message(settings)
    return _message() + settings + value("m:AllowExternalOof", "All")


async def _settings(mailbox: Mailbox) -> str:
    settings = await mailbox.server.items.out_of_office(mailbox.id)
    starts, ends = settings.starts, settings.ends
    if not starts and not ends:
        # There is always a time, as Exchange has it: clients show it as their suggestion.
        starts = int(time.time()) // _DAY * _DAY
        ends = starts + _DAY
    return element(
        "t:OofSettings",
        value("t:OofState", settings.state.name.capitalize()),
        value("t:ExternalAudience", settings.audience.name.capitalize()),
        element("t:Duration", value("t:StartTime", written(starts)), value("t:EndTime", written(ends))),
        element("t:InternalReply", value("t:Message", settings.internal)),
        element("t:ExternalReply", value("t:Message", settings.external)),
    )


async def set_(call: Call, request: xml.Element) -> str:
    mailbox = await _owned(call, request)
    outcome = await attempted(_set(mailbox, request))
    return _message(outcome if isinstance(outcome, EwsError) else None)


async def _set(mailbox: Mailbox, request: xml.Element) -> str:
    named = request.find(t("UserOofSettings"))
    if named is None:
        raise EwsError(Code.INVALID_USER_OOF_SETTINGS)
    known = await mailbox.server.items.out_of_office(mailbox.id)
    await mailbox.server.items.set_out_of_office(mailbox.id, read_settings(named, known))
    return ""


def read_settings(named: xml.Element, known: OutOfOffice) -> OutOfOffice:
    """Reads UserOofSettings (MS-OXWOOF section 2.2.4.7). A text or a duration that it leaves out stays as it is `known`; a text
    that is empty becomes so. Raises EwsError: ErrorInvalidUserOofSettings, ErrorInvalidScheduledOofDuration,
    ErrorInvalidOofParameter."""
    state = _STATES.get(named.text_of(t("OofState")).strip())
    audience = _AUDIENCES.get(named.text_of(t("ExternalAudience")).strip())
    if state is None or audience is None:
        raise EwsError(Code.INVALID_USER_OOF_SETTINGS)
    starts, ends = known.starts, known.ends
    duration = named.find(t("Duration"))
    if duration is not None:
        starts, ends = (read_time(duration.text_of(t(name))) for name in ("StartTime", "EndTime"))
    if state is OofState.SCHEDULED and (duration is None or starts >= ends or ends <= time.time()):
        raise EwsError(Code.INVALID_SCHEDULED_OOF_DURATION)
    texts = []
    for name, kept in (("InternalReply", known.internal), ("ExternalReply", known.external)):
        reply = named.find(t(name))
        text = reply.text_of(t("Message")) if reply is not None else ""
        try:
            texts.append(kept if reply is None else harmless(text))
        except ValueError:
            raise EwsError(Code.INVALID_OOF_PARAMETER, f"A text has at most {MAX_TEXT} characters.") from None
    return OutOfOffice(state, audience, starts, ends, *texts)


async def _owned(call: Call, request: xml.Element) -> Mailbox:
    """The mailbox that a request names, if it is the caller's own. Raises EwsError."""
    address = request.text_of(t("Mailbox"), t("Address")).strip()
    own = await call.own()
    if fold(address) not in own.recipient.folded_addresses:
        await call.mailbox(address)
        raise EwsError(Code.ACCESS_DENIED, "The caller is not the owner of the mailbox.")
    return own


def _message(error: EwsError | None = None) -> str:
    if error is not None:
        return f'<m:ResponseMessage ResponseClass="Error">{error.markup}</m:ResponseMessage>'
    return f'<m:ResponseMessage ResponseClass="Success">{value("m:ResponseCode", Code.NO_ERROR)}</m:ResponseMessage>'


GET_USER_OOF_SETTINGS = Single("GetUserOofSettings", Version.V2007, "MS-OXWOOF 3.1.4.1", get)
SET_USER_OOF_SETTINGS = Single("SetUserOofSettings", Version.V2007, "MS-OXWOOF 3.1.4.2", set_)
