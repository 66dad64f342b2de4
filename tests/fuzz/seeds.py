"""What the fuzz targets begin with: `python -m tests.fuzz.seeds fuzz_smtp FOLDER` fills the folder.

The clients' sides of tests/dialogs, whole and line by line, and DCE/RPC as our own client says it; and a dictionary of the words
that the parsers know, taken from them. Each seed begins with the octet that the targets read as "how to cut".
"""

from __future__ import annotations

import base64
import hashlib
import re
import ssl
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import trustme

from postern.items import working_hours
from postern.model.availability import BusyEvent, Told, WhenBusy
from postern.model.delivery import Delivery
from postern.model.item_store import Busy
from postern.model.search import SearchTerm, SortKey
from postern.protocols.ber import OCTETS, SEQUENCE, element, integer
from postern.protocols.dcerpc.interfaces.availability import MAILBOX_AVAILABILITY
from postern.protocols.dcerpc.interfaces.mail_submission import MAIL_SUBMISSION
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.protocols.dcerpc.interfaces.mailbox_items import MAILBOX_ITEMS
from postern.protocols.dcerpc.pdu import WHOLE, Kind, cut, pdu
from postern.protocols.dcerpc.protection import Level
from postern.protocols.edge import subscription as edge_subscription
from postern.protocols.ews.alternate_ids import IdFormat, written_alternate
from postern.protocols.ews.exported import Exported, ExportedProperty
from postern.protocols.ews.exported import write as write_exported
from postern.protocols.ews.ids import AttachmentId, ConversationId, FolderId, ItemId, change_key
from postern.protocols.ews.names import MESSAGES, SOAP, TYPES
from postern.protocols.ews.subscriptions import EventKind, SubscriptionId, SubscriptionKind, Watermark
from postern.protocols.ews.sync_states import Fate, FoldersState, ItemsState
from postern.protocols.ical.bias_zones import BiasZone, Change
from postern.protocols.ldap.bind import packet
from postern.trust.ntlm.handshake import NtlmInitiator, nt_hash
from tests.items.corpus import CALENDARS, CARDS
from tests.net.client_hellos import hello_of, records
from tests.protocols.dcerpc.play import Pair
from tests.protocols.edge.test_subscription import FILE
from tests.protocols.kerberos.test_pac import MACHINE
from tests.protocols.ldap.test_cldap import SAMBA

ROOT = Path(__file__).parents[2]
DIALOGS = ROOT / "tests" / "dialogs"
PARSERS = {
    "fuzz_smtp": ("smtp",),
    "fuzz_imap": ("imap", "pop3"),
    "fuzz_dcerpc": (),
    "fuzz_mail": ("mime",),
    "fuzz_authentication": ("authentication",),
    "fuzz_logon": (),
    "fuzz_directory": (),
    "fuzz_http": ("http",),
    "fuzz_web": ("http",),
    "fuzz_items": ("ical", "vcard"),
    "fuzz_xml": (),
    "fuzz_acme": (),
    "fuzz_dav": (),
    "fuzz_tls": (),
    "fuzz_ews": (),
    "fuzz_ews_operations": (),
}
CUTS = (0, 1, 9)
_SAID = re.compile(r"^C\d?([:>]) ?(.*)$", re.MULTILINE)
_WORD = re.compile(r'b?"([A-Z][A-Z0-9=+.$-]{1,24})"')


def seeds(target: str) -> Iterator[bytes]:
    """For one target, without the first octet where that only says how to cut."""
    if target in _MADE:
        yield from _MADE[target]()
        return
    for protocol in PARSERS[target]:
        for script in sorted((DIALOGS / protocol).glob("*.txt")):
            said = [_octets(kind, line) for kind, line in _SAID.findall(script.read_text(encoding="utf-8"))]
            yield from (bytes([cut]) + b"".join(said) for cut in CUTS)
            yield from (b"\x01" + line for line in said)
    yield from _MORE.get(target, ())


_SUBSCRIPTION = SubscriptionId(
    SubscriptionKind.PULL, UUID(int=6), UUID(int=7), EventKind.MOVED, 10, 8, 9, bytes(8), (1, 2)
)


def _ews_operations() -> Iterator[bytes]:
    """Choices: each operation with what it must have, and with more and more of what it may have."""
    for operation in range(64):
        yield bytes([0, operation])
        yield from (bytes([0, operation]) + bytes([1, 0, 0, 1] * size) for size in (5, 40))


