"""The answers to challenges (RFC 8555 section 8.3): files of the state folder that any process of the host can give out, and the
application that does so for the HTTP door.
"""

from __future__ import annotations

import contextlib
import os
import re
from http import HTTPStatus
from pathlib import Path

from postern.paths.guard import Guard
from postern.protocols.acme.answers import is_token
from postern.services.http.site import Receive, Route, Scope, Send
from postern.trust.private_files import replace_file

PREFIX = "/.well-known/acme-challenge/"
FOLDER = "acme-challenges"
"""The folder of the answers, below the state folder's certificates."""
MAX_ANSWER = 512
_ANSWER = re.compile(rb"[A-Za-z0-9._-]{1,512}+")


class ChallengeFiles:
    """The answers that wait for the authority: a file for each token. They are no secret: the authority asks in clear text."""

    def __init__(self, certificates: Path) -> None:
        self._folder = certificates / FOLDER

    def put(self, token: str, authorization: str) -> None:
        """Publishes an answer. Raises OSError."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        replace_file(self._folder / token, authorization.encode("ascii"))

    def remove(self, token: str) -> None:
        with contextlib.suppress(OSError):
            (self._folder / token).unlink()

    def get(self, token: str) -> bytes | None:
        """The answer for a token that a stranger asks for; None if none waits.

        Bound: constant; a token has 256 letters at most, an answer MAX_ANSWER octets.
        """
        if not is_token(token):
            return None
        try:
            handle = os.open(self._folder / token, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError:
            return None
        with os.fdopen(handle, "rb") as file:
            answer = file.read(MAX_ANSWER + 1)
        return answer if _ANSWER.fullmatch(answer) else None


class ChallengeApplication:
    """The application behind PREFIX, for the HTTP door (ASGI)."""

    def __init__(self, files: ChallengeFiles) -> None:
        self._files = files

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        answer = self._files.get(str(scope["path"])[len(PREFIX) :])
        status, body = (HTTPStatus.NOT_FOUND, b"no such challenge\n") if answer is None else (HTTPStatus.OK, answer)
        kind = b"application/octet-stream" if answer is not None else b"text/plain; charset=utf-8"
        fields = [(b"content-type", kind), (b"content-length", b"%d" % len(body)), (b"cache-control", b"no-store")]
        await send({"type": "http.response.start", "status": status.value, "headers": fields})
        await send({"type": "http.response.body", "body": body})


def challenge_route(guard: Guard, certificates: Path) -> Route:
    """The route of challenges. `guard` speaks for the row `acme-challenge`, on which port 80 serves."""
    application = ChallengeApplication(ChallengeFiles(certificates))
    return Route(PREFIX, guard, application, frozenset({"GET", "HEAD"}), body=0)
