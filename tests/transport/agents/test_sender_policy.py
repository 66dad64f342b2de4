"""What is done about results, and in which words they are told."""

from __future__ import annotations

from postern.protocols.authentication.dkim import DkimResult, DkimVerdict
from postern.protocols.authentication.dmarc import DmarcPolicy, DmarcResult, DmarcVerdict
from postern.protocols.authentication.spf import SpfResult, SpfVerdict
from postern.transport.agents import sender_policy as policy
from postern.transport.agents.sender_policy import Action, DmarcSettings, SpfSettings


def test_spf_refuses_only_what_fails_and_only_when_told_to() -> None:
    for result in SpfResult:
        reply = policy.spf_reply(SpfSettings(Action.REJECT), SpfVerdict(result, "all"), "d.test")
        assert (reply is not None) == (result is SpfResult.FAIL)
        assert policy.spf_reply(SpfSettings(), SpfVerdict(result, "all"), "d.test") is None
    reply = policy.spf_reply(SpfSettings(Action.REJECT), SpfVerdict(SpfResult.FAIL, "all", "no"), "d.test")
    assert reply is not None and reply.words == "550 5.7.23 This address may not send mail of d.test; d.test says: no"


def test_dmarc_refuses_only_what_fails_and_is_to_be_refused() -> None:
    for result in DmarcResult:
        for asked in DmarcPolicy:
            reply = policy.dmarc_reply(DmarcSettings(), DmarcVerdict(result, "d.test", asked))
            assert (reply is not None) == (result is DmarcResult.FAIL and asked is DmarcPolicy.REJECT)
            assert policy.dmarc_reply(DmarcSettings(Action.STAMP), DmarcVerdict(result, "d.test", asked)) is None


def test_dmarc_refuses_a_from_that_nobody_can_be_asked_about() -> None:
    verdict = DmarcVerdict(DmarcResult.PERM_ERROR, why="From names no domain", unreadable=True)
    assert policy.dmarc_reply(DmarcSettings(), verdict, both=False) is not None
    assert policy.dmarc_reply(DmarcSettings(Action.STAMP), verdict) is None
    assert policy.dmarc_reply(DmarcSettings(), verdict, nobodys=True) is None
    forged = DmarcVerdict(DmarcResult.FAIL, "d.test", DmarcPolicy.REJECT)
    assert policy.dmarc_reply(DmarcSettings(), forged, nobodys=True) is not None


def test_words() -> None:
    assert policy.spf_result(SpfVerdict(SpfResult.PASS, "a of d.test"), "", "h.test").render() == (
        "spf=pass (a of d.test) smtp.helo=h.test"
    )
    [none] = policy.dkim_results([])
    assert none.render() == "dkim=none"
    [good] = policy.dkim_results([DkimVerdict(DkimResult.PASS, "d.test", "sel", "rsa-sha256")])
    assert good.render() == "dkim=pass header.d=d.test header.s=sel header.a=rsa-sha256"
    assert policy.dmarc_result(DmarcVerdict(DmarcResult.FAIL, "d.test", DmarcPolicy.REJECT)).render() == (
        "dmarc=fail header.from=d.test policy.dmarc=reject"
    )
    assert (
        policy.sender_id_result(SpfVerdict(SpfResult.FAIL, "all"), "a@b").render()
        == "sender-id=fail (all) header.pra=a@b"
    )
