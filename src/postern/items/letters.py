"""Makes the mails that carry iTIP messages (iMIP, RFC 6047)."""

from __future__ import annotations

from collections.abc import Sequence

from postern.items import calendar_object, imip
from postern.items.calendar_object import CalendarObject
from postern.items.imip import Letter
from postern.items.organizing import Sending
from postern.items.text import text_of

_ANSWERS = {"ACCEPTED": "Accepted", "DECLINED": "Declined", "TENTATIVE": "Tentative", "DELEGATED": "Delegated"}


def letter(
    sending: Sending, sender: str, recipients: Sequence[str], message_id: str, date: int, comment: str = ""
) -> bytes:
    """The mail with a message, from `sender` to those of its addresses that are `recipients`. The subject is the meeting's
    summary, behind what became of it. `comment` are words of the sender, before those that describe the meeting.

    Bound: linear in the message.
    """
    message = calendar_object.read(sending.octets)
    assert isinstance(message, CalendarObject)
    begin = _subject_begin(message)
    summary = text_of(message.main.value("SUMMARY"))
    subject = f"{begin}: {summary}" if begin else summary
    text = f"{comment or subject}\n\n{imip.described(message)}" if begin or comment else ""
    return imip.mail(Letter(sender, recipients, subject, message_id, date), message, text)


def _subject_begin(message: CalendarObject) -> str:
    if message.method == "CANCEL":
        return "Canceled"
    if message.method == "COUNTER":
        return "New Time Proposed"
    attendee = message.main.first("ATTENDEE") if message.method == "REPLY" else None
    return _ANSWERS.get(attendee.parameter("PARTSTAT").upper(), "Answer") if attendee is not None else ""