def _ews() -> Iterator[bytes]:
    """Elements that the readers take, and whole envelopes."""
    mailbox = UUID(int=7)
    yield f'<t:ItemId Id="{ItemId(mailbox, 8)}" ChangeKey="{change_key(9)}"/>'.encode()
    yield f'<t:FolderId Id="{FolderId(mailbox, 8)}"/><t:DistinguishedFolderId Id="inbox"/>'.encode()
    for form in IdFormat:
        yield f'<t:AlternateId Id="{written_alternate(form, ItemId(mailbox, 8))}"/>'.encode()
    yield b"<t:Start>2026-11-30T01:02:03.5+09:00</t:Start><t:End>2026-11-30Z</t:End>"
    yield f'<t:AttachmentId Id="{AttachmentId(mailbox, 8, 1, 2)}"/><t:ItemId Id="{ConversationId(mailbox, 8)}"/>'.encode()
    yield f"<t:SubscriptionId>{_SUBSCRIPTION}</t:SubscriptionId><t:Watermark>{Watermark(mailbox, 8, 9)}</t:Watermark>".encode()
    yield f'<m:SubscriptionStatus xmlns:m="{MESSAGES}">OK</m:SubscriptionStatus>'.encode()
    yield (
        b'<m:UserConfiguration><t:UserConfigurationName Name="a"/><t:Dictionary><t:DictionaryEntry><t:DictionaryKey>'
        b"<t:Type>String</t:Type><t:Value>a</t:Value></t:DictionaryKey><t:DictionaryValue><t:Type>DateTime</t:Type>"
        b"<t:Value>2026-11-30T00:00:00Z</t:Value></t:DictionaryValue></t:DictionaryEntry></t:Dictionary>"
        b"<t:XmlData>AAAA</t:XmlData></m:UserConfiguration>"
    )
    item = Exported("IPM.Note", False, 1, 2, ("a",), (ExportedProperty(55, None, 3, b"abcd"),), b"Subject: x\r\n\r\n")
    yield f"<t:Data>{base64.b64encode(write_exported(item)).decode()}</t:Data>".encode()
    yield b"<t:URL>https://a.example:8443/x?y=1</t:URL>"
    yield b"<t:EventTypes><t:EventType>MovedEvent</t:EventType></t:EventTypes><t:Timeout>10</t:Timeout>"
    for state in (ItemsState(mailbox, 8, 9, 10, 11, Fate.REMOVED, 12), FoldersState(mailbox, 8, 9)):
        yield f"<m:SyncState>{state}</m:SyncState>".encode()
    subject, constant = '<t:FieldURI FieldURI="item:Subject"/>', '<t:Constant Value="2026-11-30"/>'
    for inner in (
        f'<t:Contains ContainmentMode="PrefixOnWords" ContainmentComparison="Loose">{subject}{constant}</t:Contains>',
        f"<t:IsGreaterThan>{subject}<t:FieldURIOrConstant>{constant}</t:FieldURIOrConstant></t:IsGreaterThan>",
        f"<t:Not><t:Exists>{subject}</t:Exists></t:Not>",
        f'<t:Excludes>{subject}<t:Bitmask Value="0x1F"/></t:Excludes>',
    ):
        both = f"<t:And>{inner}<t:Or>{inner}{inner}</t:Or></t:And>"
        yield f"<m:Restriction>{both}</m:Restriction>".encode()
    yield b'<m:IndexedPageItemView MaxEntriesReturned="1" Offset="2" BasePoint="End"/>'
    yield b'<m:FractionalPageItemView Numerator="1" Denominator="2"/><m:ContactsView InitialName="a" FinalName="b"/>'
    yield f'<m:SortOrder><t:FieldOrder Order="Descending">{subject}</t:FieldOrder></m:SortOrder>'.encode()
    aggregate = f'<t:AggregateOn Aggregate="Minimum">{subject}</t:AggregateOn>'
    yield f'<m:GroupBy Order="Ascending">{subject}{aggregate}</m:GroupBy>'.encode()
    yield b'<m:QueryString>from:"a b" OR (sent:last week -size:&gt;1KB) received:2026-11-30..12/1/2026</m:QueryString>'
    for kind in ("Message", "CalendarItem", "Contact", "DistributionList", "Task", "MeetingRequest", "PostItem"):
        yield f"<t:{kind}><t:Subject>a</t:Subject><t:Categories><t:String>b</t:String></t:Categories></t:{kind}>".encode()
    person = "<t:Mailbox><t:Name>A</t:Name><t:EmailAddress>a@example.test</t:EmailAddress></t:Mailbox>"
    yield f"<t:RequiredAttendees><t:Attendee>{person}</t:Attendee></t:RequiredAttendees>".encode()
    yield b"<t:Recurrence><t:DailyRecurrence><t:Interval>1</t:Interval></t:DailyRecurrence></t:Recurrence>"
    ends = "<t:NoEndRecurrence><t:StartDate>2026-11-30</t:StartDate></t:NoEndRecurrence>"
    day = "<t:DaysOfWeek>Sunday</t:DaysOfWeek><t:DayOfWeekIndex>Last</t:DayOfWeekIndex><t:Month>March</t:Month>"
    yearly = f"<t:RelativeYearlyRecurrence>{day}</t:RelativeYearlyRecurrence>"
    yield f"<t:Recurrence>{yearly}{ends}</t:Recurrence>".encode()
    again = "<t:MonthlyRegeneration><t:Interval>2</t:Interval></t:MonthlyRegeneration>"
    yield f"<t:Recurrence>{again}{ends}</t:Recurrence>".encode()
    change = f"<t:Offset>PT0S</t:Offset>{yearly}<t:Time>03:00:00</t:Time>"
    base = "<t:BaseOffset>-PT1H30M</t:BaseOffset>"
    yield f"<t:Z>{base}<t:Standard>{change}</t:Standard><t:Daylight>{change}</t:Daylight></t:Z>".encode()
    part = "<t:Bias>0</t:Bias><t:Time>02:00:00</t:Time><t:DayOrder>5</t:DayOrder><t:Month>3</t:Month>"
    part += "<t:DayOfWeek>Sunday</t:DayOfWeek>"
    named = "".join([f"<t:{name}>{part}</t:{name}>" for name in ("StandardTime", "DaylightTime")])
    span = "<t:StartTime>2026-03-02T00:00:00</t:StartTime><t:EndTime>2026-03-03T00:00:00Z</t:EndTime>"
    yield (
        f"<t:TimeZone><t:Bias>-60</t:Bias>{named}</t:TimeZone><m:MailboxDataArray><t:MailboxData><t:Email><t:Address>a@b.test"
        "</t:Address></t:Email></t:MailboxData></m:MailboxDataArray><t:FreeBusyViewOptions><t:TimeWindow>"
        f"{span}</t:TimeWindow><t:RequestedView>Detailed</t:RequestedView></t:FreeBusyViewOptions><t:SuggestionsViewOptions>"
        f"<t:DetailedSuggestionsWindow>{span}</t:DetailedSuggestionsWindow></t:SuggestionsViewOptions>"
    ).encode()
    periods = '<t:Periods><t:Period Bias="-PT1H" Name="Standard" Id="a"/></t:Periods>'
    steps = '<t:Transition><t:To Kind="Period">a</t:To></t:Transition>'
    groups = f'<t:TransitionsGroups><t:TransitionsGroup Id="0">{steps}</t:TransitionsGroup></t:TransitionsGroups>'
    yield f'<t:Z Id="UTC">{periods}{groups}</t:Z>'.encode()
    paths = (
        '<t:FieldURI FieldURI="item:Subject"/>'
        '<t:IndexedFieldURI FieldURI="contacts:EmailAddress" FieldIndex="EmailAddress1"/>'
        '<t:ExtendedFieldURI PropertyTag="0x37" PropertyType="String"/>'
        '<t:ExtendedFieldURI DistinguishedPropertySetId="Appointment" PropertyId="33293" PropertyType="SystemTime"/>'
    )
    more = f"<t:AdditionalProperties>{paths}</t:AdditionalProperties>"
    yield f"<m:ItemShape><t:BaseShape>Default</t:BaseShape>{more}</m:ItemShape>".encode()
    for type_, text in (
        ("Integer", "1"),
        ("Short", "2"),
        ("Double", "0.5"),
        ("String", "x"),
        ("Binary", "AAAA"),
        ("Boolean", "true"),
        ("SystemTime", "2026-11-30T00:00:00Z"),
    ):
        uri = f'<t:ExtendedFieldURI PropertyTag="0x37" PropertyType="{type_}"/>'
        yield f"<t:ExtendedProperty>{uri}<t:Value>{text}</t:Value></t:ExtendedProperty>".encode()
    uri = '<t:ExtendedFieldURI DistinguishedPropertySetId="PublicStrings" PropertyName="Keywords" PropertyType="StringArray"/>'
    yield f"<t:ExtendedProperty>{uri}<t:Values><t:Value>a</t:Value></t:Values></t:ExtendedProperty>".encode()
    yield (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:t="{TYPES}" xmlns:m="{MESSAGES}"><s:Header>'
        '<t:RequestServerVersion Version="Exchange2010"/></s:Header><s:Body><m:GetItem/></s:Body></s:Envelope>'
    ).encode()


