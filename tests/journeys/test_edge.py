"""A hub and an edge, two hosts of one organization: what strangers send comes in by the edge, what users send goes out by it,
reports come back, and a subscription that has ended holds mail up and loses none.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import smtplib
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.remote import Remote
from tests.organization import PASSWORD, Organization, remove, start
from tests.support.ports import free_offset, free_port

pytestmark = [pytest.mark.slow, pytest.mark.postgres, pytest.mark.slapd]
PATIENCE = 40.0
EDGE = "127.0.0.2"
STRANGER = "carl@other.test"

CONFIGURATION = """\
[organization]
name = "Corp"
offset = {offset}
rpc-ports = [{rpc}, {last}]
dns-servers = ["127.0.0.1:{names}"]
[[domain]]
name = "example.test"
[[server]]
name = "hub1"
fqdn = "hub1.example.test"
roles = ["hub", "mailbox"]
addresses = ["127.0.0.1"]
workers = 1
[[server]]
name = "edge1"
fqdn = "edge1.example.test"
roles = ["edge"]
addresses = ["127.0.0.2"]
workers = 1
[[send-connector]]
name = "internet"
smart-hosts = ["127.0.0.1:{internet}"]
"""


@dataclass
class Estate:
    hub: Organization
    edge: Organization
    outside: Remote

    def steps(self, host: Organization, message: str) -> dict[str, dict[str, Any]]:
        """The tracking log's steps of a message, by name."""
        done = host.command("trace", message, "--json", check=False)
        return {row["step"]: row for row in json.loads(done.stdout)} if done.returncode == 0 else {}

    def until(self, host: Organization, message: str, *steps: str) -> dict[str, dict[str, Any]]:
        """Waits until a message went through these steps at a host."""
        return until(lambda: _having(self.steps(host, message), steps), f"{message} never came to {steps}")

    def receive(self, message: str, to: str = "alice@example.test") -> None:
        """A stranger's mail, to the edge."""
        with smtplib.SMTP(EDGE, self.edge.port(25), timeout=30) as client:
            client.starttls(context=_trusting_anybody())
            client.sendmail(
                STRANGER, [to], f"From: {STRANGER}\r\nMessage-ID: <{message}>\r\nSubject: in\r\n\r\nhello\r\n"
            )

    def submit(self, message: str, to: str) -> None:
        """alice's mail, to the hub."""
        with smtplib.SMTP("127.0.0.1", self.hub.port(587), timeout=30) as client:
            client.starttls(context=_trusting_anybody())
            client.login("alice@example.test", PASSWORD)
            client.sendmail("alice@example.test", [to], f"Message-ID: <{message}>\r\nSubject: out\r\n\r\nhello\r\n")


