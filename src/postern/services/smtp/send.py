"""The send connector: a Carrier that takes parcels to another organization by MX, to a smart host, to a hub or an edge of ours.

Resolves where to go (`net.dns`), dials it on the hop's row, always tries TLS (RFC 7435 where the row only offers it), proves
itself and has the peer prove itself where the row wants that, and sends a batch over one connection. `dialog` holds the
conversation, `trust` says whom a certificate belongs to, and the queue retries.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from postern.model.mail import Action, HopKind, NextHop, Parcel, RecipientOutcome
from postern.model.organization import Organization
from postern.model.security import Encryption, Mechanism
from postern.net.dns import DnsError, Resolver
from postern.net.door import dial
from postern.net.link import TlsContext
from postern.net.mutual import MutualContext
from postern.net.tls import Certificate, opportunistic_context
from postern.paths.row import Path
from postern.services.smtp.dialog import Dialog, DialogError, SaslClient, Timeouts, TlsFailed
from postern.telemetry.attempts import strike
from postern.telemetry.log import Event, log
from postern.telemetry.observed import Observed
from postern.transport import poison
from postern.transport.segments import DamagedBody

SMTP = 25
MAX_ADDRESSES = 10
"""Addresses tried for one batch (RFC 5321 section 5.1 asks for two at least)."""

_BY_CERTIFICATE = frozenset({Mechanism.DIRECT_TRUST, Mechanism.CERTIFICATE})

Initiator = Callable[[Mechanism, str], SaslClient | None]
"""Our side of an authentication by a mechanism to a host's name; None if we have no credentials for it."""


class CalleeCertificates(Protocol):
    """Identifies the server that answered a dial, by the chain it showed (DER, its own certificate first)."""

    def is_of(self, chain: Sequence[bytes], server: str) -> bool:
        """Whether the directory has this certificate for this server of ours (direct trust)."""
        ...

    def vouch(self, chain: Sequence[bytes], host: str) -> bool:
        """Whether an authority vouches that the chain belongs to the host that was dialled."""
        ...


@dataclass(frozen=True, slots=True)
class _Place:
    """One address to try. `server` is the name of a server of ours, "" for another organization's."""

    host: str
    address: str
    port: int
    server: str = ""


@dataclass(frozen=True, slots=True)
class SenderProofs:
    """The means by which both ends of a dial prove who they are. `fqdn` is the name that EHLO says; `certificate` is shown to a
    server that asks for it; `initiator` authenticates us by SASL; `certificates` identify the server that answered, on rows
    where that counts."""

    fqdn: str
    certificate: Certificate | None = None
    initiator: Initiator | None = None
    certificates: CalleeCertificates | None = None


