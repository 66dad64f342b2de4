"""The agents that look at a whole message of a stranger, in their order: what it claims is taken out or held against DNS, and
what was found goes into Authentication-Results.

Reads the settings of those that are enabled; look-ups go through `look_ups`. Writes nothing but the header that it returns.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, TypeVar

from postern.model.mail import Content
from postern.protocols.authentication import header as headers
from postern.protocols.authentication.dkim import BodyKey, DkimResult, DkimVerdict, body_hashes, signatures, verify
from postern.protocols.authentication.dkim_records import Broken, Signature
from postern.protocols.authentication.dmarc import dmarc
from postern.protocols.authentication.questions import Answer, Kind, Machine, Question
from postern.protocols.authentication.results import MethodResult, authentication_results
from postern.protocols.authentication.spf import SpfResult, SpfVerdict, sender_id, spf
from postern.protocols.authentication.spf_record import is_spf1, is_spf2_pra
from postern.protocols.smtp.reply import Reply
from postern.services.agents.look_ups import LookUps
from postern.services.agents.state import Statistics
from postern.services.smtp.data import BROKE, failed_again
from postern.telemetry.attempts import attempt, attempting, attempting_apart
from postern.telemetry.log import Event, log
from postern.transport.agents import sender_policy as policy
from postern.transport.agents.connection_filter import IpAddress
from postern.transport.agents.header_firewall import HeaderFirewall
from postern.transport.agents.sender_filter import SenderFilter

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

T = TypeVar("T")

TIME_LIMIT = 15.0
"""Seconds that DNS may take for one message, all its agents together; what is not answered then is unknown."""
HASHED_IN_LINE = 524_288
"""Octets of a body that are hashed without a thread."""

_NOT_NOW = Reply(451, "4.3.0", "Local error in processing; try again later")


@dataclass(slots=True)
class Examined:
    """`steps` are (agent, result, why); `by` names the agent whose `reply` refuses the message."""

    header: bytes
    reply: Reply | None = None
    by: str = ""
    steps: list[tuple[str, str, str]] = field(default_factory=list)
    results: list[MethodResult] = field(default_factory=list)


@dataclass(slots=True)
class _Mail:
    """What the agents pass on to each other."""

    address: IpAddress | None
    helo: str
    sender: str
    fields: list[headers.Field]
    body: Content
    now: float
    examined: Examined
    until: float
    """When DNS is asked no more (time.monotonic)."""
    key: str
    """Names the message while something is computed on it; never while DNS is waited for."""
    spf: SpfVerdict | None = None
    dkim: list[DkimVerdict] = field(default_factory=list)


class MessageAgents:
    """`settings` by name, of the enabled agents alone."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        sender: SenderFilter | None,
        look_ups: LookUps,
        statistics: Statistics,
        fqdn: str,
        own_names: frozenset[str],
    ) -> None:
        self._settings = settings
        self._sender = sender
        self._look_ups = look_ups
        self._statistics = statistics
        self._fqdn = fqdn
        firewall = settings.get("header-firewall")
        self._firewall = HeaderFirewall(firewall, own_names) if firewall is not None else None

    @property
    def idle(self) -> bool:
        """None of its agents is enabled; what only signs on the way out is none of them."""
        return self._sender is None and not set(self._settings) - {"dkim-signing"}

    async def examine(
        self,
        address: IpAddress | None,
        helo: str,
        sender: str,
        header: bytes,
        body: Content,
        now: float,
        allowed: bool = False,
        key: str = "",
    ) -> Examined:
        """Passes the message through the enabled agents. `now` is epoch seconds. `allowed`: the caller is on the allow list, so
        nothing is refused as unwanted. What raises anything counts against the message, which is refused for now, and for good
        the second time: nothing passes that an agent could not look at. This itself does not raise."""
        examined = Examined(header)
        try:
            fields = attempting(key, headers.fields, header)
        except Exception as error:
            log(Event.AGENT_FAILED, agent="message", error=repr(error))
            examined.reply = _not_looked_at(key, error)
            return examined
        mail = _Mail(address, helo, sender, fields, body, now, examined, time.monotonic() + TIME_LIMIT, key)
        steps: tuple[tuple[str, Any], ...] = (
            ("sender-filter", self._run_sender_filter),
            ("header-firewall", self._run_firewall),
            ("spf", self._run_spf),
            ("sender-id", self._run_sender_id),
            ("dkim-verification", self._run_dkim),
            ("dmarc", self._run_dmarc),
            ("authentication-results", self._run_results),
        )
        for name, run in steps:
            if name not in self._settings:
                continue
            begun, failed = time.perf_counter(), False
            try:
                reply = await run(mail)
            except Exception as error:
                log(Event.AGENT_FAILED, agent=name, error=repr(error))
                reply, failed = _not_looked_at(key, error), True
            if allowed and reply is not None and not failed:
                reply = None
            self._statistics.add(name, begun, reply.code if reply is not None else 0, failed)
            if reply is not None:
                examined.reply, examined.by = reply, name
                return examined
        return examined

    async def _run_sender_filter(self, mail: _Mail) -> Reply | None:
        with attempt(mail.key):
            reply = self._sender.header(mail.sender, mail.fields) if self._sender is not None else None
        mail.examined.steps.append(("sender-filter", "refused" if reply is not None else "passed", ""))
        return reply

    async def _run_firewall(self, mail: _Mail) -> None:
        assert self._firewall is not None
        with attempt(mail.key):
            mail.examined.header, gone = self._firewall.inward(mail.examined.header)
        mail.examined.steps.append(("header-firewall", "removed" if gone else "nothing", ", ".join(gone)))

    async def _run_spf(self, mail: _Mail) -> Reply | None:
        if mail.address is None:
            return None
        local, _, domain = mail.sender.rpartition("@")
        domain = headers.ascii_domain(domain)
        sender = f"{local}@{domain}" if mail.sender else ""
        settings: policy.SpfSettings = self._settings["spf"]
        explain = settings.fail is policy.Action.REJECT
        mail.spf = await self._run(mail, spf(mail.address, mail.helo, sender, explain=explain))
        self._found(mail, "spf", policy.spf_result(mail.spf, sender, mail.helo))
        return policy.spf_reply(settings, mail.spf, domain or mail.helo)

    async def _run_sender_id(self, mail: _Mail) -> Reply | None:
        with attempt(mail.key):
            purported = headers.purported_responsible(mail.fields)
        settings: policy.SenderIdSettings = self._settings["sender-id"]
        if mail.address is None:
            return None
        if not purported:
            verdict = SpfVerdict(SpfResult.PERM_ERROR, "the header names no one sender")
        else:
            verdict = await self._run(mail, sender_id(mail.address, mail.helo, purported, is_spf2_pra))
            if verdict.result is SpfResult.NONE and settings.spf1:
                verdict = await self._run(mail, sender_id(mail.address, mail.helo, purported, is_spf1))
        self._found(mail, "sender-id", policy.sender_id_result(verdict, purported))
        return policy.spf_reply(settings, verdict, purported.rpartition("@")[2])

    async def _run_dkim(self, mail: _Mail) -> None:
        signed = attempting(mail.key, signatures, mail.fields)
        good = [one for one in signed if isinstance(one, Signature)]
        hashed = await self._hashed(mail, good) if good else {}
        answers = await asyncio.gather(*(self._ask(mail, Question(one.key_name, Kind.TXT)) for one in good))
        keys = dict(zip((id(one) for one in good), answers, strict=True))
        for one in signed:
            if isinstance(one, Broken):
                mail.dkim.append(DkimVerdict(DkimResult.PERM_ERROR, one.domain, one.selector, "", one.why))
            else:
                with attempt(mail.key):
                    mail.dkim.append(verify(one, mail.fields, hashed, keys[id(one)], mail.now))
        for result in policy.dkim_results(mail.dkim):
            self._found(mail, "dkim-verification", result)

    async def _hashed(self, mail: _Mail, good: list[Signature]) -> dict[BodyKey, tuple[bytes, bool]]:
        work = partial(body_hashes, {(one.body, one.length) for one in good}, _body(mail.body))
        return await attempting_apart(mail.body.size > HASHED_IN_LINE, mail.key, work)

    async def _run_dmarc(self, mail: _Mail) -> Reply | None:
        with attempt(mail.key):
            authors = headers.domains(headers.addresses([one.value for one in headers.named(mail.fields, "from")]))
        domain = headers.ascii_domain((mail.sender or f"@{mail.helo}").rpartition("@")[2])
        spf_domain = domain if mail.spf is not None and mail.spf.result is SpfResult.PASS else ""
        good = [one.domain for one in mail.dkim if one.result is DkimResult.PASS]
        unsure = [one.domain for one in mail.dkim if one.result is DkimResult.TEMP_ERROR]
        if mail.spf is not None and mail.spf.result is SpfResult.TEMP_ERROR:
            unsure.append(domain)
        # Chance decides which mail is sampled (pct), and nobody gains by guessing it.
        sample = random.random()  # noqa: S311 (no secret)
        verdict = await self._run(mail, dmarc(authors, spf_domain, good, organizational_domain, sample, unsure))
        self._found(mail, "dmarc", policy.dmarc_result(verdict))
        settings: policy.DmarcSettings = self._settings["dmarc"]
        both = "spf" in self._settings and "dkim-verification" in self._settings
        with attempt(mail.key):
            nobodys = verdict.unreadable and policy.is_nobodys(mail.sender, mail.fields)
        return policy.dmarc_reply(settings, verdict, both, nobodys)

    async def _run_results(self, mail: _Mail) -> None:
        examined = mail.examined
        stamp = authentication_results(self._fqdn, examined.results)
        examined.header = stamp + examined.header
        examined.steps.append(("authentication-results", "added", ""))

    async def _run(self, mail: _Mail, machine: Machine[T]) -> T:
        return await self._look_ups.run(machine, mail.until - time.monotonic())

    async def _ask(self, mail: _Mail, question: Question) -> Answer:
        return await self._look_ups.ask(question, mail.until - time.monotonic())

    def _found(self, mail: _Mail, agent: str, result: MethodResult) -> None:
        mail.examined.results.append(result)
        mail.examined.steps.append((agent, result.result, result.comment))


def _not_looked_at(key: str, error: Exception) -> Reply:
    """The reply to a message at which an agent raised. What the machine lacks is nothing that the message did."""
    if not isinstance(error, OSError | MemoryError) and failed_again(key, error):
        return BROKE
    return _NOT_NOW


def _body(content: Content) -> Iterator[bytes]:
    """Without the empty line at its beginning."""
    for number, chunk in enumerate(content.chunks):
        yield chunk.removeprefix(b"\r\n") if number == 0 else chunk


def organizational_domain(name: str) -> str:
    """RFC 7489 section 3.2, by the public suffix list."""
    return _suffixes().privatesuffix(name.lower()) or name.lower()


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
