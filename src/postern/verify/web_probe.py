"""A connection of the verifier to a door of HTTP, by Python's own client, which is independent of our code.

It opens its own connections, only to the real port of a row; the TLS contexts come from `net.tls`.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import http.client
import secrets
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.request import parse_http_list, parse_keqv_list

from postern.model.security import Mechanism, Seal
from postern.verify.sasl_client import Credentials, Exchange, ntlm_exchange, ticket_exchange

TIMEOUT = 15.0
_STEPS = 5
"""Legs of the longest exchange, and a few more."""
_MAX_BODY = 1_048_576
SCHEMES: dict[Mechanism, str] = {
    Mechanism.BASIC: "Basic",
    Mechanism.DIGEST: "Digest",
    Mechanism.NTLM: "NTLM",
    Mechanism.KERBEROS: "Negotiate",
    Mechanism.NEGOTIATE: "Negotiate",
}
"""The names of mechanisms in WWW-Authenticate. RFC 7617, RFC 7616, MS-NTHT, RFC 4559."""


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its status, its challenges, the place that it redirects to ("" for none), and whether it has HSTS."""

    status: int
    challenges: tuple[str, ...]
    location: str = ""
    is_strict: bool = False
    body: bytes = b""

    @property
    def schemes(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(challenge.partition(" ")[0] for challenge in self.challenges))

    @property
    def yes(self) -> bool:
        return 200 <= self.status < 300


class WebConnection:
    """One connection of HTTP/1.1; `name` is the name of the server in Host, in TLS and in tickets."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext | None, name: str) -> None:
        self.name = name
        self._client = http.client.HTTPConnection(host, port, timeout=TIMEOUT)
        self._client.connect()
        if context is not None:
            self._client.sock = context.wrap_socket(self._client.sock, server_hostname=name)

    def ask(self, method: str, target: str, authorization: str = "", host: str = "") -> Page:
        """Asks for a page, under the connection's name or another `host`. Raises OSError, http.client.HTTPException."""
        fields = {"Host": host or self.name, **({"Authorization": authorization} if authorization else {})}
        self._client.request(method, target, headers=fields)
        answer = self._client.getresponse()
        body = answer.read(_MAX_BODY)
        challenges = tuple(answer.headers.get_all("WWW-Authenticate", ()))
        strict = "Strict-Transport-Security" in answer.headers
        return Page(answer.status, challenges, answer.headers.get("Location", ""), strict, body)

    def log_on(self, method: str, target: str, scheme: str, exchange: Exchange) -> Page:
        """Asks for a page as a caller who proves himself by this scheme, leg by leg. Returns the last answer."""
        page = self.ask(method, target, _field(scheme, exchange(b"")))
        for _ in range(_STEPS):
            token = _token(page.challenges, scheme)
            if page.status != 401 or not token:
                break
            page = self.ask(method, target, _field(scheme, exchange(token)))
        return page

    def digest(self, method: str, target: str, who: Credentials) -> Page:
        """Asks for a page as a caller who proves himself by Digest (RFC 7616 section 3.4), by each algorithm that is shown.
        Returns the first answer that refuses, else the last."""
        page = self.ask(method, target)
        shown = [challenge for challenge in page.challenges if challenge.startswith("Digest ")]
        if not shown:
            return self.ask(method, target, 'Digest username="x"')
        for number, challenge in enumerate(shown, 1):
            page = self.ask(method, target, _digest(challenge, number, method, target, who))
            if not page.yes:
                break
        return page

    def seal(self) -> Seal | None:
        sock = self._client.sock
        if not isinstance(sock, ssl.SSLSocket):
            return None
        cipher = sock.cipher()
        return Seal(sock.version() or "", cipher[0] if cipher else "")

    def close(self) -> None:
        self._client.close()


def _digest(challenge: str, number: int, method: str, target: str, who: Credentials) -> str:
    """The Authorization field that answers a challenge of Digest; `number` counts the answers to its nonce."""
    said = parse_keqv_list(parse_http_list(challenge.partition(" ")[2]))
    name = hashlib.sha256 if said.get("algorithm", "").upper() == "SHA-256" else hashlib.md5

    def hashed(*parts: str) -> str:
        return name(":".join(parts).encode()).hexdigest()

    own, count = secrets.token_hex(8), f"{number:08x}"
    secret = hashed(who.name, said.get("realm", ""), who.password)
    fields = {
        "username": who.name,
        "realm": said.get("realm", ""),
        "nonce": said.get("nonce", ""),
        "uri": target,
        "cnonce": own,
        "response": hashed(secret, said.get("nonce", ""), count, own, "auth", hashed(method, target)),
        "opaque": said.get("opaque", ""),
    }
    quoted = "".join(f', {key}="{value}"' for key, value in fields.items())
    return f"Digest algorithm={said.get('algorithm', 'MD5')}, qop=auth, nc={count}{quoted}"


def exchange_for(mechanism: Mechanism, who: Credentials, host: str, by_kerberos: bool) -> Exchange:
    """The exchange of a mechanism. Negotiate takes Kerberos if `by_kerberos`, else NTLM. Raises CannotAuthenticate."""
    if mechanism is Mechanism.BASIC:
        return lambda _: f"{who.name}:{who.password}".encode()
    if by_kerberos and mechanism is not Mechanism.NTLM:
        return ticket_exchange(who, "HTTP", host)
    return ntlm_exchange(who, host, "HTTP", bare=mechanism is Mechanism.NTLM)


def _field(scheme: str, token: bytes) -> str:
    return f"{scheme} {base64.b64encode(token).decode()}"


def _token(challenges: Iterable[str], scheme: str) -> bytes:
    """The token in the challenge of this scheme; b"" if there is none."""
    for challenge in challenges:
        name, _, encoded = challenge.partition(" ")
        if name == scheme:
            try:
                return base64.b64decode(encoded, validate=True)
            except binascii.Error:
                return b""
    return b""
