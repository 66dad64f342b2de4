"""Gets a certificate from an ACME server (RFC 8555 section 7): account, order, one challenge for each name, and the chain.

`transport` asks, `challenges` answers. An authority's errors come out as sentences that say what to do.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Protocol

from postern.protocols.acme.answers import (
    AnswerError,
    Authorization,
    Directory,
    Order,
    Problem,
    read_authorization,
    read_directory,
    read_object,
    read_order,
    read_problem,
)
from postern.protocols.acme.signing import AccountKey, base64url
from postern.protocols.http.client import Response
from postern.protocols.http.dates import parse_http_date
from postern.services.acme.transport import AcmeTransport, TransportError

BAD_NONCES = 10
"""Times that a request is sent again because its nonce was refused (section 6.5)."""
WHOLE = 180.0
"""Seconds for an order, from the directory until the chain."""
SHORTEST, LONGEST = 0.5, 10.0
"""Seconds between two looks at an order or authorization, whatever Retry-After says."""
WAIT_AT_RATE_LIMIT = 3600.0
"""Seconds until an authority is asked again that refused for its rate limits and did not say how long."""
_JOSE = (b"Content-Type", b"application/jose+json")
_CHAIN = (b"Accept", b"application/pem-certificate-chain")

_ADVICE: Mapping[str, str] = {
    "accountDoesNotExist": "delete acme.key in the state folder's certificates, and ask again",
    "badCSR": "ask for names that the authority issues for",
    "badPublicKey": "the authority takes no keys on P-256",
    "caa": "add the authority to the CAA records of the name in DNS, or remove them",
    "connection": "let port 80 of the name's address reach this server, or order for other names",
    "dns": "publish the name in DNS, with the address at which port 80 reaches this server",
    "externalAccountRequired": "give --binding and --binding-key, which the authority tells to its customers",
    "incorrectResponse": "the name's port 80 is answered by another server: let it reach this one",
    "invalidContact": "name a mail address that exists as --contact",
    "malformed": "the authority does not understand this program",
    "rateLimited": "wait; asking again does not help",
    "rejectedIdentifier": "the authority does not issue for this name: leave it out",
    "serverInternal": "ask again later",
    "unauthorized": "the name's port 80 is answered by another server: let it reach this one",
    "unsupportedContact": "name a mail address as --contact",
    "unsupportedIdentifier": "name hosts only",
    "userActionRequired": "the authority wants its new terms to be read: follow the link, then say --agree",
}
"""Next steps for an authority's errors (section 6.7)."""


class AcmeError(Exception):
    """No certificate was issued; the text says why and what to do."""


class RateLimited(AcmeError):
    """The authority has had enough of us. `seconds` must pass before it is asked again."""

    def __init__(self, text: str, seconds: float) -> None:
        super().__init__(text)
        self.seconds = seconds


