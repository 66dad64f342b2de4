"""Exchanges by NTLM, Kerberos and Negotiate: a security context proves a name, and the account behind it decides.

SASL, RPC and HTTP use the same ones. `Judge` counts and slows guesses at passwords; `membership` says whether an account belongs
to a server. Where only servers call, no secret of a user is judged.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Protocol

from postern.model.directory import Account, DirectoryUnavailable, NtlmLogon
from postern.model.security import Mechanism, PrincipalKind, network
from postern.trust.acceptor import FAILED, MALFORMED, TOO_MANY, UNAVAILABLE, Asking, Challenge, Denied, Granted, Outcome
from postern.trust.contexts import AcceptorContext, MalformedToken, SecurityFailure
from postern.trust.host import HostCredentials
from postern.trust.kerberos.contexts import KerberosAcceptorContext
from postern.trust.kerberos.principal import Principals
from postern.trust.ntlm.contexts import NtlmAcceptorContext
from postern.trust.ntlm.handshake import NtlmAcceptor, Proof, account_name, matches
from postern.trust.passwords.backoff import Guess
from postern.trust.passwords.judge import Judge, about, refusal
from postern.trust.passwords.proofs import Unproven
from postern.trust.pool import Overloaded
from postern.trust.spnego import SpnegoAcceptor


class Proving(Protocol):
    """One security context, and the account that it proves once it is complete."""

    @property
    def context(self) -> AcceptorContext: ...

    async def account(self) -> Account | None:
        """Returns the account that the complete context proves; None if it proves nobody's. May raise DirectoryUnavailable."""
        ...

    def failed(self) -> Account | None:
        """Counts a wrong guess, after the context failed. Returns the account that was tried, for the log."""
        ...


class ByNtlm:
    """One NTLM handshake. It proves the account whose answer was judged."""

    def __init__(self, judge: Judge, host: HostCredentials, asking: Asking) -> None:
        self._judge = judge
        self._asking = asking
        self._account: Account | None = None
        self._guess: Guess | None = None
        acceptor = NtlmAcceptor(host, self._prove, asking.channel, asking.services, network(asking.peer.host))
        self.context: AcceptorContext = NtlmAcceptorContext(acceptor, asking.seals)

    async def account(self) -> Account | None:
        if self._guess is not None:
            self._judge.settle(self._guess, True)
        return self._account

    def failed(self) -> Account | None:
        if self._guess is not None:
            self._judge.settle(self._guess, False)
        return self._account

    async def _prove(self, logon: NtlmLogon) -> Proof:
        """Judges an answer, within the bounds on guessing. Raises SecurityFailure with the reason if it is wrong."""
        name = account_name(logon)
        account = await self._judge.directory.account(name)
        if not self._may_prove(account):
            matches(None, logon)
            raise SecurityFailure("not an account of those who may call")
        self._guess = await self._judge.enter(name, account, self._asking.peer, self._asking.callers)
        if self._guess is None:
            raise Overloaded
        try:
            proof = await self._judge.proofs.ntlm(account, logon)
        except BaseException:
            self._guess.undecided()
            raise
        self._account = account
        if isinstance(proof, Unproven):
            raise SecurityFailure(refusal(account, proof.reason).reason)
        return proof

    def _may_prove(self, account: Account | None) -> bool:
        """Whether the account's secret is judged. Where only servers call, only those of machines are, which are random: nobody
        can guess the password of a user there."""
        if PrincipalKind.USER in self._asking.callers:
            return True
        return account is not None and (account.is_server or account.name.endswith("$"))


class ByKerberos:
    """One Kerberos handshake, with a ticket for a key of our keytab."""

    def __init__(self, judge: Judge, principals: Principals, host: HostCredentials, asking: Asking) -> None:
        self._principals = principals
        self.context = KerberosAcceptorContext(
            *(host.keytab, host.realm, asking.channel.binding),
            run=lambda work: judge.in_pool(work, asking.peer),
            seals=asking.seals,
        )

    async def account(self) -> Account | None:
        ticket = self.context.ticket
        return await self._principals.account(ticket) if ticket is not None else None

    def failed(self) -> Account | None:
        return None

    def names(self) -> tuple[str, ...]:
        """Returns the names that the ticket's owner may call itself, in small letters."""
        ticket = self.context.ticket
        return self._principals.names(ticket) if ticket is not None else ()


class ByNegotiate:
    """One SPNEGO handshake; `begin` makes the handshake inside."""

    def __init__(self, begin: Callable[[Mechanism], Proving | None]) -> None:
        self._begin = begin
        self._inner: Proving | None = None
        self.context: AcceptorContext = SpnegoAcceptor(self._choose)

    def _choose(self, mechanism: Mechanism) -> AcceptorContext | None:
        self._inner = self._begin(mechanism)
        return self._inner.context if self._inner is not None else None

    async def account(self) -> Account | None:
        return await self._inner.account() if self._inner is not None else None

    def failed(self) -> Account | None:
        return self._inner.failed() if self._inner is not None else None


class ContextExchange:
    """An `Acceptor` by a security context. After Granted, `context` can protect what follows."""

    def __init__(self, judge: Judge, asking: Asking, proving: Proving) -> None:
        self._judge = judge
        self._callers = asking.callers
        self._proving = proving

    @property
    def context(self) -> AcceptorContext:
        return self._proving.context

    async def step(self, token: bytes | None) -> Outcome:
        if token is None:
            return Challenge(b"")
        try:
            answer = await self.context.step(token)
            return await self._granted(answer) if self.context.complete else Challenge(answer)
        except MalformedToken as failure:
            self._proving.failed()
            return replace(MALFORMED, reason=str(failure))
        except SecurityFailure as failure:
            return about(denied(failure), self._proving.failed())
        except DirectoryUnavailable:
            return UNAVAILABLE
        except Overloaded:
            return TOO_MANY

    async def _granted(self, answer: bytes) -> Granted | Denied:
        account, context = await self._proving.account(), self.context
        if account is None or not account.enabled:
            return refusal(account)
        identity = await self._judge.membership.identity(account, context.mechanism, context.groups)
        if identity.kind not in self._callers:
            return replace(about(FAILED, account), reason="not an account of those who may call")
        return Granted(identity, answer)


def denied(failure: SecurityFailure) -> Denied:
    """Returns the outcome of an exchange whose context failed."""
    return replace(UNAVAILABLE if failure.temporary else FAILED, reason=str(failure))
