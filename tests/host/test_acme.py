"""Orders of this host at Pebble: the first, its renewal when it is due, and failures that are put off.

covers: acme_record, host.supervision.certificate_renewal
"""

from __future__ import annotations

import asyncio
import datetime
import json
import stat
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from postern.host import acme, certificates, configuration, own_certificate, state
from postern.host.acme_record import AcmeRecord, keep, recorded
from postern.host.own_certificate import Source
from postern.host.supervision import certificate_renewal
from postern.host.supervision.child_work import Background, ChildFailed
from postern.model.organization import Organization, StateFolder
from postern.net.tls import server_context
from postern.services.acme.client import AcmeError
from postern.telemetry.observed import Observed
from postern.trust.certificates.chains import Chain, judge, names_in
from tests.host.folders import short_folder
from tests.pebble import NAMES, Pebble, pebble, quick_looks
from tests.support.ports import free_offset

__all__ = ["quick_looks"]
pytestmark = pytest.mark.usefixtures("quick_looks")
PLAIN = configuration.parse(configuration.DEFAULT.format(offset=0))
DAY = 86_400.0


@pytest.fixture(scope="module")
def offset() -> int:
    return free_offset((80,))


@pytest.fixture(scope="module")
def server(offset: int) -> Iterator[Pebble]:
    with pebble(80 + offset) as running:
        yield running


@pytest.fixture
def organization(server: Pebble, offset: int) -> Organization:
    return replace(PLAIN, offset=offset, dns_servers=(f"127.0.0.1:{server.names}",), acme=True)


@pytest.fixture
def folder(organization: Organization) -> Iterator[StateFolder]:
    with short_folder() as made:
        folder = state.create(made)
        certificates.ensure(folder, organization, organization.servers[0], datetime.datetime.now(datetime.UTC))
        yield folder


def record(server: Pebble) -> AcmeRecord:
    return AcmeRecord(server.directory, "a@example.test", NAMES, True, str(server.authorities), private=True)


def order(folder: StateFolder, organization: Organization, wanted: AcmeRecord) -> None:
    asyncio.run(acme.order(folder, organization, organization.servers[0], wanted, Observed(None)))


def renewed(folder: StateFolder, organization: Organization) -> bool:
    return asyncio.run(acme.renew(folder, organization, organization.servers[0], Observed(None)))


def here(folder: StateFolder) -> own_certificate.InPlace:
    found = own_certificate.in_place(folder)
    assert found is not None
    return found


def kept(folder: StateFolder) -> AcmeRecord:
    found = recorded(folder)
    assert found is not None
    return found


def test_an_order_is_put_into_place_and_renewed_when_it_is_due(
    folder: StateFolder, organization: Organization, server: Pebble
) -> None:
    before, now = time.time(), datetime.datetime.now(datetime.UTC)
    order(folder, organization, record(server))
    first = here(folder)
    assert first.source is Source.ACME and set(names_in(first.leaf)) == set(NAMES) and len(first.chain) > 1
    assert server_context(certificates.place(folder)).names == set(NAMES)
    for file in ("server.key", "acme.key", "acme.json"):
        assert stat.S_IMODE((folder.certificates / file).stat().st_mode) == 0o600
    assert not certificates.ensure(
        folder, organization, organization.servers[0], now + datetime.timedelta(days=80)
    ).renewed
    due = kept(folder).due
    assert 56 * DAY < due - before < 61 * DAY, "a third of 90 days before its end, and a little earlier by chance"
    assert not acme.is_due(folder, due - 1) and acme.is_due(folder, due)
    account = (folder.certificates / "acme.key").read_bytes()
    assert renewed(folder, organization)
    assert here(folder).leaf != first.leaf and here(folder).leaf.public_key() != first.leaf.public_key()
    assert here(folder).source is Source.ACME and not acme.is_due(folder, time.time())
    assert (folder.certificates / "acme.key").read_bytes() == account


def test_a_certificate_that_an_administrator_brings_is_not_renewed(
    folder: StateFolder, organization: Organization, server: Pebble
) -> None:
    order(folder, organization, record(server))
    record_file = (folder.certificates / "acme.json").read_bytes()
    own_certificate.renew_locally(folder, organization, organization.servers[0])
    assert recorded(folder) is None and not acme.is_due(folder, time.time() + 100 * DAY)
    (folder.certificates / "acme.json").write_bytes(record_file)  # as if it had been put there by hand
    assert not acme.is_due(folder, time.time() + 100 * DAY)
    for damaged in ("[]", "{}"):
        (folder.certificates / "acme.json").write_text(damaged)
        assert recorded(folder) is None and not renewed(folder, organization)


