"""The agents that hold a message against what its sender's domain says in DNS: SPF, Sender ID, DKIM and DMARC; and the one that
tells readers the results (Authentication-Results).

`sender_policy` has their settings and decides about each result; `protocols.authentication` evaluates.
"""

from __future__ import annotations

import asyncio
import random
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from postern.protocols.authentication import header as headers
from postern.protocols.authentication.dkim import BodyKey, DkimResult, DkimVerdict, body_hashes, signatures, verify
from postern.protocols.authentication.dkim_records import Broken, Signature
from postern.protocols.authentication.dmarc import dmarc
from postern.protocols.authentication.questions import Kind, Question
from postern.protocols.authentication.results import authentication_results
from postern.protocols.authentication.spf import SpfResult, SpfVerdict, sender_id, spf
from postern.protocols.authentication.spf_record import is_spf1, is_spf2_pra
from postern.protocols.smtp.reply import Reply
from postern.telemetry.attempts import attempt, attempting, attempting_in_thread_if
from postern.transport.agents import sender_policy as policy
from postern.transport.agents.agent import FAILS_AT_END, Agent, IncomingMail, body_pieces

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

HASHED_IN_LINE = 524_288
"""Octets of a body that are hashed without a thread."""


class Spf(Agent[policy.SpfSettings]):
    """Asks whether the client's address may send for the domain of MAIL FROM, or of HELO where that is empty."""

    name = "spf"
    says = "may this address send for the sender's domain (RFC 7208)"
    doubt = FAILS_AT_END
    settings_type = policy.SpfSettings

    async def at_end(self, mail: IncomingMail) -> Reply | None:
        address = mail.client.address
        if address is None:
            return None
        local, _, domain = mail.sender.rpartition("@")
        domain = headers.ascii_domain(domain)
        sender = f"{local}@{domain}" if mail.sender else ""
        explain = self.settings.fail is policy.Action.REJECT
        mail.spf = await mail.run(spf(address, mail.helo, sender, explain=explain))
        mail.tell(self, policy.spf_result(mail.spf, sender, mail.helo))
        return policy.spf_reply(self.settings, mail.spf, domain or mail.helo)


class SenderId(Agent[policy.SenderIdSettings]):
    """Asks the same for the header's purported responsible address (RFC 4407)."""

    name = "sender-id"
    says = "the same for the header's sender (RFC 4406, obsolete)"
    doubt = FAILS_AT_END
    settings_type = policy.SenderIdSettings
    enabled = False

    async def at_end(self, mail: IncomingMail) -> Reply | None:
        address = mail.client.address
        with attempt(mail.key):
            purported = headers.purported_responsible(mail.fields)
        if address is None:
            return None
        if not purported:
            verdict = SpfVerdict(SpfResult.PERM_ERROR, "the header names no one sender")
        else:
            verdict = await mail.run(sender_id(address, mail.helo, purported, is_spf2_pra))
            if verdict.result is SpfResult.NONE and self.settings.spf1:
                verdict = await mail.run(sender_id(address, mail.helo, purported, is_spf1))
        mail.tell(self, policy.sender_id_result(verdict, purported))
        return policy.spf_reply(self.settings, verdict, purported.rpartition("@")[2])


class DkimVerification(Agent[policy.DkimVerificationSettings]):
    """Verifies the signatures in the header. A signature that is none, or is bad, refuses nothing by itself."""

    name = "dkim-verification"
    says = "signatures of the sender's domain (RFC 6376)"
    doubt = FAILS_AT_END
    settings_type = policy.DkimVerificationSettings

    async def at_end(self, mail: IncomingMail) -> None:
        verdicts: list[DkimVerdict] = []
        signed = attempting(mail.key, signatures, mail.fields)
        good = [signature for signature in signed if isinstance(signature, Signature)]
        hashed = await self._hashed(mail, good) if good else {}
        answers = await asyncio.gather(*(mail.ask(Question(signature.key_name, Kind.TXT)) for signature in good))
        keys = dict(zip(map(id, good), answers, strict=True))
        for signature in signed:
            if isinstance(signature, Broken):
                broken = DkimVerdict(DkimResult.PERM_ERROR, signature.domain, signature.selector, "", signature.why)
                verdicts.append(broken)
            else:
                with attempt(mail.key):
                    verdicts.append(verify(signature, mail.fields, hashed, keys[id(signature)], mail.now))
        mail.dkim = verdicts
        for result in policy.dkim_results(verdicts):
            mail.tell(self, result)

    async def _hashed(self, mail: IncomingMail, good: list[Signature]) -> dict[BodyKey, tuple[bytes, bool]]:
        work = partial(body_hashes, {(signature.body, signature.length) for signature in good}, body_pieces(mail.body))
        return await attempting_in_thread_if(mail.body.size > HASHED_IN_LINE, mail.key, work)


class Dmarc(Agent[policy.DmarcSettings]):
    """Asks what From's domain wants done with mail that neither SPF nor DKIM speaks for."""

    name = "dmarc"
    says = "what From's domain wants done with forgeries (RFC 7489)"
    doubt = FAILS_AT_END
    settings_type = policy.DmarcSettings

    async def at_end(self, mail: IncomingMail) -> Reply | None:
        with attempt(mail.key):
            authors = headers.domains(headers.addresses([from_.value for from_ in headers.named(mail.fields, "from")]))
        domain = headers.ascii_domain((mail.sender or f"@{mail.helo}").rpartition("@")[2])
        spf_domain = domain if mail.spf is not None and mail.spf.result is SpfResult.PASS else ""
        verdicts = mail.dkim or []
        good = [verdict.domain for verdict in verdicts if verdict.result is DkimResult.PASS]
        unsure = [verdict.domain for verdict in verdicts if verdict.result is DkimResult.TEMP_ERROR]
        if mail.spf is not None and mail.spf.result is SpfResult.TEMP_ERROR:
            unsure.append(domain)
        # Chance decides which mail is sampled (pct), and nobody gains by guessing it.
        sample = random.random()  # noqa: S311 (no secret)
        verdict = await mail.run(dmarc(authors, spf_domain, good, organizational_domain, sample, unsure))
        mail.tell(self, policy.dmarc_result(verdict))
        with attempt(mail.key):
            nobodys = verdict.unreadable and policy.is_nobodys(mail.sender, mail.fields)
        both = mail.spf is not None and mail.dkim is not None
        return policy.dmarc_reply(self.settings, verdict, both, nobodys)


class AuthenticationResults(Agent[policy.AuthenticationResultsSettings]):
    """Puts the results of the others in front of the header."""

    name = "authentication-results"
    says = "tells these results to readers (RFC 8601)"
    doubt = FAILS_AT_END
    settings_type = policy.AuthenticationResultsSettings

    async def at_end(self, mail: IncomingMail) -> None:
        mail.header = authentication_results(mail.client.sources.fqdn, mail.results) + mail.header
        mail.note(self, "added")


def organizational_domain(name: str) -> str:
    """The organizational domain of a name (RFC 7489 section 3.2), by the public suffix list."""
    return _suffixes().privatesuffix(name.lower()) or name.lower()


@lru_cache(maxsize=1)
def _suffixes() -> PublicSuffixList:
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
