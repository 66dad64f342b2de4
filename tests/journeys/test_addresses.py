"""A server with an IPv4 and an IPv6 address: both have every door, and both reach the same mailbox."""

from __future__ import annotations

import imaplib
import smtplib
import ssl

import pytest

from tests import organization
from tests.organization import PASSWORD

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]


def test_both_address_families_have_every_door() -> None:
    running = organization.start(configuration={'addresses = ["127.0.0.1"]': 'addresses = ["127.0.0.1", "::1"]'})
    try:
        alice = running.add_user("alice")
        trusting = ssl.create_default_context(cafile=str(running.authority))
        with smtplib.SMTP("::1", running.port(25), timeout=20) as client:
            client.sendmail(
                "x@stranger.invalid", [alice], "From: x@stranger.invalid\r\nSubject: over IPv6\r\n\r\nhello\r\n"
            )
        with smtplib.SMTP("127.0.0.1", running.port(25), timeout=20) as client:
            client.sendmail(
                "x@stranger.invalid", [alice], "From: x@stranger.invalid\r\nSubject: over IPv4\r\n\r\nhello\r\n"
            )
        for host in ("::1", "127.0.0.1"):
            with imaplib.IMAP4_SSL(host, running.port(993), ssl_context=trusting, timeout=20) as client:
                client.login(alice, PASSWORD)
                while int(client.select()[1][0] or 0) < 2:
                    client.noop()
                subjects = client.fetch("1:*", "(BODY[HEADER.FIELDS (SUBJECT)])")[1]
                assert {part[1].strip() for part in subjects if isinstance(part, tuple)} == {
                    b"Subject: over IPv6",
                    b"Subject: over IPv4",
                }
        assert running.verify("--path", "imap4")["imap4"]["verdict"] == "pass"
    finally:
        organization.remove(running)
