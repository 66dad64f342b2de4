"""The transport agents of one role process: at its receive connectors, and in front of what carries mail to others."""

from __future__ import annotations

from postern.model.directory import Directory
from postern.model.mail import Carrier
from postern.model.organization import Role
from postern.net.dns import Resolver
from postern.roles.runtime import Runtime
from postern.services.agents.look_ups import BlockLists, LookUps
from postern.services.agents.outward import OutwardAgents
from postern.services.agents.pipeline import AgentPipeline, AgentServices
from postern.services.agents.state import Statistics


class TransportAgents:
    """The agents of one process. `pipeline` is for the receive connectors of strangers. An edge passes its `directory`, so that
    the agents look recipients up; on a hub the connector does. Call `stop` last."""

    def __init__(self, runtime: Runtime, role: Role, directory: Directory | None = None) -> None:
        organization, rows, root = runtime.organization, runtime.rows, runtime.state.root
        self._runtime = runtime
        self._on_edge = role is Role.EDGE
        self.statistics = Statistics.of_worker(root, role.value, runtime.worker)
        look_ups = LookUps(Resolver(rows["any-server-to-dns"], organization.dns_servers).look_up)
        block_lists = BlockLists(LookUps(Resolver(rows["dnsbl"], organization.dns_servers).look_up))
        services = AgentServices(look_ups, block_lists, self.statistics, directory)
        self.pipeline = AgentPipeline(root, services, runtime.server.fqdn, organization, self._on_edge)
        runtime.feed.follow(self.pipeline.reorganize)

    def outward(self, carrier: Carrier) -> OutwardAgents:
        state = self._runtime.state
        return OutwardAgents(carrier, state.root, state.secrets, self.statistics, self._on_edge)

    def stop(self) -> None:
        self.statistics.flush()
