"""An edge follows what EdgeSync wrote: hubs and send connectors replace those of its postern.toml, domains are added."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from postern.model.directory import DirectoryUnavailable
from postern.model.organization import AcceptedDomain, Organization, Role, SendConnector
from postern.services.edge import organization as edge_organization
from postern.services.edge.organization import EdgeOrganization
from postern.services.organization_feed import OrganizationFeed
from tests.transport.world import organization


class Directory:
    def __init__(self) -> None:
        self.away = True

    async def hubs(self) -> list[SimpleNamespace]:
        if self.away:
            raise DirectoryUnavailable("away")
        return [SimpleNamespace(name="hub9", fqdn="hub9.example.test", addresses=("192.0.2.9",))]

    async def accepted_domains(self) -> tuple[AcceptedDomain, ...]:
        return (AcceptedDomain("new.test"),)

    async def send_connectors(self) -> tuple[SendConnector, ...]:
        return (SendConnector("partner", ("partner.test",)),)


def test_what_edgesync_wrote_counts_once_the_directory_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(edge_organization, "REFRESH", 0.01)

    async def main() -> None:
        known, directory = organization(), Directory()
        feed = OrganizationFeed(known)
        process = EdgeOrganization(cast(Any, directory), feed, "Here")
        await process.start()
        assert feed.current == known, "while the directory is away, postern.toml goes on to count"
        told: asyncio.Future[Organization] = asyncio.get_running_loop().create_future()
        feed.follow(lambda now: told.set_result(now) if now != known else None)
        directory.away = False
        now = await asyncio.wait_for(told, 10)
        assert [(hub.name, hub.site) for hub in now.with_role(Role.HUB)] == [("hub9", "Here")]
        assert "new.test" in now.domain_types() and known.default_domain in now.domain_types()
        assert [connector.name for connector in now.send_connectors] == ["partner"]
        await process.stop()

    asyncio.run(main())