def _trusting_anybody() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def _having(steps: dict[str, dict[str, Any]], wanted: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    return steps if set(wanted) <= set(steps) else {}


def until(found: Callable[[], Any], complaint: str) -> Any:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if result := found():
            return result
        time.sleep(0.1)
    raise AssertionError(complaint)


@pytest.fixture(scope="module")
def estate() -> Iterator[Estate]:
    offset, internet, names = free_offset(), free_port(), free_port()
    outside = Remote("127.0.0.1", internet, names)
    started: list[Organization] = []
    try:
        words = {"offset": offset, "internet": internet, "names": names, "rpc": 20000 + offset, "last": 20019 + offset}
        for name in ("hub1", "edge1"):
            state = Path(tempfile.mkdtemp(prefix="pe-", dir="/tmp")) / "state"
            state.mkdir()
            (state / "postern.toml").write_text(CONFIGURATION.format(**words))
            started.append(start(state, offset, arguments=("--server", name)))
        estate = Estate(*started, outside)
        estate.hub.add_user("alice")
        subscribe(estate)
        yield estate
    finally:
        for one in started:
            remove(one)
        outside.stop()


def subscribe(estate: Estate) -> None:
    file = estate.hub.state.parent / "subscription.xml"
    estate.edge.command("edge", "subscription", "new", "--server", "edge1", "--output", str(file))
    file.chmod(0o644)
    estate.hub.command("edge", "subscribe", str(file), "--server", "hub1")
    estate.hub.command("edge", "sync", "--server", "hub1")


def test_in_by_the_edge(estate: Estate) -> None:
    estate.receive("in1@other.test")
    there = estate.until(estate.edge, "in1@other.test", "send")
    here = estate.until(estate.hub, "in1@other.test", "deliver")
    assert (there["receive"]["path"], there["receive"]["mechanism"]) == ("edge-to-edge", "Anonymous")
    assert (there["send"]["path"], there["send"]["mechanism"]) == ("edge-to-hub", "Direct trust")
    assert (here["receive"]["path"], here["receive"]["mechanism"]) == ("edge-to-hub", "Direct trust")
    assert here["receive"]["cipher"] == there["send"]["cipher"] != ""


def test_whom_the_organization_does_not_have_is_refused_at_the_edge(estate: Estate) -> None:
    with pytest.raises(smtplib.SMTPRecipientsRefused) as refused:
        estate.receive("in2@other.test", "nobody@example.test")
    assert refused.value.recipients["nobody@example.test"][0] == 550
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        estate.receive("in3@other.test", "x@elsewhere.test")


def test_out_by_the_edge(estate: Estate) -> None:
    estate.submit("out1@example.test", STRANGER)
    here = estate.until(estate.hub, "out1@example.test", "send")
    there = estate.until(estate.edge, "out1@example.test", "send")
    assert (here["send"]["path"], here["send"]["mechanism"]) == ("hub-to-edge", "Direct trust")
    assert (there["receive"]["path"], there["receive"]["mechanism"]) == ("hub-to-edge", "Direct trust")
    assert there["send"]["path"] == "edge-to-edge" and there["send"]["cipher"]
    message = until(lambda: estate.outside.has("out1@example.test"), "it never came outside")
    assert message["seal"] == "TLSv1.3"


def test_a_report_of_the_edge_comes_home(estate: Estate) -> None:
    estate.submit("out2@example.test", "nobody@other.test")
    there = estate.until(estate.edge, "out2@example.test", "fail", "dsn")
    report = there["dsn"]["outcome"].partition(" ")[2]
    here = estate.until(estate.hub, report, "deliver")
    assert here["receive"]["path"] == "edge-to-hub" and here["deliver"]["recipients"] == ["alice@example.test"]


def test_the_hub_itself_takes_nothing_of_strangers(estate: Estate) -> None:
    with smtplib.SMTP("127.0.0.1", estate.hub.port(25), timeout=30) as client:
        client.starttls(context=_trusting_anybody())
        client.ehlo()
        assert client.mail(STRANGER)[0] == 530


def test_what_is_proven_is_what_is_declared(estate: Estate) -> None:
    reports = estate.edge.verify("--path", "edge-to-edge", "--path", "edge-to-hub")
    assert {name: report["verdict"] for name, report in reports.items()} == {
        "edge-to-edge": "pass",
        "edge-to-hub": "pass",
    }
    assert estate.hub.verify("--path", "hub-to-edge")["hub-to-edge"]["verdict"] == "pass"


def processes(host: Organization) -> dict[str, int]:
    """Names and pids of what a supervisor started, but server programs, which are asked in another way."""
    files = [file for file in (host.state / "processes").iterdir() if "." in file.name]
    return {file.name: int(file.read_text().split()[0]) for file in files if file.read_text()}


def test_every_process_of_an_edge_that_hangs_is_replaced_and_no_mail_is_lost(estate: Estate) -> None:
    """An edge's role and its keeper of accounts, and the hub's EdgeSync: stopped together, while mail comes to the edge."""
    before = {host.state: processes(host) for host in (estate.edge, estate.hub)}
    stopped = [
        *before[estate.edge.state].items(),
        *((n, p) for n, p in before[estate.hub.state].items() if "edge" in n),
    ]
    assert {name.partition(".")[0] for name, _ in stopped} == {"edge", "edge-credentials", "edgesync"}
    estate.receive("hang1@other.test")
    begun = time.monotonic()
    for _, pid in stopped:
        os.kill(pid, signal.SIGSTOP)

    def healed() -> bool:
        now = {pid for host in (estate.edge, estate.hub) for pid in processes(host).values()}
        return not now.intersection(pid for _, pid in stopped) and len(processes(estate.edge)) == 2

    until(healed, "they still hang")
    print(f"replaced after {time.monotonic() - begun:.1f} s")

    def taken() -> bool:
        with contextlib.suppress(OSError, smtplib.SMTPException):
            estate.receive("hang2@other.test")
            return True
        return False

    until(taken, "the edge takes nothing")
    for message in ("hang1@other.test", "hang2@other.test"):
        estate.until(estate.hub, message, "deliver")
    events = (estate.edge.state / "logs" / "supervisor.jsonl").read_text()
    assert events.count('"unresponsive"') == 2


def test_without_its_subscription_the_edge_is_a_stranger_and_mail_waits(estate: Estate) -> None:
    """The last test: at its end all is as it was."""
    estate.hub.command("edge", "unsubscribe", "edge1", "--server", "hub1")
    until(lambda: estate.hub.verify("--path", "hub-to-edge")["hub-to-edge"]["verdict"] != "pass", "still trusted")
    # The roles read the directory every few seconds: what leaves before they know goes as before.
    outward = _first_deferred(estate.hub, "out3-{}@example.test", lambda name: estate.submit(name, STRANGER), estate)
    inward = _first_deferred(estate.edge, "in4-{}@other.test", estate.receive, estate)
    subscribe(estate)
    estate.until(estate.edge, outward, "send")
    estate.until(estate.hub, inward, "deliver")


def _first_deferred(host: Organization, names: str, send: Callable[[str], None], estate: Estate) -> str:
    """Sends one message after another until one has to wait, for want of trust; says which."""
    for number in range(20):
        name = names.format(number)
        send(name)
        until(lambda name=name: estate.steps(host, name).keys() & {"send", "defer"}, f"{name} went nowhere")
        if waits := estate.steps(host, name).get("defer"):
            assert waits["outcome"].startswith("4.7.5")
            return name
    raise AssertionError("it is still trusted")
