"""Asks Exchange Web Services for an inbox: `python -m bench.ews_load PORT USER:PASSWORD WORK COUNT [PID ...]`.

WORK is `sync-ids` or `sync-default` (all items of the inbox, in pages of 512), `sync-one` (what changed after one item was
made), `find` (the first page of 50 by the time of receipt), `find-subject` (with a restriction), `get` (batches of 50 items,
Default), `create` (a draft) or `availability` (the free/busy of COUNT users, a day by half hours). What is quick is asked again
and again. The PIDs are the server's first processes. Prints one JSON object, with the processor time of the server and its
children; operations are items for `sync-ids`, `sync-default` and `get`, else requests. `streams` holds COUNT streaming
subscriptions, 20 of each user, until its input ends.
"""

from __future__ import annotations

import base64
import http.client
import json
import re
import ssl
import sys
import time
from collections.abc import Callable

from bench import accounting
from bench.dav_load import rounds

TYPES = "http://schemas.microsoft.com/exchange/services/2006/types"
MESSAGES = "http://schemas.microsoft.com/exchange/services/2006/messages"
INBOX = '<t:DistinguishedFolderId Id="inbox"/>'
DRAFT = (
    '<m:CreateItem MessageDisposition="SaveOnly"><m:SavedItemFolderId>{}</m:SavedItemFolderId><m:Items><t:Message>'
    "<t:Subject>a draft</t:Subject></t:Message></m:Items></m:CreateItem>"
)


def shape(base: str) -> str:
    return f"<m:ItemShape><t:BaseShape>{base}</t:BaseShape></m:ItemShape>"


class Client:
    def __init__(self, port: int, credentials: str, address: str = "127.0.0.1") -> None:
        self._fields = {
            "Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}",
            "Content-Type": "text/xml; charset=utf-8",
        }
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        self._connection = http.client.HTTPSConnection("127.0.0.1", port, context=tls, source_address=(address, 0))

    def ask(self, body: str) -> bytes:
        self._post(body)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status != 200 or b'ResponseClass="Error"' in data:
            raise RuntimeError(f"{answer.status} {data[:600]!r}")
        return data

    def _post(self, body: str) -> None:
        document = (
            f'<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" xmlns:t="{TYPES}" xmlns:m="{MESSAGES}">'
            f'<s:Header><t:RequestServerVersion Version="Exchange2013"/></s:Header><s:Body>{body}</s:Body></s:Envelope>'
        )
        self._connection.request("POST", "/EWS/Exchange.asmx", document.encode(), self._fields)

    def subscribe(self) -> str:
        """Makes a streaming subscription to new mail in the inbox. Returns its id."""
        told = self.ask(
            "<m:Subscribe><m:StreamingSubscriptionRequest><t:FolderIds>"
            f"{INBOX}</t:FolderIds><t:EventTypes><t:EventType>NewMailEvent</t:EventType></t:EventTypes>"
            "</m:StreamingSubscriptionRequest></m:Subscribe>"
        )
        match = re.search(rb"SubscriptionId>([^<]+)<", told)
        assert match is not None
        return match[1].decode()

    def stream(self, subscription: str) -> http.client.HTTPResponse:
        """Begins to wait for the events of a subscription. Returns the answer, of which the first piece was read."""
        self._post(
            f"<m:GetStreamingEvents><m:SubscriptionIds><t:SubscriptionId>{subscription}</t:SubscriptionId>"
            "</m:SubscriptionIds><m:ConnectionTimeout>30</m:ConnectionTimeout></m:GetStreamingEvents>"
        )
        answer = self._connection.getresponse()
        assert answer.status == 200 and answer.read1(65_536)
        return answer

    def sync(self, base: str, state: str) -> tuple[str, bool, int]:
        """The next state, whether it is the last, and how many changes came."""
        told = f"<m:SyncState>{state}</m:SyncState>" if state else ""
        data = self.ask(
            f"<m:SyncFolderItems>{shape(base)}<m:SyncFolderId>{INBOX}</m:SyncFolderId>{told}"
            "<m:MaxChangesReturned>512</m:MaxChangesReturned></m:SyncFolderItems>"
        )
        match = re.search(rb"<m:SyncState>([^<]+)<", data)
        assert match is not None
        return match[1].decode(), b"<m:IncludesLastItemInRange>true" in data, data.count(b"<t:ItemId ")

    def whole(self, base: str) -> tuple[str, int]:
        """The state after all items, and how many they are."""
        state, is_last, items = "", False, 0
        while not is_last:
            state, is_last, count = self.sync(base, state)
            items += count
        return state, items

    def find(self, most: int, more: str = "", base: str = "Default") -> bytes:
        return self.ask(
            f'<m:FindItem Traversal="Shallow">{shape(base)}'
            f'<m:IndexedPageItemView MaxEntriesReturned="{most}" Offset="0" BasePoint="Beginning"/>{more}<m:SortOrder>'
            '<t:FieldOrder Order="Descending"><t:FieldURI FieldURI="item:DateTimeReceived"/></t:FieldOrder></m:SortOrder>'
            f"<m:ParentFolderIds>{INBOX}</m:ParentFolderIds></m:FindItem>"
        )


