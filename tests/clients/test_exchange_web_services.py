"""exchangelib, which speaks Exchange Web Services, finds its account from the address alone, and asks who is busy when.

The domain of the tests is in no DNS: exchangelib is told where Autodiscover answers, and nothing else.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import caldav
import pytest
from exchangelib import BASIC, DELEGATE, NTLM, Account, Configuration, Credentials, EWSTimeZone
from exchangelib.autodiscover import autodiscover_cache
from exchangelib.autodiscover import cache as kept
from exchangelib.autodiscover.protocol import AutodiscoverProtocol
from exchangelib.protocol import BaseProtocol, CachingProtocol
from requests.adapters import HTTPAdapter

from tests.clients.people import HOST, run
from tests.organization import PASSWORD, Organization

pytestmark = pytest.mark.slow
ALICE, BOB = "alice@example.test", "bob@example.test"
SERVER = "server1.example.test"
PAGE = "/autodiscover/autodiscover.svc"
EWS = "/EWS/Exchange.asmx"


@pytest.fixture
def found(organization: Organization, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Finds alice's account by Autodiscover, with a mechanism."""

    class Trusting(HTTPAdapter):
        def cert_verify(self, conn: Any, url: str, verify: Any, cert: Any) -> None:
            super().cert_verify(conn, url, str(organization.authority), cert)

    look_up = socket.getaddrinfo

    def resolved(host: Any, *rest: Any, **named: Any) -> Any:
        return look_up(HOST if host == SERVER else host, *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", resolved)
    monkeypatch.setattr(BaseProtocol, "HTTP_ADAPTER_CLS", Trusting)
    monkeypatch.setattr(kept, "AUTODISCOVER_PERSISTENT_STORAGE", str(tmp_path / "autodiscover"))

    def account(auth_type: str, password: str = PASSWORD) -> Account:
        credentials = Credentials(ALICE, password)
        endpoint = f"https://{HOST}:{organization.port(443)}{PAGE}"
        asked = Configuration(service_endpoint=endpoint, credentials=credentials, auth_type=auth_type)
        autodiscover_cache["example.test", credentials] = AutodiscoverProtocol(config=asked)
        return Account(ALICE, credentials=credentials, autodiscover=True, access_type=DELEGATE)

    yield account
    autodiscover_cache.clear()
    CachingProtocol.clear_cache()


@pytest.mark.parametrize("auth_type", [BASIC, NTLM])
def test_it_finds_the_account_from_the_address(organization: Organization, found: Any, auth_type: str) -> None:
    account = found(auth_type)
    assert account.primary_smtp_address == ALICE
    assert account.protocol.service_endpoint == f"https://{SERVER}:{organization.port(443)}{EWS}"
    assert account.protocol.version.api_version == "Exchange2013_SP1"
    assert account.inbox.total_count > 0


def test_it_sees_when_others_are_busy(organization: Organization, found: Any) -> None:
    url = f"https://{HOST}:{organization.port(443)}/dav/"
    bob = caldav.DAVClient(url, username=BOB, password=PASSWORD, ssl_verify_cert=str(organization.authority))
    zone = EWSTimeZone("Europe/Berlin")
    day = datetime(2031, 3, 3, tzinfo=zone)
    calendar = bob.principal().calendar(cal_url=f"{url}calendars/{BOB}/calendar/")
    calendar.save_event(dtstart=day.replace(hour=9), dtend=day.replace(hour=10), summary="Secret")
    calendar.save_event(
        dtstart=day.replace(hour=13), dtend=day.replace(hour=14), summary="Weekly", rrule={"FREQ": "WEEKLY", "COUNT": 5}
    )
    account = found(NTLM)
    asked = [(BOB, "Required", False), (ALICE, "Organizer", False), ("nobody@example.test", "Optional", False)]
    end = day.replace(day=11)
    of_bob, of_alice, of_nobody = account.protocol.get_free_busy_info(asked, day, end, merged_free_busy_interval=60)
    assert of_bob.view_type == "FreeBusyMerged" and of_alice.view_type == "DetailedMerged"
    assert of_bob.merged[:24] == "0" * 9 + "2" + "000" + "2" + "0" * 10 and of_bob.merged[24:].count("2") == 1
    assert [(each.start, each.details) for each in of_bob.calendar_events] == [
        (day.replace(hour=9), None),
        (day.replace(hour=13), None),
        (day.replace(day=10, hour=13), None),
    ]
    assert type(of_nobody).__name__ == "ErrorMailRecipientNotFound"


def test_curl_asks_for_suggestions(organization: Organization) -> None:
    span = "<t:StartTime>2031-03-05T00:00:00</t:StartTime><t:EndTime>2031-03-06T00:00:00</t:EndTime>"
    question = (
        '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"'
        ' xmlns:m="http://schemas.microsoft.com/exchange/services/2006/messages"'
        ' xmlns:t="http://schemas.microsoft.com/exchange/services/2006/types"><s:Body><m:GetUserAvailabilityRequest>'
        f"<t:TimeZone><t:Bias>0</t:Bias></t:TimeZone><m:MailboxDataArray><t:MailboxData><t:Email><t:Address>{BOB}"
        "</t:Address></t:Email><t:AttendeeType>Required</t:AttendeeType></t:MailboxData></m:MailboxDataArray>"
        f"<t:SuggestionsViewOptions><t:DetailedSuggestionsWindow>{span}</t:DetailedSuggestionsWindow>"
        "</t:SuggestionsViewOptions></m:GetUserAvailabilityRequest></s:Body></s:Envelope>"
    )
    done = run(
        "curl", "-sS", "--cacert", organization.authority, "--ntlm", "--user", f"{ALICE}:{PASSWORD}",
        "-H", "Content-Type: text/xml", "--data-binary", question,
        f"https://{HOST}:{organization.port(443)}{EWS}",
    )  # fmt: skip
    assert "<t:MeetingTime>2031-03-05T08:00:00</t:MeetingTime>" in done.stdout, done.stdout
    assert "<t:DayQuality>Excellent</t:DayQuality>" in done.stdout
