"""Mails about meetings (RFC 6047)."""

from __future__ import annotations

from email import message_from_bytes
from email.policy import default

import pytest

from postern.items import letters, organizing
from postern.items.imip import invitation_in
from tests.items.calendars import event, read

ANNA, KIM = "anna@x.test", "kim@y.test"
MEETING = event("DTSTART:20260323T090000Z", "SUMMARY:Über uns", f"ORGANIZER:mailto:{ANNA}", f"ATTENDEE:mailto:{KIM}")
ANSWERED = [line.replace("ATTENDEE", "ATTENDEE;PARTSTAT=TENTATIVE") for line in MEETING]


@pytest.mark.parametrize(
    ("sending", "method", "subject"),
    [
        (organizing.organized(None, read(*MEETING), {ANNA}, 0), "REQUEST", "Über uns"),
        (organizing.organized(read(*MEETING), None, {ANNA}, 0), "CANCEL", "Canceled: Über uns"),
        (organizing.answered(read(*MEETING), read(*ANSWERED), KIM, 0), "REPLY", "Tentative: Über uns"),
    ],
)
def test_a_letter_says_what_became_of_the_meeting(sending: list[organizing.Sending], method: str, subject: str) -> None:
    octets = letters.letter(sending[0], "me@x.test", ["a@x.test", "b@x.test"], "1@x.test", 0)
    message = message_from_bytes(octets, policy=default)
    assert message["subject"] == subject and message["from"] == "me@x.test" and message["to"] == "a@x.test, b@x.test"
    carried = invitation_in(octets)
    assert carried is not None and carried.method == method
    body = message.get_body(("plain",))
    assert body is not None and body.get_content().startswith(subject)
