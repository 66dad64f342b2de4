"""Certificates by ACME on this host: when the next order is due, and the order itself.

Reads and writes the state folder's `certificates`; `acme_record` has what was ordered, and `services.acme` speaks with the
authority. The supervisor renews in a process of its own, so that nothing else waits for an authority.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import datetime
import errno
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from postern.host import certificates, own_certificate
from postern.host.acme_record import AcmeRecord, keep, recorded
from postern.model.organization import Organization, Server, StateFolder
from postern.net.dns import Resolver
from postern.net.door import Door
from postern.paths.guard import Guard
from postern.paths.table import settle
from postern.protocols.acme.signing import AccountKey
from postern.services.acme.challenges import ChallengeFiles
from postern.services.acme.client import Account, AcmeClient, AcmeError, RateLimited
from postern.services.acme.door import ChallengeAccess, ChallengeSession
from postern.services.acme.transport import AcmeTransport, TransportError
from postern.telemetry.log import Event, log
from postern.telemetry.observed import Observed
from postern.trust.certificates.chains import Chain, ChainError, judge, read_bundle
from postern.trust.private_files import replace_file

FIRST_BACK_OFF = 3600.0
LAST_BACK_OFF = 86_400.0
JITTER = 0.1
"""The part of a pause that is left to chance, so that hosts which began together do not ask together."""
CHALLENGE_PORT = 80


def is_due(state: StateFolder, now: float) -> bool:
    """Whether the certificate of an order is to be renewed now. One that an administrator replaced is not. Raises
    CertificateError for a damaged one."""
    record = recorded(state)
    if record is None or now < record.due:
        return False
    here = own_certificate.in_place(state)
    return here is not None and here.source is own_certificate.Source.ACME


async def order(
    state: StateFolder, organization: Organization, server: Server, record: AcmeRecord, observed: Observed
) -> Chain:
    """Orders a certificate and puts it into place. Raises AcmeError, TransportError, ChainError or OSError."""
    rows = settle(organization.profile)
    resolver = Resolver(rows["any-server-to-dns"], organization.dns_servers)
    files = ChallengeFiles(state.certificates)
    authorities = Path(record.authorities) if record.authorities else None
    transport = AcmeTransport(rows["acme"], resolver, observed, authorities, record.private)
    client = AcmeClient(transport, record.directory, _account(state, record), files)
    key = ec.generate_private_key(ec.SECP256R1())
    request = own_certificate.signing_request(key, record.names)
    async with _challenges(organization, server, files, observed):
        pem = await client.order(record.names, request.public_bytes(Encoding.DER))
    bundle = read_bundle(pem, lambda: "")
    roots, now = own_certificate.known_authorities(organization), datetime.datetime.now(datetime.UTC)
    chain = judge(bundle.certificates, key, record.names, roots, now, whole=False)
    _check_wanted(state, record)
    leaf = chain.certificates[0]
    # Whenever this process ends, the certificate in place is one of the two, and an order that was cut short is due again.
    issued = replace(record, certificate=own_certificate.fingerprint(leaf), former=record.certificate, failures=0)
    keep(state, issued)
    own_certificate.install(state, chain, acme=True)
    keep(state, replace(issued, due=_next_order(chain)))
    log(Event.ACME_ISSUED, path="acme", names=list(record.names), until=leaf.not_valid_after_utc.isoformat())
    return chain


async def renew(state: StateFolder, organization: Organization, server: Server, observed: Observed) -> bool:
    """Renews the certificate of this host's order. A failure is logged, and the order is due again after a pause that grows.
    Says whether there is a new certificate."""
    record = recorded(state)
    if record is None:
        return False
    try:
        await order(state, organization, server, record, observed)
    except (AcmeError, TransportError, ChainError, OSError) as error:
        if recorded(state) is None:
            return False
        pause = min(FIRST_BACK_OFF * 2**record.failures, LAST_BACK_OFF)
        if isinstance(error, RateLimited):
            pause = max(pause, error.seconds)
        pause *= 1 + random.uniform(0, JITTER)  # noqa: S311 (no secret)
        later = datetime.datetime.now(datetime.UTC).timestamp() + pause
        keep(state, replace(record, failures=record.failures + 1, due=later))
        log(Event.ACME_FAILED, path="acme", names=list(record.names), error=str(error), again_in=round(pause))
        return False
    return True


def _check_wanted(state: StateFolder, record: AcmeRecord) -> None:
    """Raises AcmeError if an administrator ended the renewal while it went on."""
    if record.certificate and recorded(state) is None:
        raise AcmeError("another certificate was put into place meanwhile, and stays")


def _next_order(chain: Chain) -> float:
    """The time of the next order: a third of the certificate's life before its end, and by chance a little earlier."""
    leaf = chain.certificates[0]
    begin, end = leaf.not_valid_before_utc.timestamp(), leaf.not_valid_after_utc.timestamp()
    third = (end - begin) / 3
    return end - third - third * random.uniform(0, JITTER)  # noqa: S311 (no secret)


@asynccontextmanager
async def _challenges(
    organization: Organization, server: Server, files: ChallengeFiles, observed: Observed
) -> AsyncIterator[None]:
    """Answers challenges on port 80 of this server, unless a door of the host does so already. Raises AcmeError if the port
    cannot be had."""
    row, doors = settle(organization.profile)["acme-challenge"], []
    access = ChallengeAccess(Guard([row], frozenset()), files, observed)
    number = organization.port(CHALLENGE_PORT)
    try:
        for address in server.addresses:
            door = Door([row], row.port(CHALLENGE_PORT), partial(ChallengeSession, access), None)
            try:
                await door.open(address, number, shared=False)
            except OSError as error:
                if error.errno == errno.EADDRINUSE:
                    continue
                raise AcmeError(
                    f"port {number} of {address} cannot be opened ({error.strerror}), and nobody answers there: ask while "
                    "`postern run` runs on this host"
                ) from None
            doors.append(door)
        yield
    finally:
        for door in doors:
            await door.close(1.0)


def _account(state: StateFolder, record: AcmeRecord) -> Account:
    """The account, whose key is made at the first order. Raises AcmeError."""
    file = state.certificates / "acme.key"
    key: object = None
    with contextlib.suppress(FileNotFoundError, ValueError, TypeError):
        key = load_pem_private_key(file.read_bytes(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        key = ec.generate_private_key(ec.SECP256R1())
        replace_file(file, certificates.private_pem(key))
    binding = (record.binding, _secret(record.binding_key)) if record.binding else None
    return Account(AccountKey(key), record.contact, record.agrees, binding)


def _secret(text: str) -> bytes:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (ValueError, binascii.Error):
        raise AcmeError("the binding's key is no base64url: type it as the authority gave it") from None