class Challenges(Protocol):
    """Publishes answers to challenges on port 80."""

    def put(self, token: str, authorization: str) -> None: ...

    def remove(self, token: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Account:
    """The account to order with. `agrees` says that its owner agrees to the authority's terms; `binding` is the authority's own
    account (key id, secret), for authorities that want one."""

    key: AccountKey
    contact: str = ""
    agrees: bool = False
    binding: tuple[str, bytes] | None = None


class AcmeClient:
    """One order at an ACME server."""

    def __init__(self, transport: AcmeTransport, directory: str, account: Account, challenges: Challenges) -> None:
        self._transport = transport
        self._url = directory
        self._account = account
        self._challenges = challenges
        self._nonce = ""
        self._kid = ""

    async def order(self, names: Sequence[str], request: bytes) -> bytes:
        """Returns the chain (PEM) for a certificate signing request (DER) of these names. Raises AcmeError."""
        tokens: list[str] = []
        try:
            async with asyncio.timeout(WHOLE):
                return await self._order(names, request, tokens)
        except TimeoutError:
            raise AcmeError(
                f"the authority did not issue within {WHOLE:.0f} seconds: it is asked again later"
            ) from None
        except (AnswerError, TransportError) as error:
            subject = "the authority " if isinstance(error, AnswerError) else ""
            raise AcmeError(f"{subject}{error}") from None
        finally:
            for token in tokens:
                self._challenges.remove(token)

    async def _order(self, names: Sequence[str], request: bytes, tokens: list[str]) -> bytes:
        directory = read_directory(_object(await self._transport.exchange("GET", self._url)))
        await self._log_on(directory)
        wanted = {"identifiers": [{"type": "dns", "value": name} for name in names]}
        answer = await self._post(directory, directory.new_order, wanted)
        place, order = _location(answer), read_order(_object(answer))
        for url in order.authorizations:
            await self._authorize(directory, url, tokens)
        order = await self._settled(directory, place, order, {"pending"})
        if order.status == "ready":
            answer = await self._post(directory, order.finalize, {"csr": base64url(request)})
            order = await self._settled(directory, place, read_order(_object(answer)), {"ready", "processing"})
        if order.status != "valid" or not order.certificate:
            raise AcmeError(f"the authority did not issue: {_sentence(order.problem)}")
        return (await self._post(directory, order.certificate, None, (_CHAIN,))).body

    async def _log_on(self, directory: Directory) -> None:
        """Finds the account of the key, or makes it (section 7.3)."""
        account = self._account
        if directory.terms and not account.agrees:
            raise AcmeError(f"the authority has terms of service: read {directory.terms}, then say --agree")
        if directory.needs_binding and account.binding is None:
            raise AcmeError(f"the authority knows customers only: {_ADVICE['externalAccountRequired']}")
        payload: dict[str, Any] = {"termsOfServiceAgreed": account.agrees}
        if account.contact:
            payload["contact"] = [f"mailto:{account.contact}"]
        if account.binding is not None:
            payload["externalAccountBinding"] = account.key.bind(directory.new_account, *account.binding)
        self._kid = _location(await self._post(directory, directory.new_account, payload))

    async def _authorize(self, directory: Directory, url: str, tokens: list[str]) -> None:
        """Proves one name by HTTP-01 (section 8.3)."""
        authorization = read_authorization(_object(await self._post(directory, url, None)))
        if authorization.status == "valid":
            return
        if not authorization.token:
            raise AcmeError(f"the authority proves {authorization.name} by DNS only, and not by port 80: leave it out")
        self._challenges.put(authorization.token, self._account.key.authorization(authorization.token))
        tokens.append(authorization.token)
        await self._post(directory, authorization.url, {})
        wait = SHORTEST
        while authorization.status in ("pending", "processing"):
            await asyncio.sleep(wait)
            answer = await self._post(directory, url, None)
            authorization, wait = read_authorization(_object(answer)), _pause(answer, wait)
        if authorization.status != "valid":
            raise AcmeError(f"{authorization.name} was not proven: {_refusal(authorization)}")

    async def _settled(self, directory: Directory, place: str, order: Order, while_in: set[str]) -> Order:
        """Waits until an order leaves these states."""
        wait = SHORTEST
        while order.status in while_in:
            await asyncio.sleep(wait)
            answer = await self._post(directory, place, None)
            order, wait = read_order(_object(answer)), _pause(answer, wait)
        return order

    async def _post(
        self, directory: Directory, url: str, payload: dict[str, Any] | None, fields: Sequence[tuple[bytes, bytes]] = ()
    ) -> Response:
        """A signed request; without a payload it reads. A nonce that is refused is replaced. Raises AcmeError."""
        for _ in range(BAD_NONCES + 1):
            nonce, self._nonce = self._nonce or await self._new_nonce(directory), ""
            body = self._account.key.sign(url, nonce, payload, self._kid)
            answer = await self._transport.exchange("POST", url, body, (_JOSE, *fields))
            self._nonce = answer.field(b"replay-nonce").decode("latin-1")
            if answer.status < HTTPStatus.BAD_REQUEST:
                return answer
            problem = _problem(answer)
            if problem is None or problem.kind != "badNonce":
                break
        if problem is not None and problem.kind == "rateLimited":
            raise RateLimited(
                f"the authority refused: {_sentence(problem)}", _retry_after(answer) or WAIT_AT_RATE_LIMIT
            )
        raise AcmeError(f"the authority refused: {_sentence(problem, answer.status)}")

    async def _new_nonce(self, directory: Directory) -> str:
        answer = await self._transport.exchange("GET", directory.new_nonce)
        nonce = answer.field(b"replay-nonce").decode("latin-1")
        if not nonce:
            raise AcmeError("the authority gave no nonce: is this the URL of an ACME directory?")
        return nonce


def _object(answer: Response) -> Mapping[str, Any]:
    if answer.status >= HTTPStatus.MULTIPLE_CHOICES:
        raise AcmeError(f"the authority answered {answer.status}: is this the URL of an ACME directory?")
    return read_object(answer.body)


def _problem(answer: Response) -> Problem | None:
    try:
        return read_problem(read_object(answer.body))
    except AnswerError:
        return None


def _location(answer: Response) -> str:
    return answer.field(b"location").decode("latin-1")


def _pause(answer: Response, before: float) -> float:
    """The seconds until the next look: what the authority says, else longer each time."""
    return min(max(_retry_after(answer) or before * 1.5, SHORTEST), LONGEST)


def _retry_after(answer: Response) -> float:
    """Retry-After (RFC 9110 section 10.2.3) in seconds; 0 without one."""
    value = answer.field(b"retry-after")
    if value.isdigit() and len(value) < 10:
        return float(value)
    moment = parse_http_date(value)
    return max(0.0, moment - time.time()) if moment is not None else 0.0


def _refusal(authorization: Authorization) -> str:
    return _sentence(authorization.problem) if authorization.problem is not None else f"it is {authorization.status}"


def _sentence(problem: Problem | None, status: int = 0) -> str:
    """An authority's reason, and what to do about it."""
    if problem is None:
        return f"it gave no reason (status {status})" if status else "it gave no reason"
    told = [problem, *problem.parts]
    reasons = "; ".join(f"{each.name}: {each.detail}" if each.name else each.detail or each.kind for each in told)
    advice = next((_ADVICE[each.kind] for each in reversed(told) if each.kind in _ADVICE), "")
    return f"{reasons} ({advice})" if advice else reasons