def words(target: str) -> list[str]:
    """The words of the target's parsers."""
    found: set[str] = set()
    for protocol in PARSERS[target]:
        for module in (ROOT / "src" / "postern" / "protocols" / protocol).rglob("*.py"):
            found |= set(_WORD.findall(module.read_text(encoding="utf-8")))
    return sorted(found)


def _octets(kind: str, line: str) -> bytes:
    if kind == ":":
        return line.encode() + b"\r\n"
    return line.encode("latin-1", "backslashreplace").decode("unicode_escape").encode("latin-1", "replace")


def _dcerpc() -> Iterator[bytes]:
    """Streams for the server's machine (first octet 4n), stubs (4n + 1), and the tokens of a logon (4n + 3)."""
    for level in (Level.NONE, Level.PRIVACY):
        pair = Pair(level=level, max_fragment=1432)  # the smallest there is: fragments, and inputs that stay small
        for opnum, size in ((0, 0), (1, 40), (2, 3000)):
            pair.client.call(0, opnum, bytes(size))
            yield bytes([8 if level is Level.NONE else 4]) + pair.client.outgoing()
    yield b"\x00" + pdu(Kind.BIND, WHOLE, 1, bytes(28), b"", 24) + cut(Kind.REQUEST, 2, 0, 1, b"stub", 1432)
    yield from (bytes([1, opnum]) + bytes(size) for opnum in range(40) for size in (0, 16, 64))
    yield from (bytes([1, number]) + stub for number, stub in _stubs())
    yield b"\x02" + bytes(64)
    initiator = NtlmInitiator("HUB1$", "EXAMPLE", nt_hash("secret"), "host/hub1")
    yield b"\x03" + initiator.negotiate()[12:]


