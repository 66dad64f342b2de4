"""The answers of an ACME server (RFC 8555 section 7.1): directory, account's order, authorizations, and problems."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

MAX_OBJECT = 131_072
"""Octets of an answer."""
MAX_NAMES = 100
"""Names of one order, and problems that are told; authorities allow 100 at most."""
MAX_TEXT = 500
"""Letters of an authority's sentence that are kept."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,256}+")
_PREFIX = "urn:ietf:params:acme:error:"


class AnswerError(Exception):
    """An answer that is not what RFC 8555 says; the text is a sentence without a subject."""


@dataclass(frozen=True, slots=True)
class Directory:
    """The URLs of a server. `terms` is the URL of its terms of service, `needs_binding` says that accounts must be bound to one
    that the authority knows otherwise."""

    new_nonce: str
    new_account: str
    new_order: str
    terms: str
    needs_binding: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem document (RFC 7807). `kind` is ACME's own word such as `rateLimited`, or "" for another type; `parts` are
    problems of single names."""

    kind: str
    detail: str
    name: str = ""
    parts: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Order:
    status: str
    authorizations: tuple[str, ...]
    finalize: str
    certificate: str
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class Authorization:
    """The authorization of one name. `url` and `token` are those of its challenge http-01, "" where the authority offers none."""

    status: str
    name: str
    url: str
    token: str
    problem: Problem | None


def read_object(data: bytes) -> Mapping[str, Any]:
    """Reads a JSON object. Raises AnswerError.

    Bound: linear; at most MAX_OBJECT octets.
    """
    if len(data) > MAX_OBJECT:
        raise AnswerError(f"sent more than {MAX_OBJECT} octets")
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise AnswerError("sent no JSON") from None
    if not isinstance(value, dict):
        raise AnswerError("sent JSON that is no object")
    return value


def read_directory(value: Mapping[str, Any]) -> Directory:
    """Reads a directory (section 7.1.1). Raises AnswerError.

    Bound: constant; a few members are read.
    """
    meta = value.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    return Directory(
        _url(value, "newNonce"),
        _url(value, "newAccount"),
        _url(value, "newOrder"),
        _text(meta, "termsOfService"),
        meta.get("externalAccountRequired") is True,
    )


def read_order(value: Mapping[str, Any]) -> Order:
    """Reads an order (section 7.1.3). Raises AnswerError.

    Bound: linear; at most MAX_NAMES authorizations.
    """
    urls = value.get("authorizations")
    if not isinstance(urls, list) or len(urls) > MAX_NAMES or not all(isinstance(url, str) for url in urls):
        raise AnswerError("sent an order without authorizations")
    certificate = _text(value, "certificate")
    return Order(
        _text(value, "status"), tuple(urls), _url(value, "finalize"), certificate, read_problem(value.get("error"))
    )


def read_authorization(value: Mapping[str, Any]) -> Authorization:
    """Reads an authorization (section 7.1.4). Raises AnswerError.

    Bound: linear; the first challenge http-01 counts.
    """
    identifier, challenges = value.get("identifier"), value.get("challenges")
    if not isinstance(identifier, dict) or not isinstance(challenges, list):
        raise AnswerError("sent an authorization without a name or challenges")
    status, name = _text(value, "status"), _text(identifier, "value")
    for challenge in challenges[:MAX_NAMES]:
        if isinstance(challenge, dict) and challenge.get("type") == "http-01":
            token = challenge.get("token")
            if not isinstance(token, str) or _TOKEN.fullmatch(token) is None:
                raise AnswerError("sent a challenge whose token is none")
            return Authorization(status, name, _url(challenge, "url"), token, read_problem(challenge.get("error")))
    return Authorization(status, name, "", "", None)


def read_problem(value: object) -> Problem | None:
    """Reads a problem document, with the problems of single names inside (section 6.7.1); None for something else.

    Bound: linear; at most MAX_NAMES inner ones, MAX_TEXT letters each.
    """
    if not isinstance(value, dict):
        return None
    inner = value.get("subproblems")
    parts = (
        tuple(_problem(each) for each in inner[:MAX_NAMES] if isinstance(each, dict)) if isinstance(inner, list) else ()
    )
    outer = _problem(value)
    return Problem(outer.kind, outer.detail, outer.name, parts)


def _problem(value: Mapping[str, Any]) -> Problem:
    kind, identifier = _text(value, "type"), value.get("identifier")
    name = _text(identifier, "value") if isinstance(identifier, dict) else ""
    return Problem(kind.removeprefix(_PREFIX) if kind.startswith(_PREFIX) else "", _text(value, "detail"), name)


def is_token(text: str) -> bool:
    """Whether this is a token of a challenge (section 8.3); it is the name of a file here.

    Bound: constant; 256 letters at most.
    """
    return _TOKEN.fullmatch(text) is not None


def _text(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    return text[:MAX_TEXT] if isinstance(text, str) else ""


def _url(value: Mapping[str, Any], name: str) -> str:
    url = value.get(name)
    if not isinstance(url, str) or not url.startswith("https://"):
        raise AnswerError(f"sent no URL as {name}")
    return url
