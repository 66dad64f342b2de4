"""What each command prints, with what a stranger may have written put where the command finds it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from postern.cli.terminal import one_line
from postern.directory.ad.address_policy import AddressPolicy
from postern.directory.ad.recipient_update import Preview
from postern.directory.ad.steps import Delete, Plan, SetupStep
from postern.directory.listing import Listing
from postern.host import state
from postern.host.active_directory import Prepared
from postern.host.topology import Seen
from postern.items.booking import Policy
from postern.items.working_hours import WorkingHours
from postern.lab.matrix import Cell
from postern.lab.matrix import State as CellState
from postern.lab.proof import Drops, Proof
from postern.lab.status import HostStatus
from postern.model.directory import DomainController, RecipientsUpdated, RecipientType
from postern.model.folders import Right
from postern.model.mail import Content, Envelope, EnvelopeRecipient, Origin
from postern.model.mailbox import DisconnectedMailbox
from postern.model.organization import Database, Organization, StateFolder
from postern.model.out_of_office import OofAudience, OofState, OutOfOffice
from postern.model.security import Mechanism
from postern.paths.table import TABLE
from postern.services.agents.state import Counts
from postern.services.autodiscover.domain_records import Comparison, Publication, RecordSet
from postern.services.edge.edgesync import Report
from postern.services.edge.watch import EdgeStatus
from postern.store.usage import Usage
from postern.telemetry.observed import Observation
from postern.telemetry.tracking import TrackingRecord
from postern.telemetry.tracking import TrackingStep as Tracked
from postern.transport.queued import Location, QueuedMessage, QueuedRecipient
from postern.transport.queued import State as Queued
from postern.verify.report import MechanismReport, RowReport, Verdict
from tests.certificates import authority, make

EVIL = "al\x1b[2J\u202eice\npostern: done\x9b"
HOSTILE = EVIL + " 회사" + " and so on" * 20 + "x" * 120
"""Sequences that a terminal obeys, letters from right to left, a forged line; longer than two lines."""
SEEN = re.sub(r"\s", "", one_line(EVIL))
UNSAFE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]")
GUID = UUID("12345678-1234-1234-1234-123456789abc")


@dataclass(frozen=True)
class Stage:
    """Where a case puts its values."""

    patch: pytest.MonkeyPatch
    folder: Path

    @property
    def state(self) -> StateFolder:
        return state.find(str(self.folder))

    def replies(self, where: str, value: Any) -> None:
        self.patch.setattr(where, lambda *_, **__: value)

    def replies_later(self, where: str, value: Any) -> None:
        async def reply(*_: Any, **__: Any) -> Any:
            return value

        self.patch.setattr(where, reply)


LISTING = Listing(
    GUID, RecipientType.USER, HOSTILE, HOSTILE, HOSTILE, (HOSTILE, "b@x.test"), database=HOSTILE, target=HOSTILE
)
NOWHERE = Organization(HOSTILE, (), ())
ROOM = replace(LISTING, type=RecipientType.ROOM, equipment=True)
TEAM = replace(LISTING, type=RecipientType.GROUP, members=(HOSTILE,))
POLICY = AddressPolicy(HOSTILE, 1, HOSTILE, (HOSTILE,))
HOST = HostStatus(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, True, (HOSTILE,), (f"TCP {HOSTILE}",), True, {})


def message(state: Queued = Queued.PENDING) -> QueuedMessage:
    return QueuedMessage(
        *(1, "a1-1", f"<{HOSTILE}@x>", Envelope(HOSTILE, (EnvelopeRecipient(HOSTILE),))),
        *(Origin("internet-to-hub", HOSTILE), 1.0, Location(1, 0, 1), Content((b"x",), 1)),
        [QueuedRecipient(0, HOSTILE, state=state, hop=f"smtp:{HOSTILE}", status="4.4.1", error=HOSTILE)],
    )


def in_directory(value: Any) -> Callable[[Stage, str], None]:
    def put(stage: Stage, module: str) -> None:
        stage.replies(f"postern.cli.{module}.in_directory", value)

    return put


def on_policies(value: Any) -> Callable[[Stage, str], None]:
    return lambda stage, _: stage.replies("postern.cli.policy._on_policies", value)


def on_hub(value: Any) -> Callable[[Stage, str], None]:
    return lambda stage, _: stage.replies("postern.cli.edge._on_hub", value)


def queued(kind: Queued = Queued.PENDING) -> Callable[[Stage, str], None]:
    def put(stage: Stage, _: str) -> None:
        stage.replies("postern.transport.control.folders", [stage.folder])
        stage.replies("postern.transport.control.listed", [message(kind)])
        stage.replies("postern.transport.control.ask", 1)

    return put


def disconnected(stage: Stage, _: str) -> None:
    stage.replies("postern.cli.disconnected.in_directory", [DisconnectedMailbox(GUID, HOSTILE, 1, 1, 1)])


def certified(stage: Stage, _: str) -> None:
    from postern.host.own_certificate import InPlace, Source

    shown = make("mail.example.test", authority())
    stage.replies("postern.host.own_certificate.in_place", InPlace(Source.OWN, (shown.certificate,)))
    stage.replies("postern.trust.certificates.chains.names_in", (HOSTILE,))


def user_certificates(stage: Stage, _: str) -> None:
    stage.replies("postern.cli.user_certificate.in_directory", (f"X509:<I>{HOSTILE}<SR>01", f"X509:<SKI>{HOSTILE}"))


def databases(stage: Stage, _: str) -> None:
    database = Database(HOSTILE, HOSTILE, f"postgresql://db1/{HOSTILE}")
    stage.replies("postern.cli.database._databases", [(database, Usage(1, 1))])


def stats(stage: Stage, _: str) -> None:
    from postern.cli.mailbox import _Filled, _Mailbox

    folder = _Filled((HOSTILE,), HOSTILE, 1, 1, 1)
    stage.replies("postern.cli.mailbox.in_directory", [_Mailbox(LISTING, 1, [folder])])


def granted(stage: Stage, _: str) -> None:
    from postern.cli.sharing import _Granted

    rights = _Granted(HOSTILE, [HOSTILE], [HOSTILE], {(HOSTILE,): [(HOSTILE, Right.READ_ANY)]})
    stage.replies("postern.cli.sharing.in_directory", rights)


def away(stage: Stage, _: str) -> None:
    settings = OutOfOffice(OofState.SCHEDULED, OofAudience.ALL, 1, 2, HOSTILE, HOSTILE)
    stage.replies("postern.cli.out_of_office.in_directory", (LISTING, settings))


def working(stage: Stage, _: str) -> None:
    stage.replies("postern.cli.working_hours.in_directory", (LISTING, WorkingHours(name=HOSTILE)))


def address_policies(stage: Stage, _: str) -> None:
    stage.replies("postern.cli.policy._here", (None, None, None))
    stage.replies_later("postern.host.address_policies.apply", (HOSTILE, RecipientsUpdated(1, 1, (HOSTILE,))))


def forest(stage: Stage, _: str) -> None:
    plan = Plan((SetupStep(HOSTILE, HOSTILE, Delete(HOSTILE)),), (HOSTILE,))
    stage.replies("postern.cli.setup._request", None)
    stage.replies_later("postern.host.active_directory.prepare", Prepared(plan, controller()))


def controller() -> DomainController:
    return DomainController(HOSTILE, HOSTILE, HOSTILE, False, True)


def domain(stage: Stage, _: str) -> None:
    class WithDomain:
        class active_directory:
            domain = HOSTILE

    stage.replies("postern.host.configuration.load", WithDomain)
    stage.replies("postern.host.configuration.this_server", None)
    stage.replies_later("postern.host.topology.seen", Seen(HOSTILE, (controller(),), True))


def observed(stage: Stage, _: str) -> None:
    stage.replies("postern.cli.paths.read", [Observation(HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, 1, 1.0, 2.0)])


def dialled(stage: Stage, _: str) -> None:
    row = TABLE["imap4"]
    seen = MechanismReport(Mechanism.BASIC, Verdict.FAIL, HOSTILE)
    reports = [
        RowReport(row, Verdict.FAIL, HOSTILE, [seen], ports=[HOSTILE]),
        RowReport(row, Verdict.NOT_DEPLOYED, HOSTILE),
    ]
    stage.replies("postern.host.probes.subject", type("Subject", (), {"rows": TABLE}))
    stage.replies("postern.verify.runner.verify", reports)


def counted(stage: Stage, _: str) -> None:
    stage.replies("postern.cli.agent.total", {HOSTILE: Counts(1, 1, 1, 1, 1.0)})


def tried(stage: Stage, _: str) -> None:
    from postern.cli.agent_test import Trial

    stage.replies("postern.cli.agent_test.tried", Trial([(HOSTILE, HOSTILE, HOSTILE)], [HOSTILE]))


def edges(stage: Stage, _: str) -> None:
    one = {"edge": HOSTILE, "fqdn": HOSTILE, "site": HOSTILE, "port": 1, "hubs": [HOSTILE], "certificate_until": 0}
    stage.replies("postern.cli.edge._on_hub", [one])


def traced(stage: Stage, _: str) -> None:
    record = TrackingRecord(
        Tracked.RECEIVE, f"<{HOSTILE}@x>", "q1", HOSTILE, HOSTILE, HOSTILE, HOSTILE, HOSTILE, (HOSTILE,), HOSTILE
    )
    stage.patch.setattr("postern.telemetry.tracking.read", lambda *_: iter([record]))


def a_lab(stage: Stage, _: str) -> None:
    stage.replies("postern.lab.build.check", None)
    stage.replies("postern.lab.status.status", [HOST])


def proven(stage: Stage, _: str) -> None:
    cells = {"imap4": {"hub1": Cell(CellState.FAILS, (HOSTILE,))}}
    stage.replies("postern.lab.build.check", None)
    stage.replies("postern.lab.proof.verify", Proof(cells, {"hub1": Drops(0, 0, 0)}, 1, 0.1))


def built(stage: Stage, _: str) -> None:
    stage.replies("postern.lab.build.up", None)


def in_dns(stage: Stage, _: str) -> None:
    wanted = RecordSet("example.test", "MX", ("10 server1.example.test.",), "mail")
    compared = [Comparison(wanted, (HOSTILE,), Publication.PUBLISHED)]
    stage.replies_later("postern.services.autodiscover.domain_records.compare", compared)


SYNCED = Report(HOSTILE, True, 1, 1, 1, 1, 1, 1.0)
FARES = EdgeStatus(HOSTILE, HOSTILE, HOSTILE, HOSTILE, 0, 0, 1, 0, 0, (HOSTILE,))
SUBSCRIBED = {"edge": HOSTILE, "fqdn": HOSTILE, "site": HOSTILE, "port": 1}
PLAIN = "nothing of a stranger's stands in it"

SHOWN: dict[str, tuple[Sequence[str], Callable[[Stage, str], None] | str]] = {
    "user list": ((), in_directory(([LISTING], NOWHERE))),
    "user show": (("x",), in_directory((LISTING, NOWHERE))),
    "group list": ((), in_directory(([TEAM], NOWHERE))),
    "group show": (("x",), in_directory((TEAM, NOWHERE))),
    "user certificate list": (("x",), user_certificates),
    "alias list": ((), in_directory([LISTING])),
    "domain list": ((), in_directory([(HOSTILE, HOSTILE, "directory")])),
    "domain auth list": ((), in_directory(frozenset({"nt"}))),
    "domain dkim": (("example.test",), PLAIN),
    "domain dns": (("example.test", "--check"), in_dns),
    "certificate show": ((), certified),
    "database list": ((), databases),
    "mailbox list": (("--disconnected",), disconnected),
    "mailbox stats": ((), stats),
    "mailbox rights": (("x",), granted),
    "mailbox out-of-office": (("x",), away),
    "mailbox working-hours": (("x",), working),
    "room list": ((), in_directory([(ROOM, Policy(response=HOSTILE)), (ROOM, None)])),
    "room show": (("x",), in_directory((ROOM, Policy(response=HOSTILE)))),
    "policy address list": ((), on_policies([(POLICY, 1)])),
    "policy address show": (("x",), on_policies(POLICY)),
    "policy address preview": ((), on_policies([Preview(HOSTILE, (HOSTILE,), ("x",))])),
    "policy address apply": ((), address_policies),
    "setup ad": (("--dry-run",), forest),
    "topology": ((), domain),
    "paths": ((), PLAIN),
    "paths show": (("imap4",), PLAIN),
    "paths observed": ((), observed),
    "verify": ((), dialled),
    "agent list": ((), PLAIN),
    "agent show": (("connection-filter",), PLAIN),
    "agent stats": ((), counted),
    "agent test": ((__file__,), tried),
    "edge subscribe": ((__file__,), on_hub(SUBSCRIBED)),
    "edge list": ((), edges),
    "edge status": ((), on_hub([FARES])),
    "edge unsubscribe": ((HOSTILE,), on_hub(True)),
    "edge sync": ((), on_hub([SYNCED])),
    "queue list": ((), queued()),
    "queue list --poison": ((), queued(Queued.POISON)),
    "mailbox stats x": ((), stats),
    "queue show": (("a1-1",), queued()),
    "queue retry": (("--all",), queued()),
    "queue hold": (("--all",), queued()),
    "queue drop": (("--all",), queued()),
    "trace": ((HOSTILE,), traced),
    "lab up": ((), built),
    "lab status": ((), a_lab),
    "lab verify": (("--doors",), proven),
}
