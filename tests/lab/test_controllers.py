"""The lab is up when each controller can give out tickets for every other, and not at the first sign of replication."""

from __future__ import annotations

import json
from typing import Any, cast

from postern.lab import controllers
from postern.lab.namespaces import Namespaces
from postern.lab.plan import DC1, DC2


class Recorded:
    def __init__(self) -> None:
        self.runs: list[tuple[str, dict[str, Any]]] = []

    def run(self, host: str, command: list[str], stdin: str = "", **_: Any) -> None:
        self.runs.append((host, json.loads(stdin) if stdin else {}))


def test_each_controller_is_waited_for_until_it_knows_the_names_of_all() -> None:
    recorded = Recorded()
    controllers.connect(cast("Namespaces", recorded))
    awaited = {host: set(question["await"]) for host, question in recorded.runs if question}
    names = {f"{service}/{one.fqdn}" for service in ("ldap", "HOST") for one in (DC1, DC2)}
    assert awaited.keys() == {DC1.name, DC2.name}
    assert all(names <= waited for waited in awaited.values())
