"""`postern user certificate` manages the certificates by which users prove themselves, in the private directory."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, BinaryIO

import click

from postern.cli.directory import in_directory
from postern.cli.failures import Failure, failure
from postern.cli.files import Input
from postern.cli.state_folder import state_option
from postern.cli.terminal import day, echo, echo_json, json_option, print_table

if TYPE_CHECKING:
    from cryptography import x509

    from postern.directory.user_certificates import UserCertificates
    from postern.host.directory import OpenDirectory
    from postern.model.directory import Account
    from postern.model.organization import Organization, StateFolder

_SERIAL = "<SR>"
_ROWS = ("caldav", "carddav")
"""The rows on which users may prove themselves by certificates."""


@click.group("certificate")
def certificate() -> None:
    """Manage the certificates by which users prove themselves, under the host names that ask for one.

    A certificate that has the user's logon name as its user principal name needs no entry here.
    """


@certificate.command("add")
@click.argument("name")
@click.argument("file", type=Input())
@state_option
def add(name: str, file: BinaryIO, state_dir: str | None) -> None:
    """Give the user NAME the certificate in FILE (PEM or DER).

    For example `postern user certificate add alice alice.pem`.
    """
    shown = _certificate(file)
    value = _identity(shown)

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> tuple[str, str]:
        account, kept = await _opened(directory, name, value)
        await kept.add(account, value)
        return account.name, _warning(shown, organization)

    owner, warning = in_directory(state_dir, work)
    if warning:
        echo(f"warning: {warning}", err=True)
    echo(f"{owner} has the certificate {_serial(value)}, good until {day(shown.not_valid_after_utc.timestamp())}")


@certificate.command("list")
@click.argument("name")
@json_option
@state_option
def listing(name: str, as_json: bool, state_dir: str | None) -> None:
    """List the certificates of the user NAME.

    For example `postern user certificate list alice`.
    """

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> tuple[str, ...]:
        account, kept = await _opened(directory, name)
        return await kept.of(account)

    rows = [(_serial(value), _issuer(value)) for value in in_directory(state_dir, work)]
    if as_json:
        echo_json([{"serial": serial, "issuer": issuer} for serial, issuer in rows])
    else:
        print_table(("serial", "issuer"), rows, "no certificate")


@certificate.command("remove")
@click.argument("name")
@click.argument("serial")
@state_option
def remove(name: str, serial: str, state_dir: str | None) -> None:
    """Take the certificate with this SERIAL, as `list` shows it, from the user NAME.

    For example `postern user certificate remove alice 5f3a`.
    """
    wanted = serial.replace(":", "").lower().lstrip("0")

    async def work(directory: OpenDirectory, organization: Organization, state: StateFolder) -> str:
        account, kept = await _opened(directory, name)
        values = [value for value in await kept.of(account) if _serial(value).lstrip("0") == wanted]
        if len(values) != 1:
            raise Failure(
                f"{account.name} has {'several certificates' if values else 'no certificate'} with the serial {serial}: "
                f"`postern user certificate list {name}` lists them",
                os.EX_NOUSER,
            )
        await kept.remove(account, values[0])
        return account.name

    echo(
        f"{in_directory(state_dir, work)} no longer has the certificate {wanted}; its connections end with the next one"
    )


async def _opened(directory: OpenDirectory, name: str, value: str = "") -> tuple[Account, UserCertificates]:
    """Returns the account and what keeps certificates. `value` is the one that is to be kept."""
    if directory.certificates is None:
        rest = f", such as {value}" if value else ""
        raise Failure(
            f"Active Directory keeps this, and its own tools write it: altSecurityIdentities of the account{rest}",
            os.EX_CONFIG,
        )
    account = await directory.read.account((await directory.write.show(name)).name)
    if account is None:
        raise Failure(f"{name} has no account: only who may log on has a certificate", os.EX_NOUSER)
    return account, directory.certificates


def _certificate(file: BinaryIO) -> x509.Certificate:
    from postern.host.own_certificate import MAX_FILE
    from postern.trust.certificates.chains import ChainError, read_bundle

    try:
        bundle = read_bundle(file.read(MAX_FILE), lambda: "")
    except ChainError as error:
        raise failure(error) from None
    if not bundle.certificates:
        raise Failure(f"{file.name} has no certificate: bring it as PEM or DER", os.EX_DATAERR)
    return bundle.certificates[0]


def _identity(shown: x509.Certificate) -> str:
    from postern.trust.certificates.client_certificates import is_for_clients, issuer_and_serial

    if not is_for_clients(shown):
        raise Failure(
            "the certificate is not for client authentication (extended key usage), so that no door takes it: have another one "
            "issued",
            os.EX_DATAERR,
        )
    return issuer_and_serial(shown)


def _warning(shown: x509.Certificate, organization: Organization) -> str:
    """A sentence about why the doors will not take the certificate; "" if they will, as far as its issuer goes."""
    import contextlib
    from pathlib import Path

    from postern.model.security import Mechanism
    from postern.paths.table import settle
    from postern.trust.certificates.authorities import read_authorities

    rows = settle(organization.profile)
    if not any(Mechanism.CERTIFICATE in rows[row].supported_auth for row in _ROWS):
        return f"no row of the profile {organization.profile} takes a user's certificate: the profile hardened does"
    certified = organization.client_certificates
    if certified is None:
        return "no host name asks for certificates: [client-certificates] in postern.toml names them"
    with contextlib.suppress(OSError):
        if any(shown.issuer == each.subject for each in read_authorities(Path(certified.authorities))):
            return ""
    return f"none of the authorities in {certified.authorities} has issued it directly"


def _serial(value: str) -> str:
    """The serial number in hexadecimal, as other tools show it; the whole value where it is no issuer and serial number."""
    _, mark, octets = value.rpartition(_SERIAL)
    try:
        return bytes.fromhex(octets)[::-1].hex() if mark else value
    except ValueError:
        return value


def _issuer(value: str) -> str:
    return value.rpartition(_SERIAL)[0].removeprefix("X509:<I>")
