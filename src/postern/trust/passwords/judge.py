"""The judge of passwords: who it is by the directory, whether it is right by `proofs`, with what is remembered and the bounds on
guessing.

Reads accounts (never from a cache) through `model.directory.Directory`. A password that was right is remembered for five
minutes as a keyed MAC that counts only for the account as it stands. Unknown names, wrong passwords and disabled accounts cost
the same work and hear the same words. The mechanisms of `trust.sasl.mechanisms` ask it.
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
from postern.model.security import Mechanism, Peer, PrincipalKind
from postern.trust.acceptor import ANYBODY, FAILED, TOO_MANY, UNAVAILABLE, Denied, Granted
from postern.trust.membership import Membership
from postern.trust.passwords import verifiers
from postern.trust.passwords.backoff import Backoff, Guess, network
from postern.trust.passwords.proofs import Proofs, Verifiers
from postern.trust.pool import Overloaded, Pool
from postern.trust.reauthorization import Reauthorization

REMEMBERED = 300.0
"""Seconds a right password spares argon2id."""
MAX_NAME = 512
_MAX_REMEMBERED = 20_000
_MAX_WAITING = 5000
"""Guesses that wait out earlier failures; they cost a timer each, and hold up nobody else."""


class Judge:
    """One a process. `salt_key` (from state.secrets, the same in every process) makes up SCRAM salts for names that
    nobody has, so that they look like anyone's. `proofs` None: the directory's verifiers."""

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
        """Judges a name (userPrincipalName, primary address, sAMAccountName, DOMAIN\\name) and a password. Waits out
        what earlier failures cost."""
        if not name or len(name) > MAX_NAME or len(password) > verifiers.MAX_LENGTH:
            return FAILED
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
            return about(FAILED, account)
        self._remember(account, mac)
        return Granted(await self.membership.identity(account, Mechanism.BASIC))

    async def enter(
        self, name: str, account: Account | None, peer: Peer, callers: frozenset[PrincipalKind] = ANYBODY
    ) -> Guess | None:
        """For mechanisms that prove a password without showing it: takes and waits out a guess's place. None: too many.
        Where only servers call, nobody's password can be guessed: machines' are random."""
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
        """What SCRAM shows for a name without verifier: always the same, and like any other."""
        return hmac.digest(self._salt_key, name.lower().encode(), "sha256")[:16]

    async def in_pool(self, work: Callable[[], bytes], peer: Peer) -> bytes:
        """For tickets, which block for a moment. Raises Overloaded."""
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
        """Only where a guess would not have to wait: else right passwords would answer at once, and wrong ones not."""
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
        """Over the account as it stands (its change included): after any change of it the MAC is another."""
        who = account.guid.bytes + account.change.encode() if account is not None else known_as.encode()
        secret = password.encode("utf-8", "surrogatepass")
        return hashlib.blake2b(len(who).to_bytes(4) + who + secret, key=self._key, digest_size=32).digest()


def about(denied: Denied, account: Account | None) -> Denied:
    """The refusal with the account that it is about."""
    return replace(denied, account=account.name) if account is not None else denied


def account_key(account: Account | None, name: str) -> str:
    """Under which failures are counted: the same for every name of an account."""
    return account.name.lower() if account is not None else name.lower()


def _is_probe(account: Account | None) -> bool:
    """The account of `postern verify`: its password is 256 random bits, and wrong ones are tried at each run."""
    return account is not None and account.name.partition("@")[0].lower() == PROBE
