"""Certificates from Pebble, which nobody here wrote, and the refusals of an authority as sentences that say what to do.

covers: services.acme.challenges, services.acme.door, services.acme.transport
"""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from postern.host.own_certificate import signing_request
from postern.net.dns import Resolver
from postern.net.door import Door
from postern.paths.guard import Guard
from postern.paths.table import TABLE
from postern.protocols.acme.signing import AccountKey
from postern.protocols.http.client import Response
from postern.services.acme.challenges import ChallengeFiles, challenge_route
from postern.services.acme.client import Account, AcmeClient, AcmeError, RateLimited
from postern.services.acme.door import ChallengeAccess, ChallengeSession
from postern.services.acme.transport import AcmeTransport, TransportError
from postern.telemetry.observed import Observed
from postern.trust.certificates.chains import names_in
from tests.pebble import Pebble, pebble, quick_looks
from tests.support.ports import free_port

__all__ = ["quick_looks"]
ROW, CHALLENGE = TABLE["acme"], TABLE["acme-challenge"]
KEY = AccountKey(ec.generate_private_key(ec.SECP256R1()))
NAMES = ("mail.example.test", "example.test")


@pytest.fixture(scope="module")
def http_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def server(http_port: int) -> Iterator[Pebble]:
    """It refuses every other nonce, and issues for one name not at all."""
    with pebble(http_port, settings={"PEBBLE_WFE_NONCEREJECT": "30"}, domainBlocklist=["blocked.test"]) as running:
        yield running


def transport(server: Pebble, private: bool = True, authorities: Path | None = None) -> AcmeTransport:
    resolver = Resolver(TABLE["any-server-to-dns"], (f"127.0.0.1:{server.names}",))
    return AcmeTransport(ROW, resolver, Observed(None), authorities or server.authorities, private)


async def ordered(
    server: Pebble, folder: Path, http_port: int, names: Sequence[str] = NAMES, account: Account | None = None
) -> bytes:
    """Orders a certificate while a door answers challenges at `http_port` (0: none does)."""
    files = ChallengeFiles(folder)
    access = ChallengeAccess(Guard([CHALLENGE], frozenset()), files, Observed(None))
    door = Door([CHALLENGE], CHALLENGE.port(80), partial(ChallengeSession, access), None)
    if http_port:
        await door.open("127.0.0.1", http_port)
    client = AcmeClient(transport(server), server.directory, account or Account(KEY, "a@example.test", True), files)
    request = signing_request(ec.generate_private_key(ec.SECP256R1()), names)
    try:
        return await client.order(names, request.public_bytes(Encoding.DER))
    finally:
        await door.close()
        assert list((folder / "acme-challenges").glob("*")) == [], "no answer stays"


@pytest.mark.usefixtures("quick_looks")
def test_pebble_issues_through_our_door_though_it_refuses_nonces(
    server: Pebble, tmp_path: Path, http_port: int
) -> None:
    async def work() -> None:
        for _ in range(2):  # the second time, the account is known
            leaf, *others = x509.load_pem_x509_certificates(await ordered(server, tmp_path, http_port))
            assert set(names_in(leaf)) == set(NAMES) and others

    asyncio.run(asyncio.wait_for(work(), 60))


@pytest.mark.parametrize(
    ("names", "account", "says"),
    [
        (("blocked.test",), Account(KEY, "", True), "leave it out"),
        (("nowhere.example.test",), Account(KEY, "", True), r"nowhere\.example\.test was not proven"),
        (NAMES, Account(KEY, "", False), "terms of service: read data:.*, then say --agree"),
    ],
)
def test_refusals_say_what_to_do(
    server: Pebble, tmp_path: Path, http_port: int, names: Sequence[str], account: Account, says: str
) -> None:
    with pytest.raises(AcmeError, match=says):
        asyncio.run(asyncio.wait_for(ordered(server, tmp_path, http_port, names, account), 60))


def test_a_port_80_that_nobody_answers_is_said(server: Pebble, tmp_path: Path) -> None:
    with pytest.raises(AcmeError, match="let port 80 of the name's address reach this server"):
        asyncio.run(asyncio.wait_for(ordered(server, tmp_path, 0), 60))


def test_an_answer_of_another_server_is_said(server: Pebble, tmp_path: Path, http_port: int) -> None:
    other = Account(AccountKey(ec.generate_private_key(ec.SECP256R1())), "", True)
    other.key.authorization = lambda token: f"{token}.of-another"  # type: ignore[method-assign]  # what another server answers
    with pytest.raises(AcmeError, match="answered by another server: let it reach this one"):
        asyncio.run(asyncio.wait_for(ordered(server, tmp_path, http_port, NAMES, other), 60))


