"""The running lab is broken, one way after another: somebody notices each time, and no mail that was on its way is lost.

Those who notice: the matrix of `postern lab verify`, a row of `postern verify` on a host, `postern topology`, `postern edge
sync`, the queues, and the events in the servers' logs. All is put back each time, and is seen to be well again.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

import pytest

from tests.lab import mutations as by
from tests.lab.live import Lab, eventually, with_namespaces, with_servers
from tests.lab.post import Post

pytestmark = [pytest.mark.root, pytest.mark.slow, with_namespaces, with_servers]

ERIN = "erin@other.test"


@dataclass(frozen=True)
class Mutation:
    """`broken` is noticed when `noticed` says so, which it does no more once all is put back. `via` and `to`: the way of the mail
    that goes out meanwhile; `held`: it may arrive only afterwards, which those of `retry` are then told."""

    name: str
    broken: Callable[[Lab], AbstractContextManager[None]]
    noticed: Callable[[Lab], bool]
    via: str | None = None
    to: str = "alice@corp.test"
    held: bool = False
    retry: tuple[str, ...] = ()


def fails(host: str, path: str) -> Callable[[Lab], bool]:
    """Also when verify says that it cannot even begin."""
    return lambda lab: by.row(lab, host, path) != "pass"


def waits(host: str) -> Callable[[Lab], bool]:
    return lambda lab: bool(json.loads(lab.shell(host, "postern", "queue", "list", "--json")))


def not_synchronized(lab: Lab) -> bool:
    return lab.command("shell", "hub1", "postern", "edge", "sync", "--server", "hub1", check=False).returncode != 0


MUTATIONS = (
    Mutation(
        "a rule is gone: nobody gets to hub1's port 25",
        lambda lab: by.rules(lab, hub1="input tcp dport 25 drop"),
        lambda lab: by.cell(lab, "edge-to-hub", "edge1") == "fails",
        via="",
        held=True,
        retry=("edge1",),
    ),
    Mutation(
        "a rule too many: clients get to mbx1's endpoint mapper",
        lambda lab: by.rules(lab, mbx1="input tcp dport 135 accept", client1="output tcp dport 135 accept"),
        lambda lab: by.cell(lab, "hub-to-mailbox-mapi", "client1") == "leaks",
        via="hub1",
    ),
    Mutation(
        "a listener that no row knows",
        by.rogue_listener,
        lambda lab: "TCP 8080" in lab.status()["hub2"]["doors"],
    ),
    Mutation(
        "edge1 has the certificate of somebody else",
        lambda lab: by.swapped(
            lab,
            "edge1",
            {
                f"certificates/{one}": lab.folder / "hosts/internet1/certificates" / one
                for one in ("server.pem", "server.key")
            },
        ),
        fails("hub1", "hub-to-edge"),
        via="hub1",
        to=ERIN,
        held=True,
        retry=("hub1", "edge1"),
    ),
    Mutation(
        "edge1's certificate is gone from Active Directory",
        lambda lab: by.attribute_gone(lab, by.EDGE, "posternCertificate"),
        fails("edge1", "edge-to-hub"),
        via="",
        held=True,
        retry=("edge1",),
    ),
    Mutation(
        "the account that verify proves itself by is disabled",
        lambda lab: by.account_disabled(lab, "postern-probe"),
        fails("cas1", "imap4"),
    ),
    Mutation(
        "hub2's machine account is disabled",
        lambda lab: by.account_disabled(lab, "HUB2$"),
        fails("hub2", "hub-to-hub"),
        via="hub2",
        held=True,
        retry=("hub2",),
    ),
    Mutation(
        "somebody between hub2 and hub1 hides STARTTLS",
        by.stripped,
        fails("hub2", "hub-to-hub"),
        via="hub2",
        held=True,
        retry=("hub2",),
    ),
    Mutation(
        "hub1's account on edge1 is gone from Active Directory",
        lambda lab: by.attribute_gone(lab, by.EDGE, "posternSecret", lambda value: '"bootstrap": false' in value),
        not_synchronized,
        via="",
    ),
    Mutation(
        "the internet's name server hangs",
        lambda lab: by.hanging(lab, "internet1", "nsd"),
        waits("edge1"),
        via="hub1",
        to=ERIN,
        held=True,
        retry=("edge1",),
    ),
    Mutation(
        "edge1 is off the network",
        lambda lab: by.cut_off(lab, "edge1"),
        waits("hub1"),
        via="hub1",
        to=ERIN,
        held=True,
        retry=("hub1", "edge1"),
    ),
    Mutation(
        "hub2 has the keytab of another server",
        lambda lab: by.swapped(lab, "hub2", {"secrets/keytab": lab.folder / "hosts/cas1/state/secrets/keytab"}),
        fails("hub1", "hub-to-hub"),
    ),
    Mutation(
        "dc1 is off the network",
        lambda lab: by.cut_off(lab, "dc1"),
        lambda lab: not by.controller_is_up(lab, "hub1", "dc1"),
        via="hub1",
    ),
    Mutation(
        "dc1 hangs",
        lambda lab: by.hanging(lab, "dc1", "samba"),
        lambda lab: not by.controller_is_up(lab, "hub1", "dc1"),
        via="",
    ),
    Mutation(
        "dc2 is stopped",
        lambda lab: by.controller_stopped(lab, "dc2"),
        lambda lab: not by.controller_is_up(lab, "hub2", "dc2"),
        via="hub2",
    ),
    Mutation(
        "hub2's clock is a quarter of an hour fast",
        lambda lab: by.wrong_clock(lab, "hub2"),
        fails("hub1", "hub-to-hub"),
    ),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda one: one.name)
def test_it_is_noticed_and_no_mail_is_lost(lab: Lab, mutation: Mutation) -> None:
    if "clock" in mutation.name and not shutil.which("faketime"):
        pytest.skip("a wrong clock needs faketime: scripts/setup test installs it")
    mail = None if mutation.via is None else Post(lab, via=mutation.via, to=mutation.to)
    with mutation.broken(lab):
        if mail is not None:
            mail.send(3, 40)
        eventually("it is noticed", lambda: mutation.noticed(lab), 40)
        if mail is not None:
            mail.send(2, 40)
            if mutation.held:
                assert not mail.arrived().keys() & {3, 4}
            else:
                mail.all_arrive(40)
    if mail is not None:
        mail.all_arrive(60, mutation.retry)
    eventually("all is well again", lambda: not mutation.noticed(lab), 60)


@pytest.mark.parametrize(
    ("host", "process", "via", "to", "again"),
    [
        ("edge1", "adam", "", "alice@corp.test", False),
        ("mbx1", "postgresql", "hub2", "alice@corp.test", False),
        ("mbx1", "mailbox.0", "hub1", "alice@corp.test", False),
        ("hub1", "hub.0", "", "alice@corp.test", True),
        ("hub1", "hub.0", "hub1", ERIN, True),
        ("edge1", "edge.0", "", "alice@corp.test", True),
    ],
)
def test_what_is_killed_comes_back_and_no_mail_is_lost(
    lab: Lab, host: str, process: str, via: str, to: str, again: bool
) -> None:
    """At once (SIGKILL), while mail runs through it. `again`: two SMTP servers cannot both know that a message changed hands, so
    what was under way between them may come twice (RFC 1047); where a mailbox or a directory died, nothing does."""
    before = by.events(lab, host, "supervisor", "died")
    mail = Post(lab, via=via, to=to)
    sending = mail.start(60)
    try:
        assert sending.stdout is not None
        while int(sending.stdout.readline()) < 15:
            pass
        by.kill(lab, host, process)
        said = sending.communicate(timeout=90)
    finally:
        sending.kill()
    assert sending.returncode == 0, said
    eventually("its end is noticed", lambda: by.events(lab, host, "supervisor", "died") == before + 1)
    mail.all_arrive(60, ("internet1", "edge1", "hub1", "hub2"), at_most=2 if again else 1)