class SmtpSender:
    """The Carrier over SMTP, one a process. Other organizations' servers listen on `internet_port`: 25, except in tests."""

    max_batch = 100
    """Messages over one connection, which is then closed."""

    def __init__(
        self,
        rows: Mapping[str, Path],
        organization: Organization,
        resolver: Resolver,
        observed: Observed,
        proofs: SenderProofs,
        timeouts: Timeouts | None = None,
        internet_port: int = SMTP,
    ) -> None:
        self._rows = rows
        self._organization = organization
        self._resolver = resolver
        self._observed = observed
        # On most rows no certificate proves anything: another hub proves itself by Kerberos inside TLS.
        self._tls = opportunistic_context(proofs.certificate)
        self._mutual = MutualContext(proofs.certificate, server=False)
        self._proofs = proofs
        self._turn = 0
        self._timeouts = timeouts or Timeouts()
        self._internet_port = internet_port

    def reorganize(self, organization: Organization) -> None:
        """Takes over a changed organization."""
        self._organization = organization

    async def carry(self, hop: NextHop, parcels: Sequence[Parcel]) -> Sequence[Sequence[RecipientOutcome]]:
        """Returns for each parcel one outcome per recipient, in order (see model.mail.Carrier)."""
        outcomes: list[Sequence[RecipientOutcome]] = []
        trouble = DialogError("4.4.1", f"{hop.destination}: no address answers")
        try:
            for place in (await self._places(hop))[:MAX_ADDRESSES]:
                try:
                    dialog = await self._connect(self._rows[hop.path], place)
                except DialogError as error:
                    trouble = error
                    continue
                await self._send(hop, dialog, parcels, outcomes)
                if len(outcomes) == len(parcels):
                    return outcomes
        except DnsError as error:
            trouble = DialogError(error.status, error.text)
        return [*outcomes, *(_all(parcel, trouble, hop.destination) for parcel in parcels[len(outcomes) :])]

    async def _send(
        self, hop: NextHop, dialog: Dialog, parcels: Sequence[Parcel], outcomes: list[Sequence[RecipientOutcome]]
    ) -> None:
        """Sends what has no outcome yet, as long as the dialog lives."""
        try:
            while dialog.usable and len(outcomes) < len(parcels):
                link = dialog.link
                outcomes.append(await _sent(dialog, parcels[len(outcomes)]))
                self._observed.seen(hop.path, link.peer.host, dialog.mechanism, link.seal, time.time())
        finally:
            await dialog.quit()

    # Addresses

    async def _places(self, hop: NextHop) -> list[_Place]:
        """Addresses in the order in which they are to be tried. Raises DnsError."""
        match hop.kind:
            case HopKind.SMTP:
                (domain,) = hop.destinations
                return await self._by_mx(domain)
            case HopKind.SMART_HOST:
                (smart_host,) = hop.destinations
                host, port = _endpoint(smart_host)
                return [_Place(host, address, port) for address in await self._resolver.addresses(host)]
            case HopKind.HUB | HopKind.EDGE:
                return self._own(hop.destinations)
            case _:
                raise ValueError(f"{hop.kind} is not carried by SMTP")

    def _own(self, names: Sequence[str]) -> list[_Place]:
        """The addresses of servers of ours, any of which will do: they take turns to be the first."""
        self._turn += 1
        first = self._turn % len(names)
        port = self._organization.port(SMTP)
        by_name = {server.name: server for server in self._organization.servers}
        servers = [by_name[name] for name in (*names[first:], *names[:first]) if name in by_name]
        return [_Place(server.fqdn, address, port, server.name) for server in servers for address in server.addresses]

    async def _by_mx(self, domain: str) -> list[_Place]:
        """The addresses of a domain's mail hosts (RFC 5321 section 5.1). A domain that is an address literal is its own host."""
        if domain.startswith("["):
            literal = domain.strip("[]").removeprefix("IPv6:")
            return [_Place(literal, literal, self._internet_port)]
        hosts = await self._resolver.mail_hosts(domain)
        own = [host.preference for host in hosts if host.name == self._proofs.fqdn.lower()]
        if own:
            # Only hosts that are nearer than we are: else mail would come back to us for ever.
            hosts = [host for host in hosts if host.preference < min(own)]
            if not hosts:
                raise DnsError("5.4.6", f"Mail for {domain} would come back to this server")
        places: list[_Place] = []
        trouble: DnsError | None = None
        for host in hosts:
            try:
                addresses = await self._resolver.addresses(host.name)
            except DnsError as error:
                trouble = error if trouble is None or error.status.startswith("4") else trouble
                continue
            places += [_Place(host.name, address, self._internet_port) for address in addresses]
            if len(places) >= MAX_ADDRESSES:
                break
        if not places and trouble is not None:
            raise trouble
        return places

    # The connection

    async def _connect(self, row: Path, place: _Place) -> Dialog:
        """A dialog that has been greeted and is as sealed and proven as the row asks. Raises DialogError."""
        try:
            return await self._begin(row, place, row.encryption is not Encryption.NEVER)
        except TlsFailed:
            if row.encryption is Encryption.REQUIRED:
                raise
            # RFC 7435 section 3: where nobody asked for encryption, clear text is better than no mail.
            return await self._begin(row, place, try_tls=False)

    async def _begin(self, row: Path, place: _Place, try_tls: bool) -> Dialog:
        remote = f"{place.host}[{place.address}]:{place.port}"
        dialog = Dialog(self._proofs.fqdn, remote, self._timeouts)
        port = next(port for port in row.ports if port.number == SMTP)
        self._mutual, self._tls = self._mutual.renewed(), self._tls.renewed()
        tls: TlsContext = self._mutual if _BY_CERTIFICATE.intersection(row.supported_auth) else self._tls
        try:
            await dial(row, dialog, place.address, place.port, port, tls, timeout=self._timeouts.connect)
        except (OSError, TimeoutError) as error:
            raise DialogError("4.4.1", f"{remote}: {_why(error)}") from error
        try:
            await dialog.greeted()
            if try_tls and dialog.offers_tls:
                await dialog.start_tls(place.host)
            elif row.encryption is Encryption.REQUIRED:
                raise DialogError("4.7.4", f"{remote}: TLS is required and was not offered")
            await self._prove(row, dialog, place)
        except BaseException:
            dialog.abort()
            raise
        return dialog

    async def _prove(self, row: Path, dialog: Dialog, place: _Place) -> None:
        """Has both ends prove themselves by the row's first mechanism. Raises DialogError: then nothing was sent."""
        chain = dialog.link.peer_chain()
        match row.default_auth[0]:
            case Mechanism.ANONYMOUS:
                certificates = self._proofs.certificates
                vouched = certificates is not None and certificates.vouch(chain, place.host)
                if vouched and Mechanism.CERTIFICATE in row.supported_auth:
                    dialog.mechanism = Mechanism.CERTIFICATE
            case Mechanism.DIRECT_TRUST:
                certificates = self._proofs.certificates
                if certificates is None or not certificates.is_of(chain, place.server):
                    log(Event.CERTIFICATE_UNKNOWN, path=row.id, peer=place.address, sha256=_digest(chain))
                    raise DialogError("4.7.5", f"{dialog.remote}: its certificate is not what the directory has for it")
                if not dialog.knows_us:
                    raise DialogError("4.7.5", f"{dialog.remote}: it does not know this server's certificate")
                dialog.mechanism = Mechanism.DIRECT_TRUST
            case mechanism:
                # Getting a ticket may ask the key distribution centre, and so take its time.
                initiator = self._proofs.initiator
                sasl = await asyncio.to_thread(initiator, mechanism, place.host) if initiator else None
                if sasl is None:
                    raise DialogError("4.7.0", f"{dialog.remote}: no credentials for {mechanism}")
                await dialog.authenticate(sasl, mechanism)


