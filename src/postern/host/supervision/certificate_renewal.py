"""Renews the certificate of this host's ACME order when it is due, in a child of the supervisor.

The child speaks with strangers for up to some minutes; the supervisor looks after it between its turns.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping

from postern.host import acme
from postern.host.certificates import CertificateError
from postern.host.supervision.child_work import Background, ChildFailed
from postern.model.organization import Organization, Server, StateFolder
from postern.telemetry.log import Event, configure, log
from postern.telemetry.observed import Observed

LOOK_EVERY = 60.0
"""Seconds between two looks at the order."""
WHOLE = 300.0
"""Seconds until a renewal that has not ended is killed."""


class Renewal:
    """The renewal of one host. Call `turn` every few seconds."""

    def __init__(
        self,
        organization: Organization,
        server: Server,
        state: StateFolder,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._organization = organization
        self._server = server
        self._state = state
        self._clock = clock
        self._next = 0.0
        self._child = Background(self._renew, WHOLE)

    def turn(self) -> None:
        """Starts a renewal that is due, and takes leave of one that has ended."""
        try:
            self._child.look()
        except ChildFailed as error:
            log(Event.ACME_FAILED, path="acme", error=str(error), again_in=round(LOOK_EVERY))
        now = time.monotonic()
        if now >= self._next and self._organization.acme:
            self._next = now + LOOK_EVERY
            with contextlib.suppress(CertificateError):  # who renews the local one logs it
                if acme.is_due(self._state, self._clock()):
                    self._child.start()

    def soon(self) -> None:
        """Has the next turn look at the order."""
        self._next = 0.0

    def processes(self) -> Mapping[int, str]:
        """The child, for whoever looks at the sockets of this host's processes."""
        return {self._child.pid: "acme"} if self._child.pid else {}

    async def _renew(self) -> str:
        configure("acme", self._state.logs / "acme.jsonl")
        observed = Observed(self._state.observed / "acme.jsonl")
        renewed = await acme.renew(self._state, self._organization, self._server, observed)
        observed.flush()
        return "renewed" if renewed else "failed"
