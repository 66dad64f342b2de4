"""A server of the lab that does not start says why, however much it says after that."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from postern.lab import servers
from postern.lab.namespaces import Namespaces
from postern.lab.plan import HUB1, LabError


class Gone:
    """The host is up, and nothing of postern runs there any more."""

    def lives(self, host: str) -> bool:
        return True

    def processes(self) -> dict[str, list[object]]:
        return {}


def test_the_cause_is_told_and_the_log_is_named(tmp_path: Path) -> None:
    log = tmp_path / "postern.log"
    why = "postern: an error: the directory of hub1 cannot be reached"
    log.write_text(why + "\n" + "stopping what was started\n" * 200)
    with pytest.raises(LabError) as told:
        servers._wait(cast("Namespaces", Gone()), HUB1, log)
    assert why in str(told.value) and str(log) in str(told.value)
