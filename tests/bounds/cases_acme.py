"""Worst cases of what reads an ACME server: protocols.acme, the client's side of HTTP, and the tokens that strangers ask for."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from postern.protocols.acme import answers
from postern.protocols.http.client import ClientMachine
from postern.services.acme.challenges import ChallengeFiles
from tests.bounds.growth import Cases, Work, pieces

URL = "https://a.test/"


def _answer(size: int, wire: bytes, begin: bytes, step: int = 65_536) -> Work:
    data = begin + wire * (size // len(wire))

    def work() -> None:
        machine = ClientMachine("GET", "/", "a.test")
        for piece in pieces(data, step):
            machine.receive(piece)
            if machine.next_event() is not None:
                break
        machine.ended()

    return work


def _read(size: int, reader: Callable[[Any], object], value: Callable[[int], object]) -> Work:
    made = value(size)

    def work() -> None:
        try:
            reader(made)
        except answers.AnswerError:
            pass

    return work


def _order(size: int) -> object:
    return {"status": "a" * (size // 2), "finalize": URL, "authorizations": ["a"] * (size // 8)}


def _authorization(size: int) -> object:
    return {"identifier": {"value": "a" * size}, "challenges": [{"type": "dns-01"}] * (size // 20)}


def _problem(size: int) -> object:
    return {"type": "a" * size, "subproblems": [{"detail": "a"}] * (size // 20)}


HEAD = b"HTTP/1.1 200 OK\r\n"
CASES: Cases = {
    "protocols.acme.answers.is_token": lambda size: lambda: answers.is_token("a" * size),
    "protocols.acme.answers.read_authorization": partial(
        _read, reader=answers.read_authorization, value=_authorization
    ),
    "protocols.acme.answers.read_directory": partial(
        _read, reader=answers.read_directory, value=lambda size: {"newNonce": "a" * size, "meta": {"a": "a"}}
    ),
    "protocols.acme.answers.read_object": partial(_read, reader=answers.read_object, value=lambda size: b"[" * size),
    "protocols.acme.answers.read_object:whole": partial(
        _read, reader=answers.read_object, value=lambda size: json.dumps({"a": "b" * size}).encode()
    ),
    "protocols.acme.answers.read_order": partial(_read, reader=answers.read_order, value=_order),
    "protocols.acme.answers.read_problem": partial(_read, reader=answers.read_problem, value=_problem),
    "protocols.http.client.ClientMachine": partial(_answer, wire=b"a: b\r\n", begin=HEAD),
    "protocols.http.client.ClientMachine:body": partial(
        _answer, wire=b"1\r\na\r\n", begin=HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    ),
    "protocols.http.client.ClientMachine:one by one": partial(_answer, wire=b"a", begin=HEAD + b"\r\n", step=1),
    "services.acme.challenges.ChallengeFiles.get": lambda size: partial(
        ChallengeFiles(Path("/nonexistent")).get, "a" * size
    ),
}
