"""A transport agent is an object with a method for each moment of a message at which it acts.

The pipelines of `services.agents` make one for each version of its settings, call its methods in the catalogue's order, time and
count them, and say what becomes of a message when one raises. What an agent may ask comes with the moment; it opens nothing
itself. To add one, write a module with its settings and a subclass of `Agent`, and put the class into `catalogue`:

    class SubjectFilter(Agent[SubjectFilterSettings]):
        name = "subject-filter"
        says = "subjects that nobody here wants to read"
        doubt = FAILS_AT_END
        settings_type = SubjectFilterSettings

        async def at_end(self, mail: IncomingMail) -> Reply | None: ...
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from postern.model.mail import Content
from postern.protocols.authentication.dkim import DkimVerdict
from postern.protocols.authentication.header import Field
from postern.protocols.authentication.questions import Answer, Machine, Question
from postern.protocols.authentication.results import MethodResult
from postern.protocols.authentication.spf import SpfVerdict
from postern.protocols.smtp.reply import Reply
from postern.transport.agents.block_lists import Provider

if TYPE_CHECKING:
    from postern.transport.agents.dkim_signing import SigningKey

S = TypeVar("S")
T = TypeVar("T")

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

LETS_PASS = "lets pass"  # noqa: S105 (no password)
FAILS_AT_END = "lets pass; fails: 451, then 554"
"""Texts for what an agent does in doubt: when a look-up has no answer, and when it raises at the end of a message."""


class DnsQuestions(Protocol):
    """Questions to DNS (`services.agents.look_ups`). Never raises; a question not answered within `limit` seconds is UNKNOWN."""

    async def ask(self, asked: Question, limit: float = ...) -> Answer: ...

    async def run(self, machine: Machine[T], limit: float = ...) -> T: ...


class Listings(Protocol):
    """The verdicts of DNS block lists about addresses (`services.agents.look_ups`). Never raises."""

    def begin(self, address: IpAddress, providers: tuple[Provider, ...]) -> None:
        """Begins to ask, if the verdict is not known, and waits for nothing."""
        ...

    async def listing(self, address: IpAddress, providers: tuple[Provider, ...]) -> str:
        """The first zone in order that lists the address, "" for none."""
        ...


@dataclass(frozen=True, slots=True)
class AgentSources:
    """The sources that agents may ask. Nobody else may speak for `own_names` in Authentication-Results. `fqdn` is this server.
    `refused_recipient` says how the directory refuses a folded address, None for one that it knows; it is None itself where the
    connector has asked already. `clock` gives epoch seconds."""

    look_ups: DnsQuestions
    block_lists: Listings
    fqdn: str
    own_names: frozenset[str] = frozenset()
    refused_recipient: Callable[[str], Awaitable[Reply | None]] | None = None
    clock: Callable[[], float] = time.time


@dataclass(slots=True)
class Stranger:
    """A stranger's connection. `address` is None for a unix socket; `host` is the same as a text.

    `is_allowed` and `is_blocked` are the connection filter's own lists. Nothing that an allowed client sends is refused as
    unwanted; its headers are still examined, and recipients that do not exist are still refused. `unknown` counts the recipients
    of the connection that were refused as unknown."""

    sources: AgentSources
    host: str = ""
    address: IpAddress | None = None
    is_allowed: bool = False
    is_blocked: bool = False
    unknown: int = 0


@dataclass(slots=True)
class IncomingMail:
    """A stranger's message at its end, and what agents pass on to each other. An agent may put another `header` in place;
    `fields` are those of the header that came. `now` is epoch seconds. DNS is asked until `until` (time.monotonic). `key` names
    the message while something is computed on it (`telemetry.attempts`), never while DNS is waited for."""

    client: Stranger
    helo: str
    sender: str
    header: bytes
    body: Content
    now: float
    until: float
    key: str
    fields: list[Field] = field(default_factory=list)
    results: list[MethodResult] = field(default_factory=list)
    notes: list[tuple[str, str, str]] = field(default_factory=list)
    """The notes of agents on the message: the agent's name, the result, and why."""
    spf: SpfVerdict | None = None
    dkim: list[DkimVerdict] | None = None
    """The verdicts on its signatures; None where they were not looked at."""

    def note(self, agent: Agent[Any], result: str, why: str = "") -> None:
        self.notes.append((agent.name, result, why))

    def tell(self, agent: Agent[Any], result: MethodResult) -> None:
        """Puts a result into Authentication-Results."""
        self.results.append(result)
        self.note(agent, result.result, result.comment)

    async def run(self, machine: Machine[T]) -> T:
        return await self.client.sources.look_ups.run(machine, self.until - time.monotonic())

    async def ask(self, question: Question) -> Answer:
        return await self.client.sources.look_ups.ask(question, self.until - time.monotonic())


