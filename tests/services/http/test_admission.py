"""Callers prove themselves to the door, by clients that nobody here wrote: httpx and curl, by Basic, NTLM and Negotiate."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import importlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import spnego
from spnego.channel_bindings import GssChannelBindings
from structlog.testing import capture_logs

from postern.model.organization import Profile
from postern.model.security import Encryption, Mechanism
from postern.paths.row import Party
from postern.paths.table import settle
from postern.services.http.admission import MAX_CREDENTIALS, MAX_FAILURES, passes_clear
from postern.services.http.site import Receive, Scope, Send
from postern.telemetry.metrics import METRICS, Metric
from postern.trust.host import HostCredentials
from tests.services.http.doors import ANONYMOUS, ROW, ROWS, WebDoor, hello, read_answer
from tests.support.waiting import until
from tests.trust import kdc

OFFERED = ['Basic realm="mail", charset="UTF-8"', "Negotiate", "NTLM"]
WRAPPED = spnego.NegotiateOptions.use_negotiate | spnego.NegotiateOptions.use_ntlm
ALICE, MALLORY = ("alice", "wonderland"), ("alice", "guess")


def refusals(reason: str) -> float:
    return METRICS.values.get((Metric.REFUSALS, ("autodiscover", reason)), 0)


def test_nobody_hears_what_the_row_lists_and_anybody_is_let_in_where_it_says_so() -> None:
    async def run() -> None:
        door = WebDoor()
        routes = (
            door.route("/a/"),
            door.route("/open/", rows=[ANONYMOUS]),
            door.route("/both/", rows=[ROW, ANONYMOUS]),
        )
        async with door.opened(*routes), door.client(auth=None) as client:
            response = await client.get("/a/")
            assert (response.status_code, response.headers.get_list("www-authenticate")) == (401, OFFERED)
            assert (await client.get("/open/")).text == " Anonymous autodiscover /open/ "
            assert (await client.get("/open/", auth=MALLORY)).status_code == 200, "nobody is asked there"
            assert (await client.get("/both/")).text.startswith(" Anonymous")
            assert (await client.get("/both/", auth=ALICE)).text.startswith("alice@example.test Basic")
            assert (await client.get("/both/", auth=MALLORY)).status_code == 401

    asyncio.run(run())


def test_basic_is_verified_once_a_connection_and_credential() -> None:
    async def run() -> None:
        door = WebDoor()
        door.people.add("bob@example.test", "builder")
        async with door.opened(), door.client() as client:
            with capture_logs() as lines:
                assert (await client.get("/")).status_code == 200
                asked = door.people.asked
                for _ in range(20):
                    assert (await client.get("/")).text.startswith("alice@example.test Basic")
                assert door.people.asked == asked
                assert (await client.get("/", auth=("bob", "builder"))).text.startswith("bob@example.test")
                assert (await client.get("/", auth=("bob", "wonderland"))).status_code == 401
                assert (await client.get("/")).text.startswith("alice@example.test Basic")
                assert (await client.get("/", auth=None)).status_code == 401, "each request says it again"
            assert [line["name"] for line in lines if line["event"] == "authenticated"] == [
                "alice@example.test",
                "bob@example.test",
            ]
            link = next(iter(door.doors[0].links))
            admission: Any = link.session
            assert b"wonderland" not in repr(vars(admission._admission)).encode()
        assert {(path, mechanism, seal) for path, _, mechanism, seal, _ in door.observed._counts} == {
            ("autodiscover", "Basic", "TLSv1.3")
        }

    asyncio.run(run())


def test_a_connection_has_chances_enough() -> None:
    async def run() -> None:
        door = WebDoor()
        for number in range(MAX_CREDENTIALS):
            door.people.add(f"user{number}@example.test", "secret")
        async with door.opened():
            before = refusals("authentication-failed")
            async with door.client(auth=None) as client:
                for number in range(MAX_FAILURES):
                    response = await client.get("/", auth=(f"nobody{number}", "x"))
                    assert response.status_code == 401
                    assert ("connection" in response.headers) == (number == MAX_FAILURES - 1)
            assert refusals("authentication-failed") == before + MAX_FAILURES
            async with door.client(auth=None) as client:
                for number in range(MAX_CREDENTIALS):
                    assert (await client.get("/", auth=(f"user{number}", "secret"))).status_code == 200
            await until(lambda: not door.doors[0].links)

    asyncio.run(run())


def test_a_directory_that_is_away_is_503() -> None:
    async def run() -> None:
        door = WebDoor()
        async with door.opened(), door.client() as client:
            door.people.away = True
            response = await client.get("/")
            assert response.status_code == 503 and "retry-after" in response.headers
            assert "www-authenticate" not in response.headers

    asyncio.run(run())


def test_a_caller_that_no_row_admits_is_refused() -> None:
    """A server on a row of clients, and a user on a row of servers."""

    async def run() -> None:
        door = WebDoor()
        door.people.add("CAS1$", "machine", is_server=True)
        row = replace(ROW, caller=(Party.CLIENT_ACCESS,))
        async with door.opened(door.route("/a/"), door.route("/servers/", rows=[row])), door.client() as client:
            with capture_logs() as lines:
                assert (await client.get("/servers/")).status_code == 403
                assert (await client.get("/a/", auth=("CAS1$", "machine"))).status_code == 403
            assert [line["event"] for line in lines].count("refused") == 2
            assert refusals("authentication-required") >= 2

    asyncio.run(run())


def test_a_page_of_another_site_changes_nothing_here() -> None:
    """A browser sends the user's credentials with it by itself. Thunderbird names our own origin, other programs none."""

    async def run() -> None:
        door = WebDoor()
        async with door.opened(), door.client() as client:
            own = f"https://localhost:{door.port}"
            for origin, status in ((own, 200), ("https://evil.test", 403), ("null", 403), (own + ".evil.test", 403)):
                assert (await client.post("/", headers={"Origin": origin})).status_code == status, origin
                assert (await client.get("/", headers={"Origin": origin})).status_code == 200
            assert refusals("another-site") >= 3

    asyncio.run(run())