def _stubs() -> Iterator[tuple[int, bytes]]:
    """Of requests that carry more than numbers and octets, with the place of their operation in the target's list."""
    term = SearchTerm("and", terms=(SearchTerm("text", "a"), SearchTerm("uid", uids=((1, 9), (11, 11)))))
    delivered = Delivery("d", b"a: b\r\n\r\nbody", (UUID(int=1), UUID(int=2)), "a@b.test")
    carried = {
        "search": (UUID(int=1), 1, term, [SortKey("subject", True)]),
        "thread": (UUID(int=1), 1, term, "REFERENCES"),
        "deliver": ([delivered],),
    }
    operations = (*MAILBOX_ACCESS.operations, *MAILBOX_DELIVERY.operations)
    for number, operation in enumerate(operations):
        if operation.name in carried:
            yield number, bytes(operation.request.encode(operation.write_arguments(carried[operation.name])))
    asked = MAILBOX_AVAILABILITY.operations[0]
    answer = WhenBusy(Told.TIME, (BusyEvent(0, 1, Busy.BUSY, subject="x"),))
    number = len(operations) + len(MAIL_SUBMISSION.operations) + len(MAILBOX_ITEMS.operations)
    yield number, bytes(asked.reply.encode(asked.write_result([answer])))


_FIELDS = (
    b"Anna <anna@good.test>",
    b'"Boss" (\\() <boss@good.test>',
    b"a: b@c.test, <@r.test:d@e.test>;",
    b"=?utf-8?q?=ED=95?= =?utf-8?q?=9C?=",
    b"text/plain; charset*=utf-8''x; name*0=a; name*1*=%41",
    b"multipart/mixed; boundary=a",
    "\u0300\u0316 \ufdfa".encode() * 3,
)


_SHOWN = (
    b"Subject: =?utf-8?b?w5w=?=\r\nFrom: Bob <b@b.test>\r\nMessage-ID: <a@b>\r\nReferences: <c@d> <e@f>\r\nMIME-Version: 1.0\r\n"
    b"Content-Type: multipart/mixed; boundary=B\r\n\r\n--B\r\nContent-Type: multipart/alternative; boundary=A\r\n\r\n"
    b"--A\r\n\r\ntext\r\n--A\r\nContent-Type: multipart/related; boundary=R\r\n\r\n"
    b"--R\r\nContent-Type: text/html\r\n\r\n<body><b>x</b><script>y</script><img src=cid:c></body>\r\n"
    b"--R\r\nContent-Type: image/png\r\nContent-ID: <c>\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--R--\r\n--A--\r\n"
    b"--B\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nx\r\n"
    b"--B\r\nContent-Type: message/rfc822\r\n\r\nSubject: y\r\n\r\nz\r\n--B--\r\n"
)


def _mail() -> Iterator[bytes]:
    """In the order of the target's readers: messages, addresses, headers, texts, messages for two more, threads, and messages
    that are shown."""
    yield b"\x07" + _SHOWN
    yield b"\x07Subject: RE: \xc3\xa4\r\nFrom: a@b.test\r\nThread-Index: AAAA\r\n\r\nOn Monday\r\n"
    for name in (b"From", b"Subject", b"Content-Type", b"Content-Transfer-Encoding"):
        for value in _FIELDS:
            for reader in (b"\x00", b"\x04", b"\x05"):
                yield reader + name + b": " + value + b"\r\n\r\n--a\r\n\r\nbody\r\n--a--\r\n"
            yield b"\x02" + name + b": " + value + b"\r\n"
    for value in _FIELDS:
        yield b"\x01" + value
        yield b"\x03" + value + b"<b>&amp;<!-- -->"
    yield b"\x03a@xn--vf4b131b.test"
    double = b"\n" * 4 + b"da" + b"\n" * 8 + b"db\ndd c\ndd c"  # told the third root twice
    threads = (b"a\nb a\nc a b\na b\n\nd e c\nf", b"a b\nb c\nc a", double)
    yield from (b"\x06" + one for one in threads)
    for part in (b"binary\n\n\0\n", b"8bit\n\n\0\n"):
        yield b"\x04Return-Path: <x>\nContent-Type: a/b\nContent-Transfer-Encoding: " + part


def _authentication() -> Iterator[bytes]:
    """Signatures and keys (first octet 4n), records (4n + 1), results (4n + 2), bodies (4n + 3)."""
    yield b"\x00v=1; a=rsa-sha256; c=relaxed/relaxed; d=b.test; s=s; h=from:to; bh=AAAA; b=AAAA; l=1; x=9; t=1"
    yield b"\x00v=1; a=rsa-sha256; d=b.test; s=s; h=from:dkim-signature:from; bh=AAAA; b=A A\r\n AA; c=simple"
    yield b"\x00v=DKIM1; k=ed25519; p=AAAA; t=s; h=sha256; s=email"
    terms = (
        "ip4:192.0.2.0/24",
        "ip6:::1/64",
        "a:%{d}/24//64",
        "mx",
        "ptr",
        "exists:%{ir}.%{v}.x.test",
        "include:y.test",
    )
    for term in (*terms, "redirect=z.test", "exp=%{l1r-}.x.test"):
        yield b"\x01" + term.encode() + b" -all"
        yield b"\x05?" + term.encode() + b"\n~all"
    yield from (b"\x01p=reject; sp=none; pct=50; adkim=s", b"\x01p = quarantine;;rua=mailto:a@b.test")
    yield from (b"\x02(a (b)) mx.good.test; spf=pass", b'\x02"mx.good.test" 1; none', b"\x02Sender: a@b.test\r\n")
    yield from (b"\x03a \t b\r\n\r\n", b"\x07\r\r\n\n ", b"\x0b \r\n" * 3)


