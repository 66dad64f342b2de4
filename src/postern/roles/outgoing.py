"""HTTP requests of a role to other organizations' servers."""

from __future__ import annotations

from collections.abc import Callable

from postern.net.dns import Resolver
from postern.net.tls import authorities_file, validating_context
from postern.protocols.http.client import MAX_ANSWER
from postern.roles.runtime import Runtime
from postern.services.http.outgoing import Outgoing


def outgoing(
    runtime: Runtime, row: str, allows: Callable[[str, int], bool], seconds: float = 30.0, most: int = MAX_ANSWER
) -> Outgoing:
    """Returns what posts on this row, to the addresses and ports that `allows` takes; an answer has `seconds`, and at most `most`
    octets. Raises OSError where the file of authorities cannot be read: without it, nobody there can be proven."""
    organization = runtime.organization
    return Outgoing(
        runtime.rows[row],
        Resolver(runtime.rows["any-server-to-dns"], organization.dns_servers),
        runtime.observed,
        validating_context(authorities_file(organization.authorities)),
        allows,
        seconds,
        most,
    )
