"""One connection of a door for challenges alone, which is open while a certificate is asked for on a host whose port 80 is nobody
else's.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus

from postern.model.security import NOBODY, Mechanism
from postern.paths.guard import Guard, Refusal
from postern.protocols.http.events import RequestHead
from postern.services.acme.challenges import PREFIX, ChallengeFiles
from postern.services.http.single_request import METHODS, SingleRequestSession, raw_path
from postern.telemetry.observed import Observed


@dataclass(frozen=True, slots=True)
class ChallengeAccess:
    """The values that the connections share."""

    guard: Guard
    files: ChallengeFiles
    observed: Observed


class ChallengeSession(SingleRequestSession):
    """One connection, for `Door(..., new_session=...)`."""

    def __init__(self, access: ChallengeAccess) -> None:
        super().__init__()
        self._access = access

    def answer(self, request: RequestHead) -> None:
        link, access = self.link, self._access
        assert link is not None
        row = access.guard.row_for(NOBODY, link.seal)
        if isinstance(row, Refusal):
            self.respond(HTTPStatus.FORBIDDEN)
            return
        access.observed.seen(row.id, link.peer.host, Mechanism.ANONYMOUS, link.seal, time.time())
        path = raw_path(request)
        answer = access.files.get(path.removeprefix(PREFIX)) if path.startswith(PREFIX) else None
        if request.method not in METHODS:
            self.respond(HTTPStatus.METHOD_NOT_ALLOWED)
        elif answer is None:
            self.respond(HTTPStatus.NOT_FOUND)
        else:
            self.respond(HTTPStatus.OK, b"application/octet-stream", answer)