RESTRICTION = (
    '<m:Restriction><t:Contains ContainmentMode="Substring" ContainmentComparison="IgnoreCase">'
    '<t:FieldURI FieldURI="item:Subject"/><t:Constant Value="message 77"/></t:Contains></m:Restriction>'
)


STREAMS_EACH = 20
BIAS = (
    "<t:{0}><t:Bias>0</t:Bias><t:Time>00:00:00</t:Time><t:DayOrder>1</t:DayOrder><t:Month>{1}</t:Month>"
    "<t:DayOfWeek>Sunday</t:DayOfWeek></t:{0}>"
)
AVAILABILITY = (
    "<m:GetUserAvailabilityRequest><t:TimeZone><t:Bias>0</t:Bias>"
    + BIAS.format("StandardTime", 10)
    + BIAS.format("DaylightTime", 3)
    + "</t:TimeZone><m:MailboxDataArray>{}</m:MailboxDataArray><t:FreeBusyViewOptions><t:TimeWindow>"
    "<t:StartTime>2026-12-01T00:00:00</t:StartTime><t:EndTime>2026-12-02T00:00:00</t:EndTime></t:TimeWindow>"
    "<t:MergedFreeBusyIntervalInMinutes>30</t:MergedFreeBusyIntervalInMinutes>"
    "<t:RequestedView>Detailed</t:RequestedView></t:FreeBusyViewOptions></m:GetUserAvailabilityRequest>"
)


def user(number: int) -> str:
    return f"user{number}@example.test"


def streams(port: int, password: str, count: int) -> None:
    """Holds streaming subscriptions until the input ends."""
    held = []
    for number in range(count):
        # From one address, a door answers 64 requests at a time.
        address = f"127.0.1.{1 + number // STREAMS_EACH}"
        client = Client(port, f"{user(number // STREAMS_EACH)}:{password}", address)
        held.append(client.stream(client.subscribe()))
    print(json.dumps({"operations": count, "seconds": 0.0}), flush=True)
    sys.stdin.read()


def main() -> None:
    port, credentials, work, count, *roots = sys.argv[1:]
    if work == "streams":
        streams(int(port), credentials.partition(":")[2], int(count))
        return
    pids, client = [int(pid) for pid in roots], Client(int(port), credentials)
    items = 1
    client.find(1)
    ask: Callable[[], object]
    match work:
        case "sync-ids" | "sync-default":
            base = "IdOnly" if work == "sync-ids" else "Default"
            items = int(count)

            def ask() -> None:
                assert client.whole(base)[1] == items

        case "sync-one":
            state, _ = client.whole("IdOnly")
            client.ask(DRAFT.format(INBOX))

            def ask() -> None:
                assert client.sync("Default", state)[1:] == (True, 1)

        case "find":

            def ask() -> None:
                client.find(50)

        case "find-subject":

            def ask() -> None:
                client.find(50, RESTRICTION)

        case "get":
            ids = [each.decode() for each in re.findall(rb'<t:ItemId Id="([^"]+)"', client.find(500, base="IdOnly"))]
            named = "".join(f'<t:ItemId Id="{each}"/>' for each in ids[:50])
            items = 50

            def ask() -> None:
                client.ask(f"<m:GetItem>{shape('Default')}<m:ItemIds>{named}</m:ItemIds></m:GetItem>")

        case "create":

            def ask() -> None:
                client.ask(DRAFT.format('<t:DistinguishedFolderId Id="drafts"/>'))

        case "availability":
            data = "".join(
                f"<t:MailboxData><t:Email><t:Address>{user(number)}</t:Address></t:Email>"
                "<t:AttendeeType>Required</t:AttendeeType></t:MailboxData>"
                for number in range(int(count))
            )
            asked = AVAILABILITY.format(data)

            def ask() -> None:
                client.ask(asked)

        case _:
            raise SystemExit(f"no work {work}")
    used = accounting.cpu_seconds(pids)
    began = time.monotonic()
    operations = rounds(ask, 1) * items
    seconds = time.monotonic() - began
    print(json.dumps({"operations": operations, "seconds": seconds, "cpu": accounting.cpu_seconds(pids) - used}))


if __name__ == "__main__":
    main()
