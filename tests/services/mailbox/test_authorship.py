"""Who is believed to have written a delivered message. covers: authorship"""

from __future__ import annotations

import pytest

from postern.services.mailbox.authorship import is_denied, proven_author

NAMES = frozenset({"hub1.corp.test", "edge1.corp.test", "corp.test"})
ANN = "ann@away.test"
MAPI = "Received: from mailbox by hub1.corp.test (Postern) with MAPI;\r\n\tnow\r\n"
USER = "Received: from laptop ([192.0.2.1])\r\n\tby hub1.corp.test (Postern) with ESMTPSA\r\n\t(TLSv1.3) tls X;\r\n\tnow\r\n"
HUB = "Received: from hub2.corp.test ([192.0.2.2])\r\n\tby hub1.corp.test (Postern) with ESMTPSA;\r\n\tnow\r\n"
STRANGER = "Received: from x ([192.0.2.9])\r\n\tby edge1.corp.test (Postern) with ESMTPS;\r\n\tnow\r\n"
EDGE = "Received: from edge1.corp.test ([192.0.2.3])\r\n\tby hub1.corp.test (Postern) with ESMTPS;\r\n\tnow\r\n"
SPF = "Authentication-Results: edge1.corp.test;\r\n\tspf=pass smtp.mailfrom=ann@away.test\r\n"
DKIM = "Authentication-Results: edge1.corp.test;\r\n\tspf=fail smtp.mailfrom=a@b.test;\r\n\tdkim=pass header.d=away.test\r\n"
THEIRS = "Authentication-Results: mx.evil.test; spf=pass smtp.mailfrom=ann@away.test; dkim=pass header.d=away.test\r\n"
OTHER = "Authentication-Results: edge1.corp.test; dkim=pass header.d=evil.test; spf=pass smtp.mailfrom=x@evil.test\r\n"
NONE = "Authentication-Results: edge1.corp.test; none\r\n"


def author(trace: str, path: str = ANN, sender: str = f"From: Ann <{ANN}>\r\n") -> str:
    return proven_author(f"Return-Path: <{path}>\r\n{trace}{sender}\r\nbody\r\n".encode(), NAMES)


@pytest.mark.parametrize("trace", [MAPI, USER, HUB + MAPI, HUB + USER, USER + "Received: from a by b; c\r\n"])
def test_users_of_ours_are_believed(trace: str) -> None:
    assert author(trace) == ANN


@pytest.mark.parametrize(
    "trace",
    [STRANGER + SPF, EDGE + STRANGER + SPF, EDGE + STRANGER + DKIM, HUB + STRANGER + DKIM, STRANGER + SPF + THEIRS],
)
def test_strangers_are_believed_where_our_results_speak_for_them(trace: str) -> None:
    assert author(trace) == ANN


@pytest.mark.parametrize(
    "trace",
    [
        "",
        STRANGER,
        STRANGER + NONE,
        STRANGER + OTHER,
        STRANGER + THEIRS,
        STRANGER + USER,
        STRANGER + MAPI,
        EDGE + STRANGER + MAPI,
        HUB + STRANGER + USER,
        STRANGER.replace("edge1.corp", "edge1.evil") + SPF,
        "X-Between: a\r\n" + MAPI,
    ],
)
def test_others_are_not_believed(trace: str) -> None:
    assert author(trace) == ""


def test_spf_speaks_for_the_reverse_path() -> None:
    assert author(STRANGER + SPF.replace("ann@", "bounces@"), "bounces@away.test") == ANN
    assert author(STRANGER + SPF.replace("ann@away", "ann@evil"), "ann@evil.test") == ""
    assert author(STRANGER + SPF.replace("smtp.mailfrom=ann@", "smtp.helo=")) == ""


@pytest.mark.parametrize(
    "sender",
    [
        "",
        f"From: {ANN}, b@away.test\r\n",
        f"From: {ANN}\r\nFrom: b@away.test\r\n",
        f"From: b@away.test <{ANN}>\r\n",
        "From: nobody\r\n",
    ],
)
def test_an_ambiguous_author_is_none(sender: str) -> None:
    assert author(MAPI, sender=sender) == ""


def test_addresses_are_folded() -> None:
    assert author(MAPI, sender="From: Ann@Away.Test\r\n") == ANN


@pytest.mark.parametrize(
    ("trace", "denied"),
    [
        ("", False),
        (USER, False),
        (STRANGER + NONE, False),
        (STRANGER + SPF, False),
        (EDGE + STRANGER + DKIM, False),
        (STRANGER + DKIM.replace("away", "evil"), True),
        (EDGE + STRANGER + SPF.replace("pass", "fail"), True),
        ("X-Between: a\r\n" + SPF.replace("pass", "fail"), False),
        (STRANGER + THEIRS.replace("pass", "fail"), False),
    ],
)
def test_a_sender_against_whom_our_results_speak(trace: str, denied: bool) -> None:
    content = f"Return-Path: <{ANN}>\r\n{trace}From: {ANN}\r\n\r\nbody\r\n".encode()
    assert is_denied(content, ANN, NAMES) is denied