def test_a_route_that_wants_another_proof_says_so() -> None:
    async def run() -> None:
        door = WebDoor()
        only = replace(ROW, supported_auth=(Mechanism.NTLM,))
        async with door.opened(door.route("/a/"), door.route("/ntlm/", rows=[only])), door.client() as client:
            assert (await client.get("/a/")).status_code == 200
            response = await client.get("/ntlm/")
            assert (response.status_code, response.headers.get_list("www-authenticate")) == (401, ["NTLM"])
            assert await log_on(door, client, "ntlm", "/ntlm/") == 200
            assert (await client.get("/a/", auth=None)).status_code == 200, "it lists NTLM too"

    asyncio.run(run())


def test_a_row_that_lets_clear_text_pass_asks_there() -> None:
    row = replace(ROW, encryption=Encryption.OFFERED)

    async def run() -> None:
        door = WebDoor()
        async with door.opened(door.route(rows=[row])), door.in_clear() as client:
            response = await client.get("/")
            assert response.status_code == 401
            assert response.headers.get_list("www-authenticate") == ["Negotiate", "NTLM"], "no password in clear text"
            assert (await client.get("/", auth=ALICE)).status_code == 401
            assert passes_clear(door.access.site.routes[0].guard)

    asyncio.run(run())


@pytest.mark.parametrize("profile", list(Profile))
def test_every_row_of_the_web_decides_its_challenges(profile: Profile) -> None:
    rows = settle(profile)
    web = [row for row in rows.values() if Party.CLIENT in row.caller and any(port.number == 443 for port in row.ports)]
    assert len(web) >= 8

    async def run() -> None:
        door = WebDoor()
        routes = [door.route(f"/{row.id}/", rows=[row]) for row in web]
        async with door.opened(*routes), door.client(auth=None) as client:
            for row in web:
                shown = [
                    field.split()[0] for field in (await client.get(f"/{row.id}/")).headers.get_list("www-authenticate")
                ]
                named = {mechanism.value for mechanism in row.supported_auth}
                named |= {"Negotiate"} if "NTLM" in named and "Kerberos" in named else set()
                assert set(shown) <= named, row.id
                assert ("Basic" in shown) == (Mechanism.BASIC in row.supported_auth), row.id
                assert ("NTLM" in shown) == (Mechanism.NTLM in row.supported_auth), row.id

    asyncio.run(run())


# The end of a proof


def test_a_password_that_is_changed_ends_the_connection() -> None:
    async def run() -> None:
        door = WebDoor()
        async with door.opened(), door.client() as before, door.client() as client:
            assert (await before.get("/")).status_code == 200
            door.people.set("alice@example.test", "new password")
            for _ in range(2):
                await door.authenticator.reauthorization.round()
            with contextlib.suppress(httpx.TransportError):  # a client that saw the end makes another connection
                assert (await before.get("/")).status_code == 401
            assert (await client.get("/")).status_code == 401
            assert (await client.get("/", auth=("alice", "new password"))).status_code == 200

    asyncio.run(run())


