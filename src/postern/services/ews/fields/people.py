"""Mailboxes in answers and requests (MS-OXWSCDATA section 2.2.4.31, EmailAddressType)."""

from __future__ import annotations

from collections.abc import Iterable

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import t, value
from postern.protocols.mime.rendered_values import Person
from postern.protocols.mime.words import decode_words
from postern.protocols.smtp.address import parse_mailbox

MAX_PEOPLE = 5_000
"""Recipients of one field in a request."""
_ROUTING = "<t:RoutingType>SMTP</t:RoutingType>"


def mailbox(name: str, address: str) -> str:
    """A Mailbox; one without a name has its address as the name, as clients show it."""
    shown = value("t:Name", name or address)
    if not address:
        return f"<t:Mailbox>{shown}</t:Mailbox>"
    return f"<t:Mailbox>{shown}{value('t:EmailAddress', address)}{_ROUTING}</t:Mailbox>"


def of_person(person: Person) -> str:
    """A Mailbox with what a field tells of a person; "" where that is nothing, as `<>` in From."""
    name = name_of(person)
    return mailbox(name, person.address) if name else ""


def single(name: str, people: Iterable[Person]) -> str:
    """An element with the first of these people; "" without any."""
    inner = next((told for told in map(of_person, people) if told), "")
    return f"<t:{name}>{inner}</t:{name}>" if inner else ""


def several(name: str, people: Iterable[Person]) -> str:
    """An element with these people; "" without any."""
    inner = "".join([of_person(person) for person in people])
    return f"<t:{name}>{inner}</t:{name}>" if inner else ""


def shown(people: Iterable[Person]) -> str:
    """The names of people as PidTagDisplayTo has them (MS-OXOMSG section 2.2.1.9)."""
    return "; ".join([each for each in map(name_of, people) if each])


def name_of(person: Person) -> str:
    """The name by which a person is shown: without one it is the address."""
    return decode_words(person.name).strip() or person.address


def read_mailbox(wanted: xml.Element) -> tuple[str, str]:
    """Reads a Mailbox: its name, and its address. Raises EwsError: ErrorMissingInformationEmailAddress,
    ErrorInvalidRecipients, ErrorInvalidRoutingType."""
    routing = wanted.text_of(t("RoutingType"))
    if routing and routing.upper() != "SMTP":
        raise EwsError(Code.INVALID_ROUTING_TYPE)
    address = wanted.text_of(t("EmailAddress"))
    if not address:
        raise EwsError(Code.MISSING_INFORMATION_EMAIL_ADDRESS)
    read = parse_mailbox(address)
    if not read:
        raise EwsError(Code.INVALID_RECIPIENTS)
    name = wanted.text_of(t("Name"))
    return ("" if name == address else name), read


def read_people(field: xml.Element | None) -> list[tuple[str, str]]:
    """Reads the mailboxes of a field, by name and address; None has none. Raises EwsError as `read_mailbox` does."""
    listed = field.find_all(t("Mailbox")) if field is not None else []
    if len(listed) > MAX_PEOPLE:
        raise EwsError(Code.INVALID_RECIPIENTS, f"A field names at most {MAX_PEOPLE} recipients.")
    return [read_mailbox(each) for each in listed]
