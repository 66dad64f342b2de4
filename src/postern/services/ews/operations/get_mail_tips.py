"""GetMailTips (MS-OXWMT section 3.1.4.1): what a sender should know of recipients before a message goes to them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from postern.model.directory import DirectoryUnavailable, Recipient, RecipientType
from postern.model.domains import fold
from postern.model.mailbox import MailboxError
from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import boolean, element, m, number, t, value
from postern.protocols.ews.times import written
from postern.protocols.ews.versions import Version
from postern.protocols.smtp.address import parse_mailbox
from postern.services.ews.access import Call
from postern.services.ews.correspondents import Correspondent, mailbox_markup, of_entry
from postern.services.ews.operation import Direct, as_error

MAX_RECIPIENTS = 100
"""Recipients of one request (MS-OXWCONFIG section 3.1.4.1.3.27)."""
MAX_MEMBERS = 1_000
"""Members of a group that are looked at, over all levels."""
AT_ONCE = 10
"""Recipients whose tips are made at once."""
TYPES = frozenset(
    {
        *("All", "OutOfOfficeMessage", "MailboxFullStatus", "CustomMailTip", "ExternalMemberCount", "TotalMemberCount"),
        *("MaxMessageSize", "DeliveryRestriction", "ModerationStatus", "InvalidRecipient"),
    }
)


async def run(call: Call, request: xml.Element) -> str:
    wanted, recipients = _read(request)
    messages: list[str] = []
    for place in range(0, len(recipients), AT_ONCE):
        page = recipients[place : place + AT_ONCE]
        messages += await asyncio.gather(*[_message(call, each, wanted) for each in page])
    return element("m:ResponseMessages", *messages)


def _read(request: xml.Element) -> tuple[frozenset[str], Sequence[xml.Element]]:
    """The types of tips, and the recipients. Raises EwsError."""
    wanted = frozenset(request.text_of(m("MailTipsRequested")).split())
    listed = request.find(m("Recipients"))
    recipients = listed.find_all(t("Mailbox")) if listed is not None else []
    if not wanted <= TYPES or not recipients or request.find(m("SendingAs")) is None:
        raise EwsError(Code.SCHEMA_VALIDATION)
    if len(recipients) > MAX_RECIPIENTS:
        raise EwsError(Code.INVALID_REQUEST, f"A request names at most {MAX_RECIPIENTS} recipients.")
    return (wanted or TYPES) if "All" not in wanted else TYPES, recipients


async def _message(call: Call, mailbox: xml.Element, wanted: frozenset[str]) -> str:
    tag = "m:MailTipsResponseMessageType"
    try:
        tips = await _tips(call, mailbox, wanted)
    except (EwsError, MailboxError, DirectoryUnavailable) as error:
        return f'<{tag} ResponseClass="Error">{as_error(error).markup}</{tag}>'
    return f'<{tag} ResponseClass="Success">{value("m:ResponseCode", Code.NO_ERROR)}{tips}</{tag}>'


async def _tips(call: Call, mailbox: xml.Element, wanted: frozenset[str]) -> str:
    address = mailbox.text_of(t("EmailAddress")).strip()
    parsed = parse_mailbox(address) if address else None
    recipient = await call.access.directory.recipient(parsed.lower()) if parsed else None
    who = Correspondent(mailbox.text_of(t("Name")), address) if recipient is None else of_entry(recipient)
    inner = [mailbox_markup(who, call.header.version, "t:RecipientAddress"), "<t:PendingMailTips/>"]
    if recipient is not None and recipient.database:
        inner += await _of_mailbox(call, recipient, wanted)
    if recipient is not None and recipient.type is RecipientType.GROUP:
        inner += await _of_group(call, recipient, wanted)
    if "MaxMessageSize" in wanted:
        most = recipient.max_receive if recipient is not None else 0
        inner.append(number("t:MaxMessageSize", min(most or call.access.message_size, 2**31 - 1)))
    if "DeliveryRestriction" in wanted:
        # Those who ask are authenticated, which is all that a recipient here may want of a sender.
        inner.append(boolean("t:DeliveryRestricted", False))
    if "ModerationStatus" in wanted:
        inner.append(boolean("t:IsModerated", False))
    if "InvalidRecipient" in wanted:
        inner.append(boolean("t:InvalidRecipient", not parsed or (recipient is None and _is_own(call, parsed))))
    return element("m:MailTips", *inner)


def _is_own(call: Call, address: str) -> bool:
    """Whether an address is in a domain in which nobody else than the organization has mailboxes."""
    return fold(address.rpartition("@")[2]) in {fold(domain) for domain in call.access.domains()}


async def _of_mailbox(call: Call, recipient: Recipient, wanted: frozenset[str]) -> list[str]:
    """The tips that the recipient's mailbox server knows."""
    server = call.access.server(recipient.database)
    if server is None:
        raise EwsError(Code.MAILBOX_STORE_UNAVAILABLE)
    inner = []
    if "OutOfOfficeMessage" in wanted:
        settings = await server.items.out_of_office(recipient.guid)
        is_away = settings.is_away(time.time())
        text = element("t:ReplyBody", value("t:Message", settings.internal if is_away else ""))
        span = ""
        if is_away and settings.ends:
            span = value("t:StartTime", written(settings.starts)) + value("t:EndTime", written(settings.ends))
        inner.append(element("t:OutOfOffice", text, element("t:Duration", span) if span else ""))
    if "MailboxFullStatus" in wanted:
        quota = recipient.quota or call.access.quota
        inner.append(boolean("t:MailboxFull", bool(quota) and await _used(call, recipient) >= quota))
    return inner


async def _used(call: Call, recipient: Recipient) -> int:
    server = call.access.server(recipient.database)
    assert server is not None
    try:
        states = await server.items.folder_states(recipient.guid)
    except MailboxError as error:
        if error.code != "NONEXISTENT":
            raise
        return 0
    return sum(state.size for state in states.values())


async def _of_group(call: Call, group: Recipient, wanted: frozenset[str]) -> list[str]:
    """The numbers of members of a group and of the groups in it, and of those who are outside of the organization."""
    if not wanted & {"TotalMemberCount", "ExternalMemberCount"}:
        return []
    seen: dict[str, Recipient | None] = {}
    waiting = list(group.members)
    while waiting and len(seen) < MAX_MEMBERS:
        page = [each for each in dict.fromkeys(waiting) if each not in seen][: MAX_MEMBERS - len(seen)]
        known = await call.access.directory.recipients(page) if page else {}
        seen |= {each: known.get(each) for each in page}
        groups = [each for each in known.values() if each.type is RecipientType.GROUP]
        waiting = [member for each in groups for member in each.members]
    people = [each for each in seen.values() if each is None or each.type is not RecipientType.GROUP]
    outside = [each for each in people if each is not None and each.type is RecipientType.CONTACT]
    inner = [number("t:TotalMemberCount", len(people))] if "TotalMemberCount" in wanted else []
    return inner + ([number("t:ExternalMemberCount", len(outside))] if "ExternalMemberCount" in wanted else [])


GET_MAIL_TIPS = Direct("GetMailTips", Version.V2010, "MS-OXWMT 3.1.4.1", run)