@dataclass(slots=True)
class LeavingMail:
    """A message on its way to another organization. An agent may put another `header` in place. `keys` sign, by domain."""

    sender: str
    header: bytes
    body: Content
    now: float
    key: str
    keys: Mapping[str, Sequence[SigningKey]]


def body_pieces(body: Content) -> Iterator[bytes]:
    """Yields a message's body as DKIM hashes it: without the empty line at its beginning."""
    for number, chunk in enumerate(body.chunks):
        yield chunk.removeprefix(b"\r\n") if number == 0 else chunk


_MOMENTS = {
    "at_connection": "connection",
    "at_mail": "MAIL",
    "at_rcpt": "RCPT",
    "at_end": "end",
    "at_leaving": "outward",
}
"""People's names for the moments, by the methods that are called at them."""


class Agent(Generic[S]):
    """Base of the agents. A Reply refuses, None lets pass.

    `says` tells people what it does, `doubt` what it does when it cannot find out; `passed` is what `postern agent test` says of
    a recipient that it lets pass. `settings_type` is a dataclass of `settings.setting` fields. `enabled` is an edge's default; a
    hub that answers the internet itself has its agents switched on one by one, except those that are on `everywhere`.
    """

    name: ClassVar[str]
    says: ClassVar[str]
    doubt: ClassVar[str]
    settings_type: ClassVar[type[Any]]
    enabled: ClassVar[bool] = True
    everywhere: ClassVar[bool] = False
    passed: ClassVar[str] = ""
    waits_for: ClassVar[str] = ""
    delays: ClassVar[bool] = False
    """Leaving mail waits until this agent can do its part; without `delays` it leaves as it is."""

    def __init__(self, settings: S) -> None:
        self.settings = settings

    def take_over(self, former: Agent[S]) -> None:
        """Goes on where the agent of the former settings stopped."""

    def at_connection(self, client: Stranger) -> None:
        """Called before the greeting. Questions may be begun here; nobody waits for their answers."""

    def at_mail(self, client: Stranger, sender: str) -> Reply | None:
        """`sender` is "" for the null reverse-path."""

    async def at_rcpt(self, client: Stranger, address: str) -> Reply | None:
        """Called for a recipient that the connector itself would take."""

    def at_unknown(self, client: Stranger) -> float:
        """Seconds to wait before 550 5.1.1 is said; `client.unknown` counts this one already."""
        return 0.0

    async def at_end(self, mail: IncomingMail) -> Reply | None:
        """Called when the whole message has come."""

    async def at_leaving(self, mail: LeavingMail) -> bool:
        """Called on the way to another organization, after everything that may wait. Returns whether it acted."""
        return False

    @classmethod
    def acts(cls, moment: str) -> bool:
        """Whether this agent has a method of its own for a moment."""
        return getattr(cls, moment) is not getattr(Agent, moment)

    @classmethod
    def when(cls) -> str:
        """The moments at which it acts, as people call them."""
        return ", ".join(word for moment, word in _MOMENTS.items() if cls.acts(moment))


@dataclass(frozen=True, slots=True)
class Planned:
    """An agent of Exchange Server 2007 that is not built, and what it waits for."""

    name: str
    says: str
    waits_for: str
    doubt: str = ""

    def when(self) -> str:
        return _MOMENTS["at_end"]
