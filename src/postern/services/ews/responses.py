"""Response objects: items that CreateItem makes in answer to others, as a reply or an acceptance.

They are the types derived from ResponseObjectType (MS-OXWSCDATA section 2.2.4.45).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

from postern.protocols import xml
from postern.services.ews.access import Call
from postern.services.ews.answering import forward, reply, reply_all, suppress_receipt
from postern.services.ews.editing import How
from postern.services.ews.meeting_answers import MEETING_ANSWERS

Respond = Callable[[Call, xml.Element, How], Awaitable[str]]
"""Does what a response object says, and returns the m:Items of the answer. Raises EwsError, MailboxError."""

RESPONSES: Mapping[str, Respond] = {
    **MEETING_ANSWERS,
    "ReplyToItem": reply,
    "ReplyAllToItem": reply_all,
    "ForwardItem": forward,
    "SuppressReadReceipt": suppress_receipt,
}
"""The response objects by their elements."""
