"""Run on a host of the lab: sends marked messages over SMTP, each until it is accepted, or until the time is over; or tells which
of them are in a mailbox.

A sender with a queue of its own would hide what a server refuses; this one keeps what it has not been told is taken.
"""

from __future__ import annotations

import imaplib
import re
import smtplib
import ssl
import sys
import time

_PAUSE = 0.1
_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"


def text(sender: str, recipient: str, marker: str, number: int) -> bytes:
    return (
        f"From: {sender}\r\nTo: {recipient}\r\nSubject: {marker} {number}\r\nMessage-ID: <{marker}.{number}@marked.test>\r\n"
        f"\r\nThe words of {marker}, number {number}.\r\n"
    ).encode()


def send(
    server: str,
    port: str,
    sender: str,
    recipient: str,
    marker: str,
    first: str,
    last: str,
    seconds: str,
    password: str = "",
) -> None:
    deadline = time.monotonic() + float(seconds)
    waiting = list(range(int(first), int(last)))
    why = ""
    while waiting and time.monotonic() < deadline:
        try:
            with smtplib.SMTP(server, int(port), timeout=20) as dialog:
                if password:
                    dialog.starttls(context=ssl.create_default_context(cafile=_AUTHORITIES))
                    dialog.login(sender, password)
                while waiting:
                    dialog.sendmail(sender, [recipient], text(sender, recipient, marker, waiting[0]))
                    print(waiting.pop(0), flush=True)
        except (OSError, smtplib.SMTPException) as error:
            why = repr(error)
            time.sleep(_PAUSE)  # not to wait for somebody: a client that is refused does not come back at once
    if waiting:
        sys.exit(f"{len(waiting)} not taken: {why}")


def read(server: str, person: str, marker: str, password: str) -> None:
    """Prints the number of each, as often as it is there."""
    with imaplib.IMAP4_SSL(server, ssl_context=ssl.create_default_context(cafile=_AUTHORITIES)) as dialog:
        dialog.login(person, password)
        dialog.select("INBOX", readonly=True)
        _, found = dialog.search(None, "HEADER", "Message-ID", f"<{marker}.")
        if numbers := found[0].decode().replace(" ", ","):
            _, lines = dialog.fetch(numbers, "(BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")
            print(*re.findall(rf"<{marker}\.(\d+)@", repr(lines)), sep="\n")


if __name__ == "__main__":
    {"send": send, "read": read}[sys.argv[1]](*sys.argv[2:])
