"""People with standard clients: they send and read meetings by mail, and look at their calendars over CalDAV."""

from __future__ import annotations

import base64
import imaplib
import smtplib
import ssl
import urllib.error
import urllib.request
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage, Message

import icalendar

from tests.organization import PASSWORD, Organization

SECONDS = 60.0
_QUERY = b"""<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:prop><C:calendar-data/></D:prop>
<C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT"/></C:comp-filter></C:filter></C:calendar-query>"""


def context(here: Organization) -> ssl.SSLContext:
    made = ssl.create_default_context(cafile=str(here.authority))
    made.check_hostname = False
    return made


def calendar_around(*events: icalendar.Event) -> icalendar.Calendar:
    """A calendar that has these components."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//test//test//EN")
    calendar.add("version", "2.0")
    for event in events:
        calendar.add_component(event)
    return calendar


def send(here: Organization, sender: str, recipients: list[str], method: str, event: icalendar.Event) -> None:
    """Sends an iTIP message as a calendar program does."""
    calendar = calendar_around(event)
    calendar.add("method", method)
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, ", ".join(recipients), str(event["summary"])
    message["Message-ID"] = f"<{datetime.now(UTC).timestamp()}@test>"
    message.set_content("A meeting.")
    message.add_alternative(calendar.to_ical(), "text", "calendar", params={"method": method})
    with smtplib.SMTP("127.0.0.1", here.port(587), timeout=30) as client:
        client.starttls(context=context(here))
        client.login(sender, PASSWORD)
        client.send_message(message)


def dav(
    here: Organization,
    user: str,
    method: str,
    path: str,
    content: bytes = b"",
    is_patient: bool = False,
    owner: str = "",
) -> str:
    """Asks for a resource of a user's calendar, or of that of another `owner`. With `is_patient` an error, which a server that
    was just killed gives, is ""."""
    url = f"https://127.0.0.1:{here.port(443)}/dav/calendars/{owner or user}/calendar/{path}"
    request = urllib.request.Request(url, content or None, method=method)
    request.add_header("Authorization", "Basic " + base64.b64encode(f"{user}:{PASSWORD}".encode()).decode())
    request.add_header("Content-Type", "text/xml" if method == "REPORT" else "text/calendar")
    request.add_header("Depth", "1")
    try:
        with urllib.request.urlopen(request, timeout=30, context=context(here)) as answer:
            return str(answer.read().decode()) or str(answer.status)
    except OSError as error:
        if is_patient:
            return ""
        if isinstance(error, urllib.error.HTTPError):
            error.add_note(error.read().decode())
        raise


def calendar_of(here: Organization, user: str, owner: str = "") -> str:
    """The answer with all appointments of a user, or of another `owner`, one behind the other; "" where the server does not
    answer."""
    text = dav(here, user, "REPORT", "", _QUERY, is_patient=True, owner=owner)
    return text.replace("&#13;", "").replace("\r", "").replace("\n ", "")


def subjects(here: Organization, user: str) -> list[str]:
    """The subjects of the mails in a user's inbox; none where the server does not answer."""
    return [str(message["subject"]) for message in mails(here, user)]


def mails(here: Organization, user: str) -> list[Message]:
    """The mails in a user's inbox; none where the server does not answer."""
    try:
        with imaplib.IMAP4_SSL("127.0.0.1", here.port(993), ssl_context=context(here), timeout=30) as client:
            client.login(user, PASSWORD)
            client.select("INBOX")
            _, fetched = client.fetch("1:*", "(BODY.PEEK[])")
    except (OSError, imaplib.IMAP4.error):
        return []
    return [message_from_bytes(entry[1]) for entry in fetched if isinstance(entry, tuple)]


def inbox(here: Organization, user: str) -> list[tuple[str, icalendar.Calendar]]:
    """The meetings in a user's inbox, each with its Message-ID. A hub that could not tell a killed mailbox server that it has
    queued a message queues it once more, under the same Message-ID (`services.mailbox.submission`)."""
    meetings: dict[str, icalendar.Calendar] = {}
    for message in mails(here, user):
        for part in message.walk():
            if part.get_content_type() == "text/calendar":
                meetings.setdefault(
                    str(message["message-id"]), icalendar.Calendar.from_ical(part.get_payload(decode=True))
                )
    return list(meetings.items())
