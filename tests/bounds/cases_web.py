"""Worst cases of what the HTTP door reads besides HTTP itself: services.http."""

from __future__ import annotations

from functools import partial

from postern.paths.guard import Guard
from postern.paths.table import TABLE
from postern.services.http import site
from tests.bounds.growth import Cases, Work


async def _nothing(scope: site.Scope, receive: site.Receive, send: site.Send) -> None: ...


def _path(size: int, wire: bytes) -> Work:
    target = b"/" + wire * (size // len(wire))
    return lambda: site.path_of(target)


def _route(size: int, wire: str) -> Work:
    guard = Guard([TABLE["autodiscover"]], frozenset())
    routes = [site.Route("/" + "a/" * depth, guard, _nothing, frozenset()) for depth in range(6)]
    made, path = site.Site(routes), "/" + wire * (size // len(wire))
    return lambda: (made.route("mail.example.test", path), made.is_elsewhere(path))


CASES: Cases = {
    "services.http.site.path_of: dots": partial(_path, wire=b"a/../"),
    "services.http.site.path_of: encoded": partial(_path, wire=b"%2e%2541/"),
    "services.http.site.path_of: climbs late": partial(_path, wire=b"a/%252e/"),
    "services.http.site.Site.route: slashes": partial(_route, wire="/"),
    "services.http.site.Site.route: letters": partial(_route, wire="\u00e4"),
}