async def _sent(dialog: Dialog, parcel: Parcel) -> list[RecipientOutcome]:
    """Sends one parcel. An error that only this message can have raised counts against it and ends the dialog."""
    try:
        return await dialog.send(parcel)
    except Exception as error:
        dialog.abort()
        log(Event.CONVERSATION_FAILED, conversation="smtp", error=repr(error), exc_info=error)
        if not isinstance(error, OSError | DamagedBody):
            strike(poison.key_of(parcel), error)
        text = f"Internal error: {type(error).__name__}"
        return [
            RecipientOutcome(recipient.address, Action.DELAYED, "4.3.0", text, own=True)
            for recipient in parcel.envelope.recipients
        ]


def _digest(chain: Sequence[bytes]) -> str:
    return hashlib.sha256(chain[0]).hexdigest() if chain else ""


def _all(parcel: Parcel, trouble: DialogError, remote: str) -> list[RecipientOutcome]:
    action = Action.FAILED if trouble.status.startswith("5") else Action.DELAYED
    return [
        RecipientOutcome(recipient.address, action, trouble.status, trouble.text, remote, own=True)
        for recipient in parcel.envelope.recipients
    ]


def _endpoint(destination: str) -> tuple[str, int]:
    """ "host", "host:port" or "[IPv6]:port"."""
    host, colon, port = destination.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.startswith("[")):
        return host.strip("[]"), int(port)
    return destination.strip("[]"), SMTP


def _why(error: BaseException) -> str:
    return "no answer in time" if isinstance(error, TimeoutError) else getattr(error, "strerror", "") or str(error)