def _directory() -> Iterator[bytes]:
    """Pings' answers (first octet 4n), binds and sealed packets (4n + 1), tickets (4n + 2), subscription files (4n + 3)."""
    yield from (b"\x00" + SAMBA, b"\x02" + MACHINE, b"\x03" + edge_subscription.write(FILE))
    yield b"\x01" + element(SEQUENCE, integer(1) + element(0x61, integer(14, 0x0A) + element(OCTETS, b"") * 2))
    yield from (bytes([1 + 4 * step]) + packet(bytes(step)) * 3 for step in range(12))
    yield from (b"\x00" + element(tag, bytes(8)) for tag in (SEQUENCE, OCTETS, 0x61, 0x64))
    yield from (b"\x02" + bytes(size) for size in (0, 8, 64))


def _logon() -> Iterator[bytes]:
    """Responses, a line each, of PLAIN (first octet 5n), LOGIN (5n + 1), SCRAM (5n + 2) and NTLM (5n + 3); fields of HTTP
    (5n + 4)."""
    for name, password in ((b"anna", b"secret"), ("안나@good.test".encode(), "\u0300\u0316\u00ad".encode())):
        yield b"\x00\0" + name + b"\0" + password
        yield b"\x00" + name + b"\0" + name + b"\0" + password
        yield b"\x01" + name + b"\n" + password
        for header, bound in ((b"n,,", b"biws"), (b"y,,", b"eSws"), (b"n,a=" + name + b",", b"bixhPWFubmEs")):
            first = header + b"n=" + name + b",r=0123456789"
            yield b"\x02" + first + b"\nc=" + bound + b",NONCE,p=" + b"A" * 43 + b"="
            yield b"\x02" + first + b"\nc=" + bound + b",x=y,NONCE,p=" + password
    initiator = NtlmInitiator("anna", "EXAMPLE", nt_hash("secret"), "smtp/hub1")
    yield b"\x03" + initiator.negotiate()
    yield b"\x03" + initiator.negotiate() + b"\nNTLMSSP\0\3\0\0\0" + bytes(80)
    for scheme in (b"NTLM ", b"Negotiate "):
        yield b"\x04" + scheme + initiator.negotiate() + b"\n" + scheme + b"NTLMSSP\0\3\0\0\0" + bytes(80)
    yield b"\x04Negotiate \x60\x1c\x06\x06\x2b\x06\x01\x05\x05\x02" + bytes(20) + b"\nNegotiate \xa1\x03"
    digest = (
        b'Digest username="anna", realm="mail", nonce="NONCE", uri="/", nc=00000001, cnonce="x", qop=auth, response="y"'
    )
    yield (
        b"\x04"
        + digest
        + b"\n"
        + digest.replace(b'username="anna"', b"username*=UTF-8''an%C3%A4")
        + b", algorithm=SHA-256"
    )
    yield b"\x04Basic anna:secret\nBasic YW5uYTpzZWNyZXQ=\nBearer x"
    yield from (bytes([which]) + bytes(size) for which in range(5) for size in (0, 3))


_MORE = {
    "fuzz_imap": (
        b"\x00a/%%b*\na/x/b",
        b"\x01a&AOk-b",
        b"\x021-Feb-1994",
        b"\x03 1-Feb-1994 21:52:25 -0800",
        b"\x02a\r\n\r\nb\r\nc",
        b"\x001:3,5,7:* UID 1,3:4,9 NOT $ RECENT NEW KEYWORD a UNKEYWORD b",
        b'\x00OR (FROM a SUBJECT "b c") HEADER x "" SENTSINCE 1-Feb-1994 LARGER 9 TEXT a BODY b',
    ),
    "fuzz_smtp": (
        b"\x00a+2Bb+3D",
        b"\x01anna@good.test",
        b"\x00EHLO a.test\r\nAUTH PLAIN AGEAYg==\r\nAUTH LOGIN =\r\n*\r\n",
    ),
}
"""What no dialogue says: names, dates and addresses by themselves."""


def _web() -> Iterator[bytes]:
    """Requests as the routes of the target take or refuse them, one after the other."""
    yield from _http()
    for path in (b"/open/a", b"/OPEN/%2e/b", b"/closed/", b"/open/%252e%252e/closed/", b"*", b"/"):
        for fields in (
            b"",
            b"Content-Length: 5\r\n",
            b"Content-Length: 20000\r\n",
            b"Transfer-Encoding: chunked\r\n",
            b"Expect: 100-continue\r\nContent-Length: 5\r\n",
            b"Authorization: Basic YTpi\r\nAccept-Encoding: gzip\r\n",
            b"Authorization: NTLM TlRMTVNTUAABAAAAB4IIogAAAAAAAAAAAAAAAAAAAAA=\r\nConnection: close\r\n",
        ):
            for method in (b"GET", b"POST", b"OPTIONS", b"DELETE"):
                request = method + b" " + path + b" HTTP/1.1\r\nHost: a.test\r\n" + fields + b"\r\n"
                yield b"\x40" + request + b"hello" + request


