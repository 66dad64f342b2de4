"""EdgeSync replicates one way, from the organization's directory to an edge's own, by one hub at a time.

Each call of `synchronize` is a conversation with one edge over the row `edgesync`. It authenticates with this hub's account,
takes the lease, writes the configuration, then the recipients that changed, and last the new state. New recipients are written
before old ones are deleted. `schedule` decides when it runs; `pairs` keeps the accounts.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from uuid import UUID

from postern.directory.adam.client import BindRefused, WrongCertificate
from postern.directory.adam.replica import EdgeReplica, content_of
from postern.directory.adam.state import Lease, State
from postern.directory.ldap.client import AlreadyThere, NoSuchEntry, Refused
from postern.model.directory import DirectoryUnavailable
from postern.model.edge import Delta, EdgeConfiguration, EdgeRecipient, RecipientSource, Subscription, SubscriptionStore
from postern.services.edge.pairs import EdgePairs, ReplicationAccount
from postern.telemetry.log import Event, log

LEASE = 3600.0
"""Seconds for which the hub that replicated last alone may replicate next."""
GONE = 15 * 60.0
"""Seconds without an update of the lease after which the hub that has it counts as gone."""
BUSY = 120.0
"""Seconds without an update of the lease after which a synchronization under way counts as dead."""
_BEAT = 30.0
_NEW_ACCOUNT = 15.0
"""Seconds in which an edge must have made the first account that it was asked for."""

Dial = Callable[[Subscription, ReplicationAccount], EdgeReplica]
Progress = Callable[[str, int, int], None]
"""Called with the present activity, how much of it is done, and how much there is in all (0: not known)."""


class EdgeSyncError(Exception):
    """The synchronization failed; the text says why and what to do."""


class NotSubscribed(EdgeSyncError):
    pass


class CredentialExpired(EdgeSyncError):
    """This hub has no account on the edge that is valid now."""


class NoAccountYet(CredentialExpired):
    """This hub never had an account. The hub that replicates makes one, now that this hub's key is in the subscription."""


class EdgeUnreachable(EdgeSyncError):
    pass


class LeaseHeld(EdgeSyncError):
    """Another hub replicates to this edge; that is no fault."""


@dataclass(frozen=True, slots=True)
class Report:
    """The result of one synchronization. `recipients` is how many the edge has now."""

    edge: str
    full: bool
    configuration: int
    added: int
    changed: int
    deleted: int
    recipients: int
    seconds: float


@dataclass(slots=True)
class _Session:
    """A conversation under way."""

    replica: EdgeReplica
    lease: Lease
    state: State
    progress: Progress
    login: ReplicationAccount


