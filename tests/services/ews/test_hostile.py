"""Hostile XML: what is no request gets a fault; nothing is fetched, and nothing is repeated."""

from __future__ import annotations

import asyncio

import httpx
import pytest

from postern.model.security import Identity, Mechanism, Peer, PrincipalKind, Seal
from postern.services.http.site import Caller, Receive, Scope, Send
from tests.services.dav.site import ALICE, guid_of
from tests.services.ews.site import NAMES, PATH, ROW, EwsSite, envelope

_ENTITIES = "".join([f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)])
_ATTRIBUTES = "".join([f' a{n}=""' for n in range(250_000)])
_NAMESPACES = "".join([f' xmlns:a{n}="b"' for n in range(250_000)])
_START = f'<s:Envelope xmlns:s="{NAMES["s"]}" xmlns:m="{NAMES["m"]}" xmlns:t="{NAMES["t"]}"><s:Body>'
_END = "</s:Body></s:Envelope>"


def around(inner: str) -> bytes:
    return f"{_START}{inner}{_END}".encode()


async def post(site: EwsSite, octets: bytes, kind: str = "text/xml; charset=utf-8") -> httpx.Response:
    identity = Identity(PrincipalKind.USER, ALICE, Mechanism.NTLM, guid_of(ALICE))
    caller = Caller(identity, ROW, Peer("192.0.2.1", 40_000), Seal("TLSv1.3", "TLS_AES_128_GCM_SHA256"))

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await site.application({**scope, "extensions": {"postern": caller}}, receive, send)

    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="https://mail.example.test") as client:
        return await client.post(PATH, content=octets, headers={"content-type": kind})


@pytest.mark.parametrize(
    "octets",
    [
        b"",
        b"\0",
        b"<",
        b"GET / HTTP/1.1\r\n\r\n",
        b'<?xml version="1.0" encoding="utf-32"?><a/>',
        b'<!DOCTYPE a SYSTEM "http://192.0.2.1/a.dtd"><a/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + around("<m:GetItem>&x;</m:GetItem>"),
        f'<!DOCTYPE a [<!ENTITY a0 "ha">{_ENTITIES}]>'.encode() + around("<m:GetItem>&a9;</m:GetItem>"),
        around("<m:GetItem>&unknown;</m:GetItem>"),
        around("<m:GetItem>" * 100_000),
        around(f"<m:GetItem>{'<t:x>' * 10_000}{'</t:x>' * 10_000}</m:GetItem>"),
        around(f"<m:GetItem>{'<t:x/>' * 300_000}</m:GetItem>"),
        around(f"<m:GetItem{_ATTRIBUTES}/>"),
        around(f"<m:GetItem{_NAMESPACES}/>"),
        around(f'<m:GetItem a="{"x" * 1_000_000}"/>'),
        around("<m:GetItem/><m:GetItem/>"),
        around("<x:GetItem/>"),
        around("<m:GetItem></m:FindItem>"),
        around("<m:GetItem>")[:-5],
        around("<m:GetItem xmlns:m='urn:other'/>"),
        b"\xff\xfe" + around("<m:GetItem/>").decode().encode("utf-16-le")[:-3],
    ],
    ids=range(21),
)
def test_what_is_no_request_gets_a_fault(octets: bytes) -> None:
    async def steps() -> None:
        response = await post(EwsSite(), octets)
        assert response.status_code == 500 and "<e:ResponseCode" in response.text
        assert "ErrorSchemaValidation" in response.text and len(response.content) < 2_000
        assert "root:" not in response.text and "haha" not in response.text

    asyncio.run(steps())


@pytest.mark.parametrize(
    "name", ["\u202eGetItem", "GetItem" * 1_000, "__class__", "GetItemResponse", "getitem", "GetItemRequest"]
)
def test_an_operation_that_is_not_there_is_named_in_the_fault_by_no_more_than_its_beginning(name: str) -> None:
    async def steps() -> None:
        response = await post(EwsSite(), envelope(f"<m:{name}/>"))
        assert response.status_code == 500 and "ErrorSchemaValidation" in response.text
        assert len(response.text) < 2_000

    asyncio.run(steps())