def _http() -> Iterator[bytes]:
    """Requests, right and wrong, each whole and octet by octet."""
    for line in (
        b"GET /metrics?a=b HTTP/1.1",
        b"HEAD / HTTP/1.0",
        b"POST /x HTTP/2.0",
        b"GET /",
        b"\r\nGET / HTTP/1.1",
    ):
        for field in (b"Host: x", b"Content-Length: 12", b"Transfer-Encoding: chunked", b" folded", b"A" * 200):
            yield b"\xff" + line + b"\r\n" + field + b"\r\n\r\n"
            yield b"\x00" + line + b"\r\nHost: x\r\n" + field + b"\r\n\r\nmore"
    chunked = b"PUT /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    for body in (b"5\r\nhello\r\n0\r\n\r\n", b"2;a=b\r\nhi\r\n0\r\nA: b\r\n\r\nGET /", b"0\r\n folded\r\n", b"2\nhi"):
        yield from (bytes([cut]) + chunked + body for cut in CUTS)
    for value in (
        b'W/"a", "b"',
        b"Sun, 06 Nov 1994 08:49:37 GMT",
        b"bytes=0-4,-1",
        b"gzip;q=0.5, *;q=0",
        b"text/*;q=0.1, application/json;a=b",
        b"text/xml; charset=utf-8",
        b"/dav/%61/../b?c=d",
    ):
        yield b"\x00" + value


_PARTIAL = (
    b"ATTACH;ENCODING=BASE64;FMTTYPE=a/b:AAAA\r\nATTACH:data:a/b;base64,AAAA\r\nATTACH;FILENAME=x:https://x.test/",
    b"RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3\r\nEXRULE:FREQ=DAILY\r\nRDATE;VALUE=PERIOD:20260110T090000Z/PT1H",
    b"ATTENDEE;CN=^n;X:mailto:a\r\nBEGIN:VALARM\r\nTRIGGER;RELATED=END:-PT15M\r\nREPEAT:2\r\nDURATION:PT5M\r\nEND:VALARM",
    b"END:VEVENT\r\nBEGIN:VEVENT\r\nUID:u\r\nRECURRENCE-ID;RANGE=THISANDFUTURE:20260105T090000Z\r\nDTSTART:20260106T090000Z",
    b"END:VEVENT\r\nEND:VCALENDAR\r\nBEGIN:VCALENDAR\r\nBEGIN:VFREEBUSY\r\nFREEBUSY:20260110T090000Z/PT1H\r\nEND:VFREEBUSY",
)
_RULES = (
    b"FREQ=YEARLY;BYWEEKNO=-1;BYDAY=MO,-1TU;BYSETPOS=-1",
    b"FREQ=SECONDLY;INTERVAL=7;BYMINUTE=3",
    b"FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
)
_VALUES = (b"20260101T090000Z", b"-P1DT2H3M4S", b"+0930", b"20260101T090000Z/PT1H", b"/x.test/Europe/Berlin")


_MEETING = (
    b"BEGIN:VCALENDAR\r\n%bBEGIN:VEVENT\r\nUID:u\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:20260101T090000Z\r\nSEQUENCE:%b\r\n"
    b"RRULE:FREQ=DAILY\r\nATTENDEE;PARTSTAT=ACCEPTED:mailto:a@b.test\r\n%bEND:VEVENT\r\nEND:VCALENDAR\r\n"
)
_OCCURRENCE = b"RECURRENCE-ID:20260102T090000Z\r\n"
_MESSAGES = (
    (b"METHOD:REQUEST\r\n", b"1", b""),
    (b"METHOD:REQUEST\r\n", b"1", _OCCURRENCE),
    (b"METHOD:CANCEL\r\n", b"1", _OCCURRENCE),
    (b"METHOD:REPLY\r\n", b"1", _OCCURRENCE),
    (b"METHOD:ADD\r\n", b"1", b""),
    (b"METHOD:COUNTER\r\n", b"1", _OCCURRENCE),
    (b"METHOD:DECLINECOUNTER\r\n", b"1", b""),
    (b"METHOD:CANCEL\r\n", b"1", _OCCURRENCE.replace(b"RECURRENCE-ID", b"RECURRENCE-ID;RANGE=THISANDFUTURE")),
)