def test_an_order_that_is_cut_short_is_due_again(
    folder: StateFolder, organization: Organization, server: Pebble, monkeypatch: pytest.MonkeyPatch
) -> None:
    order(folder, organization, record(server))
    first = here(folder)
    keep(folder, replace(kept(folder), due=time.time() - 1))

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("postern.host.acme.own_certificate.install", full)
        with pytest.raises(OSError, match="No space"):
            order(folder, organization, kept(folder))
    assert here(folder) == first and first.source is Source.ACME and acme.is_due(folder, time.time())
    assert renewed(folder, organization) and here(folder).leaf != first.leaf
    assert not acme.is_due(folder, time.time())


def test_an_import_during_a_renewal_stays(
    folder: StateFolder, organization: Organization, server: Pebble, monkeypatch: pytest.MonkeyPatch
) -> None:
    order(folder, organization, record(server))

    def judge_late(*given: Any, **more: Any) -> Chain:
        own_certificate.renew_locally(folder, organization, organization.servers[0])
        return judge(*given, **more)

    monkeypatch.setattr("postern.host.acme.judge", judge_late)
    assert not renewed(folder, organization)
    assert here(folder).source is Source.LOCAL and recorded(folder) is None


def test_failures_are_put_off_longer_and_longer(
    folder: StateFolder, organization: Organization, server: Pebble
) -> None:
    order(folder, organization, record(server))
    wrong = replace(kept(folder), names=("nowhere.example.test",), due=0.0)
    keep(folder, wrong)
    before = here(folder)
    for failures, hours in ((1, 1.0), (2, 2.0)):
        now = time.time()
        assert not renewed(folder, organization)
        assert kept(folder).failures == failures
        assert hours * 3600 - 1 <= kept(folder).due - now <= hours * 3600 * 1.1 + 30
    keep(folder, replace(kept(folder), failures=20))
    assert not renewed(folder, organization) and kept(folder).due - time.time() < DAY * 1.2
    assert here(folder) == before


def test_a_port_80_that_is_not_ours_to_open_is_said(
    folder: StateFolder, organization: Organization, server: Pebble, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refused(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("postern.host.acme.Door.open", refused)
    with pytest.raises(AcmeError, match="ask while `postern run` runs on this host"):
        order(folder, organization, record(server))


def test_a_binding_key_is_base64url(folder: StateFolder, organization: Organization, server: Pebble) -> None:
    with pytest.raises(AcmeError, match="no base64url"):
        order(folder, organization, replace(record(server), binding="kid", binding_key="a"))


# In the supervisor


def settled(renewal: certificate_renewal.Renewal) -> None:
    end = time.monotonic() + 60
    while renewal.processes():
        assert time.monotonic() < end
        time.sleep(0.02)
        renewal.turn()


def test_the_supervisor_renews_what_is_due_in_a_child(
    folder: StateFolder, organization: Organization, server: Pebble
) -> None:
    order(folder, organization, record(server))
    first, due = here(folder).leaf, kept(folder).due
    now = [due - 100]
    renewal = certificate_renewal.Renewal(organization, organization.servers[0], folder, lambda: now[0])
    renewal.turn()
    assert not renewal.processes()
    now[0], renewal._next = due + 1, 0.0
    renewal.turn()
    assert list(renewal.processes().values()) == ["acme"]
    settled(renewal)
    assert here(folder).leaf != first
    assert 56 * DAY < kept(folder).due - time.time() < 61 * DAY, "as the first one, again earlier by chance"
    events = [json.loads(line)["event"] for line in (folder.logs / "acme.jsonl").read_text().splitlines()]
    assert events == ["acme-issued"]
    observed = (folder.observed / "acme.jsonl").read_text()
    assert '"acme"' in observed and '"acme-challenge"' in observed


def test_without_the_rows_nothing_is_renewed(folder: StateFolder, organization: Organization, server: Pebble) -> None:
    order(folder, organization, record(server))
    closed = replace(organization, acme=False)
    renewal = certificate_renewal.Renewal(closed, closed.servers[0], folder, lambda: time.time() + 100 * DAY)
    renewal.turn()
    assert not renewal.processes()


def ended(child: Background) -> str:
    while (said := child.look()) is None:
        time.sleep(0.01)
    return said


def test_work_in_the_background_says_how_it_ended() -> None:
    async def works() -> str:
        return "done"

    async def fails() -> str:
        raise ValueError("odd")

    async def lasts() -> str:
        await asyncio.sleep(60)
        return ""

    child = Background(works, 10)
    assert child.look() is None
    for _ in range(2):
        child.start()
        child.start()
        assert ended(child) == "done" and child.pid == 0
    for work, seconds, says in ((fails, 10.0, "ValueError: odd"), (lasts, 0.2, "status -9")):
        child = Background(work, seconds)
        child.start()
        with pytest.raises(ChildFailed, match=says):
            ended(child)
