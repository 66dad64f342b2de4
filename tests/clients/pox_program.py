"""A program with exchangelib 4.9, whose Autodiscover is the older one (POX, MS-OXDSCLI).

It is run with that version before others on its path, finds an account from the address alone, sends a letter to itself, and
prints what it found as JSON. It imports nothing of ours. The domain of the tests is in no DNS, so names below it are resolved
to this machine, and port 443 to the organization's.
"""

from __future__ import annotations

import json
import socket
import sys
import time
from typing import Any

import dns.resolver
import exchangelib
from exchangelib import DELEGATE, Account, Credentials, Message
from exchangelib.autodiscover.discovery.pox import PoxAutodiscovery
from exchangelib.protocol import BaseProtocol
from requests.adapters import HTTPAdapter

SECONDS = 60.0


def reach(domain: str, host: str, port: int, authority: str) -> None:
    """Names below the domain are this machine's, and certificates are the authority's."""
    look_up = socket.getaddrinfo

    def resolved(name: Any, number: Any, *rest: Any, **named: Any) -> Any:
        ours = str(name).endswith(domain)
        return look_up(host if ours else name, port if ours and number == 443 else number, *rest, **named)

    class Trusting(HTTPAdapter):
        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            super().cert_verify(conn, url, authority, cert)

    class Resolver(dns.resolver.Resolver):
        def resolve(self, name: Any, kind: Any = "A", *rest: Any, **named: Any) -> Any:
            if kind != "A" or not str(name).startswith("autodiscover."):
                raise dns.resolver.NXDOMAIN
            return []

    socket.getaddrinfo = resolved
    BaseProtocol.HTTP_ADAPTER_CLS = Trusting
    dns.resolver.Resolver = Resolver  # type: ignore[misc] # the class that the discovery makes


def delivered(account: Account, subject: str) -> Any:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        for letter in account.inbox.filter(subject=subject):
            return letter
        time.sleep(0.2)
    raise TimeoutError(subject)


def main(address: str, password: str, host: str, port: str, authority: str) -> None:
    reach(address.partition("@")[2], host, int(port), authority)
    credentials = Credentials(address, password)
    found, protocol = PoxAutodiscovery(email=address, credentials=credentials).discover()
    account = Account(address, config=protocol.config, autodiscover=False, access_type=DELEGATE)
    subject = "Found by POX"
    Message(account=account, subject=subject, body="Hello", to_recipients=[address]).send()
    letter = delivered(account, subject)
    print(
        json.dumps(
            {
                "version": exchangelib.__version__,
                "address": found.autodiscover_smtp_address,
                "url": protocol.service_endpoint,
                "auth_type": protocol.auth_type,
                "sender": letter.sender.email_address,
                "body": letter.text_body,
            }
        )
    )


main(*sys.argv[1:])
