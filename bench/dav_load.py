"""Asks for a calendar: `python -m bench.dav_load PORT TLS|CLEAR COLLECTION USER:PASSWORD WORK COUNT [PID ...]`.

WORK is `make` (the collection), `put` (COUNT new events or more, one after the other), `whole` (COUNT events in one PUT, which
Radicale takes), `propfind` (all entity tags), `sync` (what changed after one PUT) or `multiget` (COUNT events). What is quick is
asked again and again. The PIDs are the server's first processes. Prints one JSON object, with the processor time of the server
and its children; what was asked to get ready is not in it.
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
from uuid import uuid4

from bench import accounting

ROUNDS = 3
"""How often a question is asked in one run at least."""
SECONDS = 1.0
"""The shortest run, so that the kernel's count of CPU, which goes in steps of 10 ms, says something."""
CALDAV = "urn:ietf:params:xml:ns:caldav"
PROPFIND = '<propfind xmlns="DAV:"><prop><getetag/><resourcetype/><getcontenttype/></prop></propfind>'
SYNC = (
    '<sync-collection xmlns="DAV:"><sync-token>{}</sync-token><sync-level>1</sync-level><prop><getetag/></prop>'
    "</sync-collection>"
)
MULTIGET = (
    f'<C:calendar-multiget xmlns="DAV:" xmlns:C="{CALDAV}"><prop><getetag/><C:calendar-data/></prop>'
    "{}</C:calendar-multiget>"
)


def event(name: str, number: int) -> str:
    start = f"2026{1 + number % 12:02d}{1 + number % 28:02d}T{number % 24:02d}0000Z"
    return (
        f"BEGIN:VEVENT\r\nUID:{name}\r\nDTSTAMP:20260101T000000Z\r\nDTSTART:{start}\r\nDURATION:PT1H\r\n"
        f"SUMMARY:Event {number}\r\nDESCRIPTION:{'lorem ipsum ' * 20}\r\nEND:VEVENT\r\n"
    )


def calendar(events: str) -> str:
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//bench//bench//EN\r\n{events}END:VCALENDAR\r\n"


class Client:
    def __init__(self, port: int, seal: str, collection: str, credentials: str) -> None:
        self.collection = collection
        self._fields = {"Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}"}
        tls = ssl.create_default_context()
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        self._connection = (
            http.client.HTTPSConnection("127.0.0.1", port, context=tls)
            if seal == "TLS"
            else http.client.HTTPConnection("127.0.0.1", port)
        )

    def ask(
        self, method: str, name: str = "", body: str = "", kind: str = "application/xml", depth: str = "0"
    ) -> bytes:
        fields = {**self._fields, "Depth": depth, **({"Content-Type": kind} if body else {})}
        self._connection.request(method, self.collection + name, body.encode(), fields)
        answer = self._connection.getresponse()
        data = answer.read()
        if answer.status >= 300:
            raise RuntimeError(f"{method} {name}: {answer.status} {data[:200]!r}")
        return data

    def put(self, name: str, number: int) -> bytes:
        return self.ask("PUT", f"{name}.ics", calendar(event(name, number)), "text/calendar")


def rounds(ask: Callable[[], object], least: int = ROUNDS) -> int:
    """Asks again and again. Returns how often."""
    until, count = time.monotonic() + SECONDS, 0
    while count < least or time.monotonic() < until:
        ask()
        count += 1
    return count


def main() -> None:
    port, seal, collection, credentials, work, count, *roots = sys.argv[1:]
    pids = [int(pid) for pid in roots]
    client, number = Client(int(port), seal, collection, credentials), int(count)
    operations = 1
    if work == "multiget":
        hrefs = re.findall(rb"<[^>]*href>([^<]+\.ics)<", client.ask("PROPFIND", "", PROPFIND, depth="1"))[:number]
        asked = MULTIGET.format("".join(f"<href>{href.decode()}</href>" for href in hrefs))
    if work == "sync":
        told = re.search(rb"sync-token[^>]*>([^<]+)<", client.ask("REPORT", "", SYNC.format("")))
        assert told is not None
        client.put(str(uuid4()), 1)
        asked = SYNC.format(told[1].decode())
    used = accounting.cpu_seconds(pids)
    began = time.monotonic()
    match work:
        case "make":
            client.ask("MKCALENDAR")
        case "put":
            operations = rounds(lambda: client.put(str(uuid4()), time.monotonic_ns() % 336), number)
        case "whole":
            client.ask(
                "PUT", "", calendar("".join(event(str(uuid4()), each) for each in range(number))), "text/calendar"
            )
        case "propfind":
            operations = rounds(lambda: client.ask("PROPFIND", "", PROPFIND, depth="1"))
        case "sync" | "multiget":
            operations = rounds(lambda: client.ask("REPORT", "", asked, depth="1" if work == "multiget" else "0"))
    seconds = time.monotonic() - began
    print(json.dumps({"operations": operations, "seconds": seconds, "cpu": accounting.cpu_seconds(pids) - used}))


if __name__ == "__main__":
    main()
