"""The objects of an ACME server, as RFC 8555 has them and as they must not be."""

from __future__ import annotations

import json
from typing import Any

import pytest

from postern.protocols.acme.answers import (
    MAX_NAMES,
    MAX_OBJECT,
    MAX_TEXT,
    AnswerError,
    Directory,
    Problem,
    is_token,
    read_authorization,
    read_directory,
    read_object,
    read_order,
    read_problem,
)

URL = "https://a.test/x"
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"


def test_a_directory() -> None:
    value = {"newNonce": URL, "newAccount": URL, "newOrder": URL, "revokeCert": URL}
    assert read_directory(value) == Directory(URL, URL, URL, "", False)
    meta = {"termsOfService": "https://a.test/terms", "externalAccountRequired": True}
    assert read_directory({**value, "meta": meta}) == Directory(URL, URL, URL, "https://a.test/terms", True)
    assert not read_directory({**value, "meta": []}).terms


@pytest.mark.parametrize("wrong", [{}, {"newNonce": URL}, {"newNonce": 1}, {"newNonce": "http://a.test/"}])
def test_a_directory_without_its_urls_is_none(wrong: dict[str, Any]) -> None:
    with pytest.raises(AnswerError, match="sent no URL as"):
        read_directory(wrong)


def test_an_order() -> None:
    value = {"status": "ready", "authorizations": [URL], "finalize": URL}
    order = read_order(value)
    assert (order.status, order.authorizations, order.certificate, order.problem) == ("ready", (URL,), "", None)
    assert read_order({**value, "error": {"detail": "x"}}).problem == Problem("", "x")
    for wrong in ([], [1], [URL] * (MAX_NAMES + 1)):
        if wrong:
            with pytest.raises(AnswerError):
                read_order({**value, "authorizations": wrong})


def authorization(**challenge: Any) -> dict[str, Any]:
    first = {"type": "dns-01", "url": URL, "token": TOKEN}
    last = {"type": "http-01", "url": URL, "token": TOKEN, **challenge}
    return {"status": "pending", "identifier": {"type": "dns", "value": "a.test"}, "challenges": [1, first, last]}


def test_an_authorization_has_its_challenge_by_http() -> None:
    read = read_authorization(authorization())
    assert (read.status, read.name, read.url, read.token) == ("pending", "a.test", URL, TOKEN)
    problem = {"type": "urn:ietf:params:acme:error:dns", "detail": "no address"}
    assert read_authorization(authorization(error=problem)).problem == Problem("dns", "no address")
    assert read_authorization(authorization(type="tls-alpn-01")).token == ""


@pytest.mark.parametrize("token", [None, "", "short", "a/../../b" + "x" * 40, "x" * 257, "é" * 43])
def test_what_is_no_token_is_refused_before_it_is_a_files_name(token: Any) -> None:
    with pytest.raises(AnswerError, match="token"):
        read_authorization(authorization(token=token))
    assert not is_token(str(token))


@pytest.mark.parametrize("wrong", [{}, {"identifier": {}}, {"identifier": {}, "challenges": {}}])
def test_what_is_no_authorization_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(AnswerError):
        read_authorization(wrong)


def test_problems_have_parts_and_ends() -> None:
    part = {"type": "urn:ietf:params:acme:error:caa", "detail": "x" * 1000, "identifier": {"value": "a.test"}}
    value = {"type": "urn:ietf:params:acme:error:compound", "detail": "y", "subproblems": [part] * 200 + [1]}
    problem = read_problem(value)
    assert problem is not None and problem.kind == "compound" and len(problem.parts) == MAX_NAMES
    assert problem.parts[0] == Problem("caa", "x" * MAX_TEXT, "a.test")
    assert read_problem({"type": "about:blank", "detail": 1}) == Problem("", "")
    assert read_problem("no") is read_problem(None) is None


@pytest.mark.parametrize("wrong", [b"", b"[]", b"{", b"\xff", b"1", b"[" * 100_000, b" " * (MAX_OBJECT + 1)])
def test_what_is_no_object_is_refused(wrong: bytes) -> None:
    with pytest.raises(AnswerError):
        read_object(wrong)
    assert read_object(json.dumps({"a": 1}).encode()) == {"a": 1}
