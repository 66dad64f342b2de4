"""The values that the connections of HTTP doors share, and the bounds that hold for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from postern.model.security import network
from postern.services.http.site import Site
from postern.telemetry.observed import Observed
from postern.trust.authenticator import Authenticator
from postern.trust.certificates.client_certificates import ClientCertificateOwners
from postern.trust.framing.digest import DigestKeeping


@dataclass(frozen=True, slots=True)
class HttpLimits:
    """Bounds in seconds and counts. `head` is the time for a request's head from its first octet on, `part` the time for each
    PART octets of a body (services.http.exchange), `idle` the time between two requests. `linger` is how long a connection that
    ends before its request was read goes on reading, so that the client gets the answer. `in_flight` bounds the requests of one
    address that this process works on at a time."""

    head: float = 30.0
    part: float = 60.0
    idle: float = 75.0
    linger: float = 2.0
    in_flight: int = 64


@dataclass(frozen=True, slots=True)
class HttpAccess:
    """The values that the connections of one site share. `realm` is shown beside Basic. `is_ours` says whether a host name is
    one of ours; a request for any other one is redirected to `host`. `https` is the real number of the port that stands for 443.
    Without `digest` there is no Digest. `owners` knows the certificates of clients, who are asked for one under `asking_names`,
    in small letters; None: nobody is asked."""

    site: Site
    authenticator: Authenticator
    observed: Observed
    realm: str
    host: str
    is_ours: Callable[[str], bool]
    https: int = 443
    limits: HttpLimits = HttpLimits()
    digest: DigestKeeping | None = None
    owners: ClientCertificateOwners | None = None
    asking_names: frozenset[str] = frozenset()
    in_flight: InFlight = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "in_flight", InFlight(self.limits.in_flight))


class InFlight:
    """Counts the requests that are worked on, by address."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._counts: Counter[str] = Counter()

    def enter(self, host: str) -> bool:
        """Counts a request of this address; False if it has as many as it may have. Who is let in calls `leave`."""
        key = network(host)
        if self._counts[key] >= self._most:
            return False
        self._counts[key] += 1
        return True

    def leave(self, host: str) -> None:
        key = network(host)
        self._counts[key] -= 1
        if self._counts[key] <= 0:
            del self._counts[key]
