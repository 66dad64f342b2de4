"""Bounds the guessing of passwords, per account and per address: computes how long a guess has to wait.

Pure bookkeeping; the clock comes in. There are two counts of recent failures: that of an account from an address, and that of
an address for any account. Each has some free failures; then each guess waits twice as long as the one before. Guesses under
way count as failures until they turn out otherwise, so that many at once gain nothing. For an address from which the account
logged on before, only the first count matters. An account has no count over all addresses, by which strangers could delay or
refuse its owner. `pool.FairQueue` shares out the work of guesses from many addresses.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from postern.model.security import network

MAX_WAIT = 30.0
"""Seconds. A guess that would have to wait longer is refused at once."""
_FORGET = 900.0
"""Seconds without a failure after which an account or address starts anew."""
_TRUSTED_FOR = 30 * 86_400.0
_SIZE = 20_000
"""Entries of each table. A full table drops the one that was touched longest ago."""


@dataclass(slots=True)
class _Count:
    failures: int = 0
    pending: int = 0
    next: float = 0.0
    touched: float = 0.0


@dataclass(frozen=True, slots=True)
class _Bound:
    """The rule of one count. After `free` failures the next guess waits `first` seconds, the one after it twice as long, and so
    on up to `most`. With `side_by_side` guesses under way do not count: a relay or a gateway logs on many accounts at once, and
    fails with few."""

    free: int
    first: float
    most: float
    side_by_side: bool = False

    def delay(self, failures: int) -> float:
        over = failures - self.free
        return 0.0 if over < 0 else min(self.most, self.first * float(2 ** min(over, 16)))

    def load(self, count: _Count) -> int:
        return count.failures if self.side_by_side else count.failures + count.pending

    def wait(self, count: _Count, now: float) -> float:
        """Returns the seconds that the next guess of this count has to wait."""
        if now - count.touched > _FORGET or self.load(count) < self.free:
            return 0.0
        return max(0.0, count.next - now)


_PAIR = _Bound(free=5, first=1.0, most=30.0)
_HARMLESS_PAIR = _Bound(free=5, first=1.0, most=30.0, side_by_side=True)
_ADDRESS = _Bound(free=50, first=0.25, most=30.0, side_by_side=True)

_Key = tuple[str, str]


class Guess:
    """One attempt that was let in. It must first wait `wait` seconds; then it ends once, as failed, succeeded or undecided."""

    __slots__ = ("_backoff", "_counts", "_done", "account", "address", "wait")

    def __init__(
        self, backoff: Backoff, account: str, address: str, counts: list[tuple[_Count, _Bound]], wait: float
    ) -> None:
        self._backoff = backoff
        self._counts = counts
        self._done = False
        self.account = account
        self.address = address
        self.wait = wait

    def failed(self, now: float) -> None:
        if not self._done:
            self._done = True
            for count, bound in self._counts:
                count.pending -= 1
                count.failures += 1
                count.touched = now
                count.next = max(count.next, now + bound.delay(count.failures))

    def succeeded(self, now: float) -> None:
        if not self._done:
            self.undecided()
            self._backoff.trust(self.account, self.address, now)

    def undecided(self) -> None:
        """Ends the guess without counting it: the directory did not answer, or the peer went away."""
        if not self._done:
            self._done = True
            for count, _ in self._counts:
                count.pending -= 1


class Backoff:
    """The counts of a process. Each table has `size` entries at most."""

    def __init__(self, size: int = _SIZE) -> None:
        self._size = size
        self._pairs: OrderedDict[_Key, _Count] = OrderedDict()
        self._addresses: OrderedDict[_Key, _Count] = OrderedDict()
        self._trusted: OrderedDict[_Key, float] = OrderedDict()

    def is_free(self, account: str, host: str, now: float) -> bool:
        """Whether a guess would not have to wait now. Costs two dictionary look-ups."""
        address = network(host)
        pair = self._pairs.get((account, address))
        if pair is not None and _PAIR.wait(pair, now) > 0:
            return False
        if self._is_trusted(account, address, now):
            return True
        of_address = self._addresses.get(("", address))
        return of_address is None or _ADDRESS.wait(of_address, now) <= 0

    def enter(self, account: str, host: str, now: float, harmless: bool = False) -> Guess | None:
        """Lets a guess in; returns None if it would have to wait more than MAX_WAIT seconds. The password of a
        `harmless` account cannot be guessed: it belongs to a server, or to `postern verify`, which fails on purpose. A guess at
        it counts against this account alone, so that others at the same address never wait for it. Guesses under way do not
        count, since a server opens many connections at once."""
        address = network(host)
        rows = [(self._count(self._pairs, (account, address), now), _HARMLESS_PAIR if harmless else _PAIR)]
        if not harmless and not self._is_trusted(account, address, now):
            rows.append((self._count(self._addresses, ("", address), now), _ADDRESS))
        wait = max(bound.wait(count, now) for count, bound in rows)
        if wait > MAX_WAIT:
            return None
        for count, bound in rows:
            count.next = max(count.next, now + wait + bound.delay(bound.load(count) + 1))
            count.pending += 1
            count.touched = now
        return Guess(self, account, address, rows, wait)

    def trust(self, account: str, address: str, now: float) -> None:
        """Notes that the account proved itself from this address. Its own failures from there are forgiven, no others."""
        pair = self._pairs.get((account, address))
        if pair is not None:
            pair.failures, pair.next = 0, 0.0
        self._trusted[account, address] = now
        self._trusted.move_to_end((account, address))
        if len(self._trusted) > self._size:
            self._trusted.popitem(last=False)

    def _is_trusted(self, account: str, address: str, now: float) -> bool:
        since = self._trusted.get((account, address))
        return since is not None and now - since < _TRUSTED_FOR

    def _count(self, table: OrderedDict[_Key, _Count], key: _Key, now: float) -> _Count:
        count = table.get(key)
        if count is None:
            count = table[key] = _Count()
            if len(table) > self._size:
                table.popitem(last=False)
        elif now - count.touched > _FORGET:
            count.failures, count.next = 0, 0.0
        table.move_to_end(key)
        return count