@pytest.mark.usefixtures("quick_looks")
def test_an_authority_that_binds_accounts_is_given_the_binding(tmp_path: Path) -> None:
    port = free_port()
    secret = bytes(range(48))
    keys = {"kid-1": base64.urlsafe_b64encode(secret).decode()}
    with pebble(port, externalAccountBindingRequired=True, externalAccountMACKeys=keys) as server:
        with pytest.raises(AcmeError, match="give --binding"):
            asyncio.run(ordered(server, tmp_path, port, NAMES, Account(KEY, "", True)))
        pem = asyncio.run(ordered(server, tmp_path, port, NAMES, Account(KEY, "", True, ("kid-1", secret))))
    assert names_in(x509.load_pem_x509_certificate(pem))


# The way there


def refused(server: Pebble, url: str, **given: Any) -> str:
    async def work() -> None:
        await transport(server, **given).exchange("GET", url)

    with pytest.raises(TransportError) as raised:
        asyncio.run(work())
    return str(raised.value)


def test_only_public_addresses_are_dialled_unless_it_is_said(server: Pebble) -> None:
    assert "has no public address (127.0.0.1)" in refused(server, "https://127.0.0.1/dir", private=False)
    assert "the row acme has port 443 only" in refused(server, server.directory, private=False)
    assert "has no public address" in refused(server, "https://mail.example.test/", private=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/dir",
        "ftp://x/",
        "https://",
        "https://x y/",
        "https://u:p@127.0.0.1/",
        "https://127.0.0.1:x/",
        "https://회사.test/",
    ],
)
def test_only_https_urls_are_dialled(server: Pebble, url: str) -> None:
    assert "is no https URL" in refused(server, url)


def test_the_authoritys_server_is_validated(server: Pebble, tmp_path: Path) -> None:
    trustme.CA().cert_pem.write_to_path(tmp_path / "other.pem")
    said = refused(server, server.directory, authorities=tmp_path / "other.pem")
    assert "the certificate of 127.0.0.1 is not valid here" in said and "--authorities" in said
    (tmp_path / "none.pem").write_text("hello")
    assert "has no authorities" in refused(server, server.directory, authorities=tmp_path / "none.pem")


def test_a_name_without_address_and_a_port_without_listener_are_said(server: Pebble) -> None:
    assert "nowhere.example.test" in refused(server, "https://nowhere.example.test/")
    assert "127.0.0.1" in refused(server, f"https://127.0.0.1:{free_port()}/")


# An authority that answers oddly


