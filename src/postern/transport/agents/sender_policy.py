"""SPF, Sender ID, DKIM and DMARC: decides about their results, and tells them in Authentication-Results (RFC 8601).

SPF is RFC 7208. Sender ID (RFC 4406, RFC 4407) was an experiment that ended (RFC 6686), and the registry of
Authentication-Results calls its method deprecated. Exchange Server 2007 knew nothing else, so it is here, switched off.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from postern.protocols.authentication.dkim import DkimResult, DkimVerdict
from postern.protocols.authentication.dmarc import DmarcPolicy, DmarcResult, DmarcVerdict
from postern.protocols.authentication.header import Field
from postern.protocols.authentication.results import MethodResult
from postern.protocols.authentication.spf import SpfResult, SpfVerdict
from postern.protocols.mime.words import decode_words
from postern.protocols.smtp.reply import Reply
from postern.transport.agents.settings import setting

_AT = "@\uff20\ufe6b"
"""The characters that look like the mark between mailbox and domain: NFKC turns each into it."""


class Action(StrEnum):
    STAMP = "stamp"
    """Say it in Authentication-Results, and take the message."""
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class SpfSettings:
    fail: Action = setting(  # noqa: RUF009 (setting is dataclasses.field)
        Action.STAMP, "what becomes of mail whose sender's domain says 'fail': stamp or reject"
    )


@dataclass(frozen=True, slots=True)
class SenderIdSettings:
    fail: Action = setting(  # noqa: RUF009 (setting is dataclasses.field)
        Action.STAMP, "what becomes of mail that fails: stamp or reject"
    )
    spf1: bool = setting(True, "read v=spf1 records where a domain has no spf2.0/pra (RFC 4406 section 3.4)")


@dataclass(frozen=True, slots=True)
class DkimVerificationSettings:
    pass


@dataclass(frozen=True, slots=True)
class DmarcSettings:
    reject: Action = setting(  # noqa: RUF009 (setting is dataclasses.field)
        Action.REJECT,
        "what becomes of mail that fails a domain's p=reject, or whose From names no domain: stamp or reject",
    )


@dataclass(frozen=True, slots=True)
class AuthenticationResultsSettings:
    pass


def spf_reply(settings: SpfSettings | SenderIdSettings, verdict: SpfVerdict, domain: str) -> Reply | None:
    if verdict.result is not SpfResult.FAIL or settings.fail is not Action.REJECT:
        return None
    # RFC 7208 section 8.4 and RFC 7372 section 3.2. The domain's explanation is a stranger's text, and marked as such.
    explanation = f"; {domain} says: {verdict.explanation}" if verdict.explanation else ""
    return Reply(550, "5.7.23", f"This address may not send mail of {domain}{explanation}")


def is_nobodys(sender: str, fields: Sequence[Field]) -> bool:
    """Whether a message is a report of a system that names itself nowhere: the null reverse-path (RFC 5321 section 4.5.5 has
    everybody take such mail), and a From that is missing or shows no reader an address, as `<>` or `Mail System <>`.

    Bound: linear in the fields.
    """
    if sender:
        return False
    written = [field.value for field in fields if field.name == "from"]
    return len(written) <= 1 and not any(set(_AT) & set(decode_words(value)) for value in written)


def dmarc_reply(
    settings: DmarcSettings, verdict: DmarcVerdict, both: bool = True, nobodys: bool = False
) -> Reply | None:
    """Decides about DMARC's verdict. `nobodys` (`is_nobodys`): the message holds no name to be misused. `both`: SPF and DKIM
    were asked.

    Without the results of both, DMARC fails nobody, but a From that cannot be read is refused all the same (RFC 7489 section
    6.6.1): readers would be shown a sender that nothing was checked against.
    """
    if settings.reject is not Action.REJECT:
        return None
    if verdict.unreadable and nobodys:
        return None
    if verdict.unreadable:
        return Reply(550, "5.7.1", f"{verdict.why}; mail has an author (RFC 5322 section 3.6.2)")
    if not both or verdict.result is not DmarcResult.FAIL or verdict.policy is not DmarcPolicy.REJECT:
        return None
    return Reply(
        550, "5.7.1", f"Neither SPF nor DKIM speaks for {verdict.domain}, which wants such mail refused (DMARC)"
    )


def spf_result(verdict: SpfVerdict, sender: str, helo: str) -> MethodResult:
    identity = ("smtp.mailfrom", sender) if sender else ("smtp.helo", helo)
    return MethodResult("spf", verdict.result.value, (identity,), verdict.why)


def sender_id_result(verdict: SpfVerdict, purported: str) -> MethodResult:
    return MethodResult("sender-id", verdict.result.value, (("header.pra", purported),), verdict.why)


def dkim_results(verdicts: Sequence[DkimVerdict]) -> list[MethodResult]:
    if not verdicts:
        return [MethodResult("dkim", DkimResult.NONE.value)]
    return [
        MethodResult(
            "dkim",
            verdict.result.value,
            (("header.d", verdict.domain), ("header.s", verdict.selector), ("header.a", verdict.algorithm)),
            verdict.why,
        )
        for verdict in verdicts
    ]


def dmarc_result(verdict: DmarcVerdict) -> MethodResult:
    asks = verdict.policy.value if verdict.result is DmarcResult.FAIL else ""
    return MethodResult(
        "dmarc", verdict.result.value, (("header.from", verdict.domain), ("policy.dmarc", asks)), verdict.why
    )