class EdgeSync:
    """Synchronizes edges from one hub. `source_name` names the source that cookies belong to; with another source the next
    synchronization is a full one."""

    def __init__(
        self,
        hub: str,
        store: SubscriptionStore,
        pairs: EdgePairs,
        source: RecipientSource,
        source_name: str,
        configuration: Callable[[Subscription], Awaitable[EdgeConfiguration]],
        dial: Dial,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._hub = hub
        self._store = store
        self._pairs = pairs
        self._source = source
        self._source_name = source_name
        self._configuration = configuration
        self._dial = dial
        self._clock = clock
        self._session = secrets.token_hex(8)
        self._known: dict[str, dict[UUID, str]] = {}
        """By edge: the recipients that it has, valid as long as its lease says that no other hub wrote."""

    async def subscriptions(self) -> tuple[Subscription, ...]:
        return await self._store.subscriptions()

    async def synchronize(
        self,
        edge: str,
        full: bool = False,
        forced: bool = False,
        recipients: bool = True,
        progress: Progress = lambda what, done, of: None,
    ) -> Report:
        """Synchronizes an edge. `forced`: an administrator wants it, also while another hub has the lease but is not at work.
        `recipients` False: the configuration only. Raises EdgeSyncError, and DirectoryUnavailable for the organization's own
        directory."""
        started = time.monotonic()
        subscription = await self._subscription(edge)
        await self._pairs.introduce(subscription)
        progress("connecting", 0, 0)
        session = await self._open(subscription, forced, progress)
        try:
            report = await self._replicate(subscription, session, full, recipients)
            await self._release(session)
            await self._keep_accounts(edge, session)
        except DirectoryUnavailable as error:
            self._known.pop(edge, None)
            raise _unreachable(edge, error) from None
        except (AlreadyThere, NoSuchEntry, Refused):
            self._known.pop(edge, None)
            raise EdgeSyncError(
                f"{edge} has other entries than it should, or refuses ours: the next try compares all"
            ) from None
        except BaseException:
            self._known.pop(edge, None)
            with contextlib.suppress(Exception):
                await asyncio.wait_for(self._release(session), 2.0)
            raise
        finally:
            await session.replica.close()
        report = replace(report, seconds=time.monotonic() - started)
        log(
            Event.EDGE_SYNCHRONIZED,
            path="edgesync",
            edge=edge,
            full=report.full,
            configuration=report.configuration,
            added=report.added,
            changed=report.changed,
            deleted=report.deleted,
            recipients=report.recipients,
            seconds=round(report.seconds, 3),
        )
        return report

    async def _subscription(self, edge: str) -> Subscription:
        for subscription in await self._store.subscriptions():
            if subscription.name == edge:
                return subscription
        raise NotSubscribed(f"{edge} is no subscribed edge: `postern edge subscribe FILE`")

    async def look(self, subscription: Subscription) -> tuple[Lease | None, State]:
        """Reads the edge's lease and state without taking the lease. Raises EdgeSyncError."""
        replica, _ = await self._connect(subscription)
        try:
            return await replica.lease_and_state()
        finally:
            await replica.close()

    # The conversation's beginning and end

    async def _open(self, subscription: Subscription, forced: bool, progress: Progress) -> _Session:
        replica, login = await self._connect(subscription)
        try:
            former, state = await replica.lease_and_state()
            lease = self._lease(subscription.name, former, forced)
            if not await replica.exchange_lease(former, lease):
                raise LeaseHeld(f"another hub took the lease of {subscription.name} just now")
            return _Session(replica, lease, state, progress, login)
        except DirectoryUnavailable as error:
            await replica.close()
            raise _unreachable(subscription.name, error) from None
        except BaseException:
            await replica.close()
            raise

    async def _connect(self, subscription: Subscription) -> tuple[EdgeReplica, ReplicationAccount]:
        """Binds with the first of this hub's accounts that the edge accepts."""
        logins = self._pairs.logins(subscription, self._clock())
        if not any(credential.hub == self._hub for credential in subscription.credentials):
            raise NoAccountYet(
                f"{self._hub} has no account on {subscription.name} yet: the hub that replicates there makes it within minutes"
            )
        if not logins:
            log(Event.EDGE_CREDENTIAL_EXPIRED, path="edgesync", edge=subscription.name, hub=self._hub)
            raise CredentialExpired(
                f"{self._hub} has no account on {subscription.name} that is good now: write a new subscription file there "
                "(`postern edge subscription new`) and subscribe it here"
            )
        for login in logins:
            replica = self._dial(subscription, login)
            try:
                await replica.lease_and_state()
                return replica, login
            except BindRefused:
                await replica.close()
            except DirectoryUnavailable as error:
                await replica.close()
                raise _unreachable(subscription.name, error) from None
            except BaseException:
                await replica.close()
                raise
        log(Event.EDGE_CREDENTIAL_EXPIRED, path="edgesync", edge=subscription.name, hub=self._hub, refused=len(logins))
        raise CredentialExpired(
            f"{subscription.name} refuses every account of {self._hub}: subscribe it anew, or look at its clock"
        )

    def _lease(self, edge: str, former: Lease | None, forced: bool) -> Lease:
        now = self._clock()
        if former is not None and not may_take(former, self._hub, self._session, now, forced):
            raise LeaseHeld(f"{former.holder} replicates to {edge}, and was heard of {round(now - former.beat)} s ago")
        if former is None or former.session != self._session or former.busy:
            self._known.pop(edge, None)
        if former is not None and former.holder != self._hub:
            log(Event.EDGE_LEASE_TAKEN, path="edgesync", edge=edge, former=former.holder, hub=self._hub)
        return Lease(self._hub, self._session, now + LEASE, now, True)

    async def _beat(self, session: _Session) -> None:
        """Updates the lease now and then while the work takes long; a hub that has lost the lease stops."""
        now = self._clock()
        if now - session.lease.beat >= _BEAT:
            await self._exchange(session, replace(session.lease, until=now + LEASE, beat=now))

    async def _release(self, session: _Session) -> None:
        now = self._clock()
        await self._exchange(session, replace(session.lease, until=now + LEASE, beat=now, busy=False))

    async def _exchange(self, session: _Session, new: Lease) -> None:
        if not await session.replica.exchange_lease(session.lease, new):
            raise LeaseHeld("another hub took the lease in the middle")
        session.lease = new

    # What is replicated

    async def _replicate(self, subscription: Subscription, session: _Session, full: bool, recipients: bool) -> Report:
        edge, replica, state = subscription.name, session.replica, session.state
        session.progress("configuration", 0, 0)
        configured = await replica.configure(await self._configuration(subscription))
        if not recipients and state.full and not full:
            await replica.write_state(replace(state, synchronized=self._clock(), by=self._hub))
            return Report(edge, False, configured, 0, 0, 0, state.recipients, 0.0)
        session.progress("comparing recipients", 0, 0)
        known = self._known.get(edge)
        if known is None or full:
            known = await replica.known()
        cookie = b"" if full or not state.full or state.source != self._source_name else state.cookie
        delta = await self._source.read(cookie, frozenset(known))
        self._known.pop(edge, None)
        added, changed, deleted = await self._write(session, known, delta)
        now = self._clock()
        done = replace(state, source=self._source_name, cookie=delta.cookie, synchronized=now, by=self._hub)
        done = replace(done, recipients=len(known), full=now if delta.complete else state.full)
        await replica.write_state(done)  # last, so that whatever was lost before is done again
        self._known[edge] = known
        return Report(edge, delta.complete, configured, added, changed, deleted, len(known), 0.0)

    async def _write(self, session: _Session, known: dict[UUID, str], delta: Delta) -> tuple[int, int, int]:
        """Applies the delta to the edge and to `known`."""
        new: list[EdgeRecipient] = []
        changed: list[EdgeRecipient] = []
        contents = {recipient.guid: content_of(recipient) for recipient in delta.changed}
        for recipient in delta.changed:
            former = known.get(recipient.guid)
            if former is None:
                new.append(recipient)
            elif former != contents[recipient.guid]:
                changed.append(recipient)
        gone = (known.keys() - contents.keys()) if delta.complete else (known.keys() & delta.gone)
        going = sorted(gone)
        of, done = len(new) + len(changed) + len(going), 0
        for writing in (session.replica.write(new, changed), session.replica.delete(going)):
            async for count in writing:
                done += count
                session.progress("recipients", done, of)
                await self._beat(session)
        known.update((recipient.guid, contents[recipient.guid]) for recipient in (*new, *changed))
        for guid in going:
            del known[guid]
        return len(new), len(changed), len(going)

    # Accounts

    async def _keep_accounts(self, edge: str, session: _Session) -> None:
        subscription = await self._subscription(edge)
        made = await self._pairs.renew(subscription, session.replica, self._clock())
        if not session.login.credential.bootstrap:
            await self._pairs.end_bootstrap(subscription, session.replica)
        elif made:
            await self._follow_bootstrap(edge, made[0])

    async def _follow_bootstrap(self, edge: str, login: ReplicationAccount) -> None:
        """Ends the account from the subscription file once this hub's first own account works; else the next synchronization
        does."""
        subscription = await self._subscription(edge)
        deadline = time.monotonic() + _NEW_ACCOUNT
        while time.monotonic() < deadline:
            replica = self._dial(subscription, login)
            try:
                await replica.lease_and_state()
                await self._pairs.end_bootstrap(subscription, replica)
                return
            except BindRefused:
                await asyncio.sleep(0.3)
            finally:
                await replica.close()


def may_take(lease: Lease, hub: str, session: str, now: float, forced: bool) -> bool:
    """Whether `hub` may replicate now, under this lease."""
    if lease.busy and lease.session != session and now - lease.beat < BUSY:
        return False
    return lease.holder == hub or forced or now >= lease.until or now - lease.beat > GONE


def _unreachable(edge: str, error: DirectoryUnavailable) -> EdgeSyncError:
    if isinstance(error, WrongCertificate):
        log(Event.EDGE_UNREACHABLE, path="edgesync", edge=edge, why="another certificate than the published one")
        return EdgeUnreachable(
            f"who answers for {edge} shows another certificate than the published one: if the edge's was renewed, subscribe it "
            "anew; else somebody stands in between"
        )
    log(Event.EDGE_UNREACHABLE, path="edgesync", edge=edge, why="no answer")
    return EdgeUnreachable(f"{edge} does not answer on the path edgesync (50636): is it running, is the firewall open?")