class Scripted:
    """Answers in place of an authority: an answer for each URL, the last one again and again."""

    def __init__(self, answers: dict[str, list[Response]]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def exchange(
        self, method: str, url: str, body: bytes = b"", fields: Sequence[tuple[bytes, bytes]] = ()
    ) -> Response:
        self.asked.append(url)
        answers = self.answers[url]
        return answers.pop(0) if len(answers) > 1 else answers[0]


def answer(value: Any, status: int = 200, **fields: str) -> Response:
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    named = [(name.replace("_", "-").encode(), text.encode()) for name, text in fields.items()]
    return Response(status, (*named, (b"replay-nonce", b"a-nonce")), body)


URLS = {name: f"https://a.test/{name}" for name in ("newNonce", "newAccount", "newOrder")}
FIRST = {
    "https://a.test/": [answer(URLS)],
    URLS["newNonce"]: [answer(b"", 204)],
    URLS["newAccount"]: [answer({}, 201, location="https://a.test/me")],
}


def problem(kind: str, detail: str = "no", status: int = 400, **fields: str) -> Response:
    return answer({"type": f"urn:ietf:params:acme:error:{kind}", "detail": detail}, status, **fields)


def scripted(tmp_path: Path, *orders: Response) -> Scripted:
    return Scripted({**FIRST, URLS["newOrder"]: list(orders)})


def outcome(answers: Scripted, tmp_path: Path) -> AcmeError:
    client = AcmeClient(answers, "https://a.test/", Account(KEY), ChallengeFiles(tmp_path))  # type: ignore[arg-type]  # its only method
    with pytest.raises(AcmeError) as raised:
        asyncio.run(asyncio.wait_for(client.order(NAMES, b""), 20))
    return raised.value


@pytest.mark.parametrize(
    ("after", "seconds"), [({"retry_after": "7200"}, 7200.0), ({}, 3600.0), ({"retry_after": "soon"}, 3600.0)]
)
def test_a_rate_limit_says_how_long_to_wait(tmp_path: Path, after: dict[str, str], seconds: float) -> None:
    error = outcome(scripted(tmp_path, problem("rateLimited", "too many", 429, **after)), tmp_path)
    assert isinstance(error, RateLimited) and error.seconds == seconds
    assert str(error) == "the authority refused: too many (wait; asking again does not help)"


def test_a_nonce_that_is_never_good_is_not_tried_for_ever(tmp_path: Path) -> None:
    answers = scripted(tmp_path, problem("badNonce"))
    assert "the authority refused" in str(outcome(answers, tmp_path))
    assert answers.asked.count(URLS["newOrder"]) == 11


@pytest.mark.parametrize(
    ("order", "says"),
    [
        (answer(b"<html>", 200), "the authority sent no JSON"),
        (answer([], 200), "the authority sent JSON that is no object"),
        (answer({"status": "pending", "finalize": "https://a.test/f"}), "sent an order without authorizations"),
        (answer({"authorizations": [], "status": "ready", "finalize": "http://a.test/f"}), "sent no URL as finalize"),
        (answer(b"", 503), "it gave no reason (status 503)"),
        (
            answer(
                {"status": "invalid", "authorizations": [], "finalize": "https://a.test/f", "error": {"detail": "odd"}}
            ),
            "the authority did not issue: odd",
        ),
    ],
)
def test_what_is_no_answer_of_acme_is_said(tmp_path: Path, order: Response, says: str) -> None:
    assert says in str(outcome(scripted(tmp_path, order), tmp_path))


def test_a_directory_that_is_none_is_said(tmp_path: Path) -> None:
    answers = Scripted({"https://a.test/": [answer(b"hello", 404)]})
    assert "answered 404: is this the URL of an ACME directory?" in str(outcome(answers, tmp_path))


def test_an_order_that_never_settles_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postern.services.acme.client.WHOLE", 0.2)
    order = answer(
        {"status": "pending", "authorizations": [], "finalize": "https://a.test/f"}, 201, location=URLS["newOrder"]
    )
    assert "did not issue within" in str(outcome(scripted(tmp_path, order), tmp_path))


# The answers to challenges


def test_answers_are_files_and_nothing_else_is_given_out(tmp_path: Path) -> None:
    files, token = ChallengeFiles(tmp_path), "t" * 43
    assert files.get(token) is None
    files.put(token, f"{token}.thumb")
    assert files.get(token) == f"{token}.thumb".encode()
    (tmp_path / "server.key").write_text("secret")
    for foreign in ("../server.key", "..%2fserver.key", "", ".", "x" * 300, f"{token}/", "T" * 43):
        assert files.get(foreign) is None
    (tmp_path / "acme-challenges" / ("l" * 43)).symlink_to(tmp_path / "server.key")
    assert files.get("l" * 43) is None
    (tmp_path / "acme-challenges" / ("s" * 43)).write_text("two\nlines")
    assert files.get("s" * 43) is None
    files.remove(token)
    files.remove(token)
    assert files.get(token) is None


def test_the_application_answers_like_the_door(tmp_path: Path) -> None:
    files, token = ChallengeFiles(tmp_path), "t" * 43
    files.put(token, f"{token}.thumb")
    route = challenge_route(Guard([CHALLENGE], frozenset()), tmp_path)

    async def work() -> None:
        ways = httpx.ASGITransport(route.application)  # type: ignore[arg-type]  # httpx's own names for the same
        async with httpx.AsyncClient(transport=ways, base_url="http://mail.example.test") as client:
            right = await client.get(route.prefix + token)
            assert (right.status_code, right.text) == (200, f"{token}.thumb")
            assert (await client.get(route.prefix + "x" * 43)).status_code == 404

    asyncio.run(work())


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (b"GET /.well-known/acme-challenge/" + b"t" * 43, b"200"),
        (b"HEAD /.well-known/acme-challenge/" + b"t" * 43, b"200"),
        (b"GET /.well-known/acme-challenge/" + b"T" * 43, b"404"),
        (b"GET /.well-known/acme-challenge/../../server.key", b"404"),
        (b"GET /", b"404"),
        (b"POST /.well-known/acme-challenge/" + b"t" * 43, b"405"),
        (b"hello", b"400"),
    ],
)
def test_the_door_gives_out_answers_alone(tmp_path: Path, http_port: int, line: bytes, status: bytes) -> None:
    async def work() -> bytes:
        files = ChallengeFiles(tmp_path)
        files.put("t" * 43, "t" * 43 + ".thumb")
        access = ChallengeAccess(Guard([CHALLENGE], frozenset()), files, Observed(None))
        door = Door([CHALLENGE], CHALLENGE.port(80), partial(ChallengeSession, access), None)
        await door.open("127.0.0.1", http_port)
        reader, writer = await asyncio.open_connection("127.0.0.1", http_port)
        writer.write(line + (b" HTTP/1.1\r\nHost: x\r\n\r\n" if b"/" in line else b"\r\n\r\n"))
        said = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        await door.close()
        return said

    said = asyncio.run(work())
    assert said.split(b" ")[1] == status, said
    assert said.endswith(b".thumb") is (line.startswith(b"GET") and status == b"200")
