"""Hashes for Digest in memory, and the answers of a client that nobody here wrote (httpx)."""

from __future__ import annotations

import httpx

from postern.model.directory import Account, DirectoryUnavailable
from postern.trust.passwords.realm_hash import ALGORITHMS, realm_hash


class Kept:
    """The hashes of users' passwords, by account and spelling of the name. `asked` counts look-ups."""

    def __init__(self, realm: str) -> None:
        self.digest_realm = realm
        self.hashes: dict[tuple[str, str, str], str] = {}
        self.away = False
        self.asked = 0

    def add(self, account: str, password: str, *names: str) -> None:
        for name in (account, *names):
            for algorithm in ALGORITHMS:
                self.hashes[account, name, algorithm] = realm_hash(algorithm, name, self.digest_realm, password)

    async def realm_hash(self, account: Account, name: str, algorithm: str) -> str | None:
        self.asked += 1
        if self.away:
            raise DirectoryUnavailable
        return self.hashes.get((account.name, name, algorithm))


class Client:
    """A client that answers challenges for one user."""

    def __init__(self, name: str, password: str) -> None:
        self._auth = httpx.DigestAuth(name, password)
        self.challenge = ""

    def answer(self, challenge: str, method: str = "GET", target: str = "/a?b=c") -> bytes:
        """Answers this challenge; a client that has its challenge from before answers that without being asked."""
        flow = self._auth.auth_flow(httpx.Request(method, f"http://mail.example.test{target}"))
        request = next(flow)
        if challenge != self.challenge:
            self.challenge = challenge
            request = flow.send(httpx.Response(401, headers={"www-authenticate": challenge}, request=request))
        return request.headers["authorization"].encode()
