"""One process that serves a small page over HTTP: `python -m bench.http_serve ours|uvicorn PORT CHAIN KEY FOLDER`.

CHAIN is "" for clear text. Both speak to the same application on uvloop, and both write a line to a log for each request.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Any

BODY = b"As you like it.\n"


async def page(scope: Any, receive: Any, send: Any) -> None:
    more = True
    while more:
        more = (await receive()).get("more_body", False)
    fields = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", b"%d" % len(BODY))]
    await send({"type": "http.response.start", "status": 200, "headers": fields})
    await send({"type": "http.response.body", "body": BODY})


def main() -> None:
    server, port, chain, key, folder = sys.argv[1:6]
    if server == "uvicorn":
        _uvicorn(int(port), chain, key, Path(folder))
    else:
        _ours(int(port), chain, key, Path(folder))


def _uvicorn(port: int, chain: str, key: str, folder: Path) -> None:
    import uvicorn

    logging.basicConfig(filename=folder / "access.log", format="%(asctime)s %(message)s", level=logging.INFO)
    config = uvicorn.Config(
        page,
        "127.0.0.1",
        port,
        loop="uvloop",
        http="httptools",
        log_config=None,
        ssl_certfile=chain or None,
        ssl_keyfile=key or None,
        lifespan="off",
    )
    uvicorn.Server(config).run()


def _ours(port: int, chain: str, key: str, folder: Path) -> None:
    import uvloop

    from postern.telemetry.log import configure

    configure("bench", folder / "ours.log")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(port, chain, key))


async def _serve(port: int, chain: str, key: str) -> None:
    from dataclasses import replace

    from tests.trust.people import People

    from postern.model.organization import Profile
    from postern.model.security import Encryption, Mechanism
    from postern.net.door import Door
    from postern.net.tls import Certificate, server_context
    from postern.paths.guard import Guard
    from postern.paths.row import Port, Tls
    from postern.paths.table import settle
    from postern.services.http.access import HttpAccess
    from postern.services.http.session import HttpSession
    from postern.services.http.site import Route, Site
    from postern.telemetry.observed import Observed
    from postern.trust.authenticator import Authenticator

    people = People()
    people.add("alice@example.test", "bench-password")
    authenticator = Authenticator(people, policy=people)
    row = settle(Profile.PRACTICAL)["autodiscover"]
    everybody = replace(row, supported_auth=(Mechanism.ANONYMOUS,), encryption=Encryption.OFFERED)
    routes = [
        Route("/", Guard([everybody], frozenset()), page, frozenset({"GET"})),
        Route("/private/", Guard([row], authenticator.available), page, frozenset({"GET"})),
    ]
    access = HttpAccess(Site(routes), authenticator, Observed(None), "bench", "localhost", lambda host: True)
    tls = server_context(Certificate(Path(chain), Path(key))) if chain else None
    place = Port(443, tls=Tls.IMPLICIT) if chain else Port(80)
    await Door([row], place, lambda: HttpSession(access), tls, 10_000, 10_000).open("127.0.0.1", port)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    main()