def test_a_request_under_way_is_answered_and_is_the_last() -> None:
    gate = asyncio.Event()

    async def wait(scope: Scope, receive: Receive, send: Send) -> None:
        await gate.wait()
        await hello(scope, receive, send)

    async def run() -> None:
        door = WebDoor()
        credentials = base64.b64encode(b"alice:wonderland")
        request = b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic " + credentials + b"\r\n\r\n"
        async with door.opened(door.route("/", wait)), door.dialled() as (reader, writer):
            writer.write(request * 2)
            await until(lambda: bool(door.observed._counts))
            door.people.set("alice@example.test", enabled=False)
            for _ in range(2):
                await door.authenticator.reauthorization.round()
            gate.set()
            answered = await reader.read()
            assert answered.count(b"HTTP/1.1 200") == 1 and answered.count(b"HTTP/1.1") == 1

    asyncio.run(run())


def test_an_answer_that_does_not_end_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postern.services.conversation.REVOKED_AFTER", 0.1)

    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        while True:
            await send({"type": "http.response.body", "body": b"x" * 1000, "more_body": True})
            await asyncio.sleep(0.001)

    async def run() -> None:
        door = WebDoor()
        async with door.opened(door.route("/", stream)), door.client() as client:
            with pytest.raises(httpx.TransportError):
                async with client.stream("GET", "/") as response:
                    door.people.set("alice@example.test", enabled=False)
                    for _ in range(2):
                        await door.authenticator.reauthorization.round()
                    async for _ in response.aiter_raw():
                        pass
            await until(lambda: not door.doors[0].links)

    asyncio.run(run())


# NTLM and Negotiate


async def log_on(
    door: WebDoor, client: httpx.AsyncClient, protocol: str, path: str = "/", binding: bytes | None = None
) -> int:
    """Logs on by pyspnego, bound to the door's certificate; returns the last status."""
    caller: Any = spnego.client(
        "alice@example.test",
        "wonderland",
        "localhost",
        "http",
        protocol=protocol,
        options=WRAPPED if protocol == "negotiate" else spnego.NegotiateOptions.use_ntlm,
        channel_bindings=GssChannelBindings(application_data=door.tls.end_point if binding is None else binding),
    )
    scheme = "NTLM" if protocol == "ntlm" else "Negotiate"
    token, status = caller.step(), 0
    while token is not None:
        field = f"{scheme} {base64.b64encode(token).decode()}"
        response = await client.get(path, auth=None, headers={"Authorization": field})
        status = response.status_code
        shown = response.headers.get("www-authenticate", "").partition(f"{scheme} ")[2]
        if not shown or caller.complete:
            break
        token = caller.step(base64.b64decode(shown.split(",")[0]))
    return status


@pytest.mark.parametrize("protocol", ["ntlm", "negotiate"])
def test_a_connection_is_proven_and_bound_to_its_channel(protocol: str) -> None:
    async def run() -> None:
        door = WebDoor()
        async with door.opened():
            async with door.client(auth=None) as client:
                assert await log_on(door, client, protocol) == 200
                body = b"x" * 500_000
                response = await client.post("/", content=body)
                assert response.text.startswith("alice@example.test NTLM autodiscover") and response.status_code == 200
                assert (await client.get("/", auth=MALLORY)).status_code == 401
                assert (await client.get("/")).status_code == 401, "credentials of its own end what was proven"
                assert await log_on(door, client, protocol) == 200
                assert await log_on(door, client, protocol) == 200
                assert len(door.authenticator.reauthorization._all) == 1, "the former proof is not watched any more"
            async with door.client(auth=None) as client:
                assert await log_on(door, client, protocol, binding=b"tls-server-end-point:" + bytes(32)) == 401
                assert (await client.get("/")).status_code == 401
            await until(lambda: not door.authenticator.reauthorization._all)

    asyncio.run(run())