def _items() -> Iterator[bytes]:
    """In the order of the target's readers: content lines, calendars, parts of events, cards, rules, values, meetings."""
    yield from (bytes([reader]) + case.octets for reader in (0, 1) for case in CALENDARS)
    yield from (bytes([reader]) + case.octets for reader in (0, 3) for case in CARDS)
    yield from (b"\x02" + lines for lines in _PARTIAL)
    yield from (b"\x04" + rule for rule in _RULES)
    yield from (b"\x05" + value for value in _VALUES)
    yield from (b"\x06" + _MEETING % (b"", b"0", b"") + b"\r\n" + _MEETING % message for message in _MESSAGES)
    organizer = b"ORGANIZER:mailto:a@b.test\r\nATTENDEE:mailto:b@b.test\r\n"
    yield b"\x06" + _MEETING % (b"", b"0", organizer) + b"\r\n" + _MEETING % (b"", b"1", b"LOCATION:x\r\n" + organizer)
    yield (
        b"\x01BEGIN:VCALENDAR\nMETHOD:REQUEST\nBEGIN:VFREEBUSY\nUID:f\nDTSTAMP:20260101T000000Z\nDTSTART:20260301T000000Z\n"
        b"DTEND:20260302T000000Z\nORGANIZER:mailto:a@b.test\nATTENDEE:mailto:b@b.test\nEND:VFREEBUSY\nEND:VCALENDAR\n"
    )
    zone = BiasZone(-60, Change(0, 10, 5, 0, 180), Change(-60, 3, 5, 0, 120))
    hours = working_hours.written(working_hours.WorkingHours(zone=zone, name="x")).encode()
    numbers = bytes([128, *(128, 129, 130, 128, 128, 128) * 2])
    yield from (b"\x08" + octets for octets in (hours, b"Monday Weekday", b"\x80" * 13, numbers))
    yield from (b"\x07X-A:b\r\n\r\n" + names for names in (b"", b"M", b"20260103T090000Z"))
    for kind in (b"VTODO", b"VJOURNAL", b"VFREEBUSY"):
        yield b"\x01BEGIN:VCALENDAR\nBEGIN:%b\nUID:u\nDTSTART:20260101T090000Z\nFREEBUSY:a/b\nEND:%b" % (kind, kind)


def _xml() -> Iterator[bytes]:
    """Documents, right and wrong, in both encodings, and requests of Autodiscover."""
    for body in (
        "<D:a xmlns:D='DAV:' D:b='c' d='e&#10;'><D:f/>x&lt;<g xmlns='h'>y</g><![CDATA[z]]></D:a>",
        "<a xmlns:b=''/>",
        "<a><b:c/></a>",
        "<a>" * 10,
        "<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>",
        "<a xml:lang='ko'>한 글<?b c?><!-- d --></a>",
    ):
        for encoding in ("utf-8", "utf-16"):
            yield body.encode(encoding)
            yield f'<?xml version="1.0" encoding="{encoding}"?>{body}'.encode(encoding)

    space, soap = "http://schemas.microsoft.com/exchange/", "http://schemas.xmlsoap.org/soap/envelope/"
    for kind, version in (("outlook", "2006a"), ("mobilesync", "2006")):
        yield (
            f"<Autodiscover xmlns='{space}autodiscover/{kind}/requestschema/2006'><Request><EMailAddress>a@b.test"
            f"</EMailAddress><AcceptableResponseSchema>{space}autodiscover/{kind}/responseschema/{version}"
            "</AcceptableResponseSchema></Request></Autodiscover>"
        ).encode()
    for operation, named in (
        ("GetUserSettings", "<Users><User><Mailbox>a@b.test</Mailbox></User></Users>"),
        ("GetDomainSettings", "<Domains><Domain>b.test</Domain></Domains>"),
    ):
        yield (
            f"<s:Envelope xmlns:s='{soap}' xmlns='{space}2010/Autodiscover'><s:Header><RequestedServerVersion>Exchange2010"
            f"</RequestedServerVersion></s:Header><s:Body><{operation}RequestMessage><Request>{named}<RequestedSettings>"
            f"<Setting>UserDN</Setting></RequestedSettings></Request></{operation}RequestMessage></s:Body></s:Envelope>"
        ).encode()


def _acme() -> Iterator[bytes]:
    """Answers of an ACME server, right and wrong."""
    url = '"https://a.test/x"'
    objects = (
        f'{{"newNonce":{url},"newAccount":{url},"newOrder":{url},"meta":{{"termsOfService":{url}}}}}',
        f'{{"status":"ready","authorizations":[{url}],"finalize":{url},"certificate":{url},"error":{{"detail":"x"}}}}',
        f'{{"status":"pending","identifier":{{"type":"dns","value":"a.test"}},"challenges":[{{"type":"http-01","url":{url},'
        f'"token":"{"t" * 43}"}}]}}',
        '{"type":"urn:ietf:params:acme:error:dns","detail":"x","subproblems":[{"identifier":{"value":"a"},"detail":"y"}]}',
        "[" * 50,
    )
    for body in objects:
        yield b"\x00" + body.encode()
        for fields in (f"Content-Length: {len(body)}", "Connection: close", "Transfer-Encoding: chunked"):
            framed = f"{len(body):x}\r\n{body}\r\n0\r\n\r\n" if "chunked" in fields else body
            yield f"\x05HTTP/1.1 200 OK\r\n{fields}\r\n\r\n{framed}".encode()
    yield b"\x00" + b"t" * 43
    yield b"\x01HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\nReplay-Nonce: x\r\n\r\n"


