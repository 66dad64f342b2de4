"""Parameters of MAIL and RCPT."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postern.model.mail import BodyType
from postern.protocols.smtp.parameters import MailParameters, parse_mail_parameters, parse_rcpt_parameters
from postern.protocols.smtp.reply import Reply


def test_all_of_mail_s_parameters() -> None:
    text = " SIZE=1000 BODY=8bitmime SMTPUTF8 RET=hdrs ENVID=a+2Bb AUTH=<>"
    assert parse_mail_parameters(text) == MailParameters(1000, BodyType.EIGHT_BIT_MIME, True, "HDRS", "a+b")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (" SIZE", 501),
        (" SIZE=x", 501),
        (" SIZE=1 SIZE=2", 501),
        (" BODY=BINARYMIME", 501),
        (" SMTPUTF8=1", 501),
        (" RET=SOME", 501),
        (" ENVID=", 501),
        (" ENVID=+0D+0A", 501),
        (" ENVID=" + "a" * 101, 501),
        (" AUTH", 501),
        (" NOTIFY=NEVER", 555),
        (" X-UNKNOWN=1", 555),
        (" =1", 501),
    ],
)
def test_mail_parameters_refused(text: str, code: int) -> None:
    reply = parse_mail_parameters(text)
    assert isinstance(reply, Reply) and reply.code == code


def test_rcpt_parameters() -> None:
    assert parse_rcpt_parameters("") == (frozenset(), "")
    assert parse_rcpt_parameters(" NOTIFY=success,FAILURE ORCPT=rfc822;a+2Bb@x.test") == (
        frozenset({"SUCCESS", "FAILURE"}),
        "rfc822;a+b@x.test",
    )
    assert parse_rcpt_parameters(" ORCPT=utf-8;\\x{AC00}@x.test") == (frozenset(), "utf-8;\\x{AC00}@x.test")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (" NOTIFY=NEVER,FAILURE", 501),
        (" NOTIFY", 501),
        (" NOTIFY=MAYBE", 501),
        (" ORCPT=rfc822", 501),
        (" ORCPT=rfc822;a+0Ab", 501),
        (" SIZE=1", 555),
    ],
)
def test_rcpt_parameters_refused(text: str, code: int) -> None:
    reply = parse_rcpt_parameters(text)
    assert isinstance(reply, Reply) and reply.code == code


@given(st.text())
def test_no_text_makes_them_fail(text: str) -> None:
    parse_mail_parameters(text)
    parse_rcpt_parameters(text)