@pytest.mark.parametrize("expects", [False, True])
def test_a_body_that_comes_with_every_leg_does_not_end_the_connection(expects: bool) -> None:
    """As clients do that know no better: the body is read and thrown away until the caller is proven."""

    async def run() -> None:
        door = WebDoor()
        body = b"x" * 600_000
        caller: Any = spnego.client(
            *("alice@example.test", "wonderland", "localhost", "http"),
            protocol="ntlm",
            options=spnego.NegotiateOptions.use_ntlm,
        )
        async with door.opened(), door.dialled() as (reader, writer):
            token = caller.step()
            for expected in (401, 200):
                field = b"Authorization: NTLM " + base64.b64encode(token) + b"\r\n"
                if expects:
                    field += b"Expect: 100-continue\r\n"
                writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 600000\r\n" + field + b"\r\n")
                if expects:
                    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
                writer.write(body)
                code, fields, told = await read_answer(reader)
                assert code == expected
                if expected == 401:
                    token = caller.step(base64.b64decode(fields[b"www-authenticate"].partition(b" ")[2]))
            assert told.endswith(body)

    asyncio.run(run())


def curl(
    door: WebDoor, folder: Path, *options: str, path: str = "page", environment: Mapping[str, str] | None = None
) -> str:
    """Runs curl; returns what it wrote, and the status behind a blank."""
    authority = folder / "authority.pem"
    door.authority.cert_pem.write_to_path(str(authority))
    url = f"https://localhost:{door.port}/{path}"
    ran = subprocess.run(
        ["curl", "-sS", "--max-time", "20", "--cacert", str(authority), "-w", " %{http_code}", *options, url],
        capture_output=True,
        text=True,
        env=environment,
        timeout=30,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="no curl")


@needs_curl
@pytest.mark.slow
def test_curl_by_basic_and_ntlm(tmp_path: Path) -> None:
    async def run() -> None:
        door = WebDoor()
        upload = tmp_path / "upload"
        upload.write_bytes(b"y" * 700_000)
        routes = (door.route(body=1_000_000), door.route("/any/", rows=[ROWS["outlook-anywhere"]], body=1_000_000))
        async with door.opened(*routes):

            async def by(*options: str) -> str:
                # curl takes Negotiate where there is one, and without a ticket does not go on to NTLM.
                path = "any/" if "--anyauth" in options else "page"
                return await asyncio.to_thread(curl, door, tmp_path, *options, path=path)

            for how in ("--basic", "--ntlm", "--anyauth"):
                told = await by(how, "-u", "alice:wonderland")
                assert told.startswith("alice@example.test ") and told.endswith(" 200"), how
                assert (await by(how, "-u", "alice:guess")).endswith(" 401")
                sent = await by(how, "-u", "alice:wonderland", "-T", str(upload))
                assert sent.count("y") >= 700_000 and sent.endswith(" 200"), how
            assert "NTLM" in await by("--anyauth", "-u", "alice:wonderland")
            assert (await by("--basic", "-u", "alice:wonderland", "--compressed", "-I")).endswith(" 200")
            assert "alice" in await by("--http1.0", "--basic", "-u", "alice:wonderland")
            assert "alice" in await by("--http2", "--basic", "-u", "alice:wonderland"), "by ALPN it comes to HTTP/1.1"

    asyncio.run(run())


@pytest.fixture(scope="module")
def realm() -> Iterator[kdc.Kdc]:
    pytest.importorskip("gssapi")
    with kdc.running_kdc() as running, pytest.MonkeyPatch.context() as patch:
        running.add_user("alice", "wonderland")
        running.join(patch, running.kinit("alice", "wonderland"))
        yield running


@needs_curl
@pytest.mark.slow
@pytest.mark.skipif(not kdc.installed(), reason="no MIT KDC (package krb5-kdc)")
def test_curl_by_negotiate(realm: kdc.Kdc, tmp_path: Path) -> None:
    keytab = realm.add_service("HTTP/localhost")
    importlib.import_module("gssapi")

    async def run() -> None:
        door = WebDoor(host=HostCredentials("mail", "example.test", "", realm.realm, str(keytab)))
        async with door.opened():
            ticket = ("--negotiate", "-u", ":")
            environment = dict(os.environ)
            told = await asyncio.to_thread(lambda: curl(door, tmp_path, *ticket, environment=environment))
            assert told.startswith("alice@example.test Kerberos autodiscover /page") and told.endswith(" 200")
            none = {**environment, "KRB5CCNAME": f"FILE:{tmp_path}/none"}
            assert (await asyncio.to_thread(lambda: curl(door, tmp_path, *ticket, environment=none))).endswith(" 401")

    asyncio.run(run())