def _dav() -> Iterator[bytes]:
    """Bodies (first octet 2n, in the order of the target's readers) and fields (2n + 1)."""
    space = b'xmlns="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:A="urn:ietf:params:xml:ns:carddav"'
    prop = b"<prop><getetag/><x xmlns='urn:x' xml:lang='ko'>y<z/></x></prop>"
    lock = b"<lockscope><exclusive/></lockscope><locktype><write/></locktype><owner>me</owner>"
    principal = b"<principal><href>/a</href></principal>"
    span = b"<C:time-range start='20260101T000000Z' end='20260102T000000Z'/>"
    expand = b"<C:expand start='20260101T000000Z' end='20260102T000000Z'/>"
    data = b"<C:calendar-data><C:comp name='VCALENDAR'><C:allprop/></C:comp>" + expand + b"</C:calendar-data>"
    text = b"<C:text-match collation='i;octet' negate-condition='yes'>x</C:text-match>"
    properties = b"<C:prop-filter name='SUMMARY'>" + text + b"</C:prop-filter>"
    events = b"<C:comp-filter name='VEVENT'>" + span + properties + b"</C:comp-filter></C:comp-filter></C:filter>"
    cards = b"<A:filter test='allof'>" + properties.replace(b"C:", b"A:") + b"</A:filter>"
    search = b"<property-search><prop><displayname/></prop><match>a</match></property-search>"
    for which, root, inner in (
        (0, b"propfind", prop),
        (0, b"propfind", b"<allprop/><include><acl/></include>"),
        (2, b"propertyupdate", b"<set>" + prop + b"</set><remove>" + prop + b"</remove>"),
        (4, b"mkcol", b"<set>" + prop + b"</set>"),
        (4, b"C:mkcalendar", b"<set>" + prop + b"</set>"),
        (6, b"lockinfo", lock),
        (8, b"acl", b"<ace>" + principal + b"<grant><privilege><read/></privilege></grant></ace>"),
        (10, b"C:calendar-query", prop + b"<C:filter/><C:timezone>x</C:timezone>"),
        (10, b"C:calendar-query", b"<prop>" + data + b"</prop><C:filter><C:comp-filter name='VCALENDAR'>" + events),
        (10, b"A:addressbook-query", cards),
        (10, b"C:calendar-multiget", prop + b"<href>/a</href>"),
        (10, b"C:free-busy-query", span),
        (
            10,
            b"sync-collection",
            b"<sync-token/><sync-level>1</sync-level><limit><nresults>1</nresults></limit>" + prop,
        ),
        (10, b"expand-property", b"<property name='a'><property name='b' namespace='c'/></property>"),
        (10, b"principal-property-search", search + prop),
        (10, b"principal-match", b"<self/>" + prop),
        (10, b"principal-search-property-set", b""),
        (10, b"acl-principal-prop-set", prop),
    ):
        yield bytes([which]) + b"<" + root + b" " + space + b">" + inner + b"</" + root + b">"
    for number, value in enumerate(
        (
            b"infinity",
            b"F",
            b"Infinite, Second-4100000000",
            b"<urn:uuid:181d4fae-7d8c-11d0-a765-00a0c91e6bf2>",
            b'return="minimal", depth-noroot',
            b'<http://a.test/b> (<a:b> ["c"]) (Not <DAV:no-lock>)',
            b"https://a.test/dav/calendars/a%20b/c",
        )
    ):
        yield bytes([1 + 2 * number]) + value


def _tls() -> Iterator[bytes]:
    """ClientHellos, a certificate and a SID."""
    for name in ("mail.example.test", "xn--bcher-kva.test", None):
        whole = hello_of(name)
        yield whole
        yield from (whole[:size] for size in (5, 9, 60))
        yield from (records(whole[5:], size) for size in (1, 7, 64))
    yield ssl.PEM_cert_to_DER_cert(trustme.CA().issue_cert("a@b.test").cert_chain_pems[0].bytes().decode())
    yield from (b"S-1-5-21-1-2-3-500", b"S-1-281474976710655-0", b"S-1-5", b"S-2-5-21")


_MADE = {
    "fuzz_tls": _tls,
    "fuzz_dav": _dav,
    "fuzz_acme": _acme,
    "fuzz_xml": _xml,
    "fuzz_ews": _ews,
    "fuzz_ews_operations": _ews_operations,
    "fuzz_items": _items,
    "fuzz_logon": _logon,
    "fuzz_dcerpc": _dcerpc,
    "fuzz_mail": _mail,
    "fuzz_authentication": _authentication,
    "fuzz_directory": _directory,
    "fuzz_http": _http,
    "fuzz_web": _web,
}


def fill(target: str, folder: Path) -> int:
    """Writes the seeds, named by what is in them, and `words` beside the folder. Says how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    made = set(seeds(target))
    for seed in made:
        (folder / hashlib.sha256(seed).hexdigest()[:40]).write_bytes(seed)
    folder.with_suffix(".dict").write_text(
        "# words of the parsers\n" + "".join(f'"{word}"\n' for word in words(target)), encoding="ascii"
    )  # libFuzzer takes no empty dictionary
    return len(made)


if __name__ == "__main__":
    print(fill(sys.argv[1], Path(sys.argv[2])))
