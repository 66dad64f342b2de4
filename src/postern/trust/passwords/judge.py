"""The judge of passwords. The directory finds the account, `proofs` judges its password, and `backoff` bounds the guessing.

Reads accounts (never from a cache) through `model.directory.Directory`. A right password is remembered for five minutes, as a
keyed MAC that is good for the unchanged account only. Unknown names, wrong passwords and disabled accounts cost the same work and
get the same answer. The mechanisms of `trust.sasl.mechanisms` ask the judge.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from uuid import UUID

from postern.model.directory import PROBE, Account, Directory, DirectoryUnavailable
from postern.model.security import Mechanism, Peer, PrincipalKind, network
from postern.trust.acceptor import ANYBODY, FAILED, TOO_MANY, UNAVAILABLE, Denied, Granted
from postern.trust.membership import Membership
from postern.trust.passwords import verifiers
from postern.trust.passwords.backoff import Backoff, Guess
from postern.trust.passwords.proofs import WRONG, Proofs, Verifiers
from postern.trust.pool import Overloaded, Pool
from postern.trust.reauthorization import Reauthorization

REMEMBERED = 300.0
"""Seconds for which a right password is remembered, which saves argon2id."""
MAX_NAME = 512
_MAX_REMEMBERED = 20_000
_MAX_WAITING = 5000
"""Guesses that may wait out earlier failures. Each costs a timer, and holds up nobody else."""


class Judge:
    """The judge of a process. `salt_key` (from state.secrets, the same in every process) makes up SCRAM salts for names that
    nobody has, so that they look like those of accounts. Without `proofs` the directory's verifiers judge."""

    def __init__(
        self,
        directory: Directory,
        salt_key: bytes | None = None,
        clock: Callable[[], float] = time.monotonic,
        proofs: Proofs | None = None,
        membership: Membership | None = None,
    ) -> None:
        self.directory = directory
        self.membership = membership or Membership()
        self._clock = clock
        self._backoff = Backoff()
        self._key = secrets.token_bytes(32)
        self._salt_key = salt_key or secrets.token_bytes(32)
        self._remembered: OrderedDict[UUID, tuple[float, bytes]] = OrderedDict()
        self._verifying: dict[bytes, asyncio.Task[bool]] = {}
        self.reauthorization = Reauthorization(directory)
        self._pool = Pool("argon2")
        self._tickets = Pool("tickets")
        self.proofs: Proofs = proofs or Verifiers(directory, self._pool)

    async def password(self, name: str, password: str, peer: Peer) -> Granted | Denied:
        """Judges a name (userPrincipalName, primary address, sAMAccountName, DOMAIN\\name) and a password, after the wait that
        earlier failures cost."""
        if not name or len(name) > MAX_NAME or len(password) > verifiers.MAX_LENGTH:
            return replace(FAILED, reason="no name, or a name or password that is too long")
        try:
            account = await self.directory.account(name)
        except DirectoryUnavailable:
            return UNAVAILABLE
        known_as = account_key(account, name)
        mac = self._mac(account, known_as, password)
        if self._recalls(account, known_as, peer, mac):
            assert account is not None
            self._backoff.trust(known_as, network(peer.host), self._clock())
            return Granted(await self.membership.identity(account, Mechanism.BASIC))
        under_way = self._verifying.get(mac)
        if under_way is None:
            guess = self._backoff.enter(known_as, peer.host, self._clock(), _is_probe(account))
            if guess is None:
                return TOO_MANY
            if guess.wait and len(self._verifying) >= _MAX_WAITING:
                guess.undecided()
                return TOO_MANY
            under_way = asyncio.create_task(self._judge(account, password, guess))
            self._verifying[mac] = under_way
            under_way.add_done_callback(lambda task: self._judged(mac, task))
        try:
            # The same password for the same account at the same time is one guess: a client opens connections in bunches.
            right = await asyncio.shield(under_way)
        except DirectoryUnavailable:
            return UNAVAILABLE
        except Overloaded:
            return TOO_MANY
        if not right or account is None:
            return refusal(account)
        self._remember(account, mac)
        return Granted(await self.membership.identity(account, Mechanism.BASIC))

    async def enter(
        self, name: str, account: Account | None, peer: Peer, callers: frozenset[PrincipalKind] = ANYBODY
    ) -> Guess | None:
        """Lets a guess in and waits for as long as it must, for mechanisms that prove a password without showing it. Returns None
        if there are too many guesses. Where only servers call, guesses are harmless: machines have random passwords."""
        harmless = PrincipalKind.USER not in callers or _is_probe(account)
        guess = self._backoff.enter(account_key(account, name), peer.host, self._clock(), harmless)
        if guess is not None and guess.wait:
            try:
                await asyncio.sleep(guess.wait)
            except asyncio.CancelledError:
                guess.undecided()
                raise
        return guess

    def settle(self, guess: Guess, right: bool) -> None:
        if right:
            guess.succeeded(self._clock())
        else:
            guess.failed(self._clock())

    def made_up_salt(self, name: str) -> bytes:
        """Makes up the salt that SCRAM shows for a name without verifier. It is always the same, and looks like any other."""
        return hmac.digest(self._salt_key, name.lower().encode(), "sha256")[:16]

    async def in_pool(self, work: Callable[[], bytes], peer: Peer) -> bytes:
        """Does work on a ticket, which blocks for a moment, in a pool. Raises Overloaded."""
        return await self._tickets.run(work, address=network(peer.host))

    def close(self) -> None:
        self._pool.close()
        self._tickets.close()
        self.reauthorization.close()

    async def _judge(self, account: Account | None, password: str, guess: Guess) -> bool:
        try:
            if guess.wait:
                await asyncio.sleep(guess.wait)
            right = await self.proofs.password(account, password, guess)
        except BaseException:
            guess.undecided()
            raise
        self.settle(guess, right)
        return right

    def _judged(self, mac: bytes, task: asyncio.Task[bool]) -> None:
        self._verifying.pop(mac, None)
        if not task.cancelled():
            task.exception()  # all who waited may have gone

    def _recalls(self, account: Account | None, known_as: str, peer: Peer, mac: bytes) -> bool:
        """Whether this password is remembered as right. Never where a guess would have to wait: a right password would then be
        answered at once, and a wrong one not."""
        if account is None or not account.enabled:
            return False
        remembered = self._remembered.get(account.guid)
        now = self._clock()
        if remembered is None or remembered[0] < now or not self._backoff.is_free(known_as, peer.host, now):
            return False
        return hmac.compare_digest(remembered[1], mac)

    def _remember(self, account: Account, mac: bytes) -> None:
        self._remembered[account.guid] = (self._clock() + REMEMBERED, mac)
        self._remembered.move_to_end(account.guid)
        if len(self._remembered) > _MAX_REMEMBERED:
            self._remembered.popitem(last=False)

    def _mac(self, account: Account | None, known_as: str, password: str) -> bytes:
        """Returns a MAC over password and account, with the account's `change`: any change of the account makes another MAC."""
        subject = account.guid.bytes + account.change.encode() if account is not None else known_as.encode()
        secret = password.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(len(subject).to_bytes(4) + subject + secret, key=self._key, digest_size=32).digest()


def about(denied: Denied, account: Account | None) -> Denied:
    """Returns the refusal with the account that it is about."""
    return replace(denied, account=account.name) if account is not None else denied


def refusal(account: Account | None, reason: str = WRONG.reason) -> Denied:
    """Returns the refusal of a name and a secret. `reason` is what is wrong with the secret of an account that may be used. The
    peer is told the same as by FAILED, whatever the reason."""
    if account is None:
        return replace(FAILED, reason="no such account")
    return replace(FAILED, account=account.name, reason=reason if account.enabled else "the account is disabled")


def account_key(account: Account | None, name: str) -> str:
    """Returns the key under which failures are counted, the same for every name of an account."""
    return account.name.lower() if account is not None else name.lower()


def _is_probe(account: Account | None) -> bool:
    """Whether this is the account of `postern verify`. Its password is 256 random bits, and each run tries wrong ones."""
    return account is not None and account.name.partition("@")[0].lower() == PROBE
