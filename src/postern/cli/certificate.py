"""`postern certificate` shows the server's certificate, asks for one, puts one into place and renews it.

`host.own_certificate` does the work; the doors take up another certificate by themselves.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from postern.cli.failures import Failure, failure
from postern.cli.files import Input, Output, OutputFile
from postern.cli.state_folder import existing, keeps_low_ports, state_option
from postern.cli.terminal import ask_password, day, echo, echo_json, echo_page, json_moment, json_option, print_fields
from postern.model.words import counted

if TYPE_CHECKING:
    from cryptography import x509

    from postern.host.acme_record import AcmeRecord
    from postern.model.organization import Organization, Server, StateFolder
    from postern.trust.certificates.chains import Chain

_DAY = 86_400
_DIRECTORY = "https://acme-v02.api.letsencrypt.org/directory"
_NOT_PUBLIC = frozenset({"localhost", "local", "localdomain", "internal", "arpa", "onion", "invalid"})
"""Top-level domains that no authority issues for, since the public DNS does not have them."""


@click.group("certificate")
def certificate() -> None:
    """Manage this server's certificate: show, request, import, renew, or have it by ACME."""


@certificate.command("show")
@json_option
@state_option
def show(as_json: bool, state_dir: str | None) -> None:
    """Show the certificate that the doors show, the organization's authority, and a request that waits.

    For example `postern certificate show`.
    """
    from postern.host import own_certificate
    from postern.trust.certificates.chains import covers, names_in

    folder, organization, server = _here(state_dir)
    here, authority = own_certificate.in_place(folder), own_certificate.authority(folder)
    waiting = own_certificate.requested(folder)
    shown: list[dict[str, Any]] = []
    if here is not None:
        doors = [f"{number} {', '.join(rows)}" for number, rows in own_certificate.doors(organization, server)]
        missing = [name for name in organization.names_of(server) if not covers(names_in(here.leaf), name)]
        shown.append(_as_dict("server", here.leaf, here.source, doors, missing))
    if authority is not None:
        shown.append(_as_dict("authority", authority, "local", [], []))
    asked = list(names_in(waiting)) if waiting is not None else []
    if as_json:
        echo_json({"certificates": shown, "requested": asked})
        return
    for number, each in enumerate(shown):
        if number:
            echo()
        print_fields(_fields(each))
    if not shown:
        echo("no certificate: the first `postern run` makes one")
    if asked:
        echo(f"a request for {', '.join(asked)} waits for its certificate: `postern certificate import` takes it")


@certificate.command("request")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--output", type=Output(), metavar="FILE", help="Write it to this file; by default to standard output.")
@click.option("--rsa", "by_rsa", is_flag=True, help="Make an RSA key of 2,048 bits; by default ECDSA on P-256.")
@click.option("--new-key", "anew", is_flag=True, help="Make another key though a request waits already.")
@state_option
def request(names: tuple[str, ...], output: OutputFile | None, by_rsa: bool, anew: bool, state_dir: str | None) -> None:
    """Make a certificate signing request for the server's names, or for these, to be sent to your authority.

    Its key is made here and stays here until `postern certificate import` gets the certificate. Another request before that
    is for the same key.

    For example `postern certificate request mail.example.test`.
    """
    from postern.host import own_certificate

    folder, organization, server = _here(state_dir)
    wanted = _names(names) or organization.names_of(server)
    pem = own_certificate.request(folder, wanted, by_rsa, anew)
    if output is None:
        echo_page(pem.decode())
    else:
        output.write(pem)
        echo(f"wrote a request for {', '.join(wanted)} to {output.name}")


@certificate.command("import")
@click.argument("file", type=Input())
@click.option("--key", type=Input(), metavar="FILE", help="The file of the private key, if FILE does not hold it.")
@click.option("--without-name", is_flag=True, help="Take it though it does not name this server.")
@click.option("--dry-run", is_flag=True, help="Check it only.")
@state_option
def import_(file: BinaryIO, key: BinaryIO | None, without_name: bool, dry_run: bool, state_dir: str | None) -> None:
    """Take a certificate with its chain into use: PEM or PKCS #12. A password is asked for.

    Without a key it is the certificate of the request that waits, or another one for the key in use. Connections stay; new
    ones are shown it a few seconds later. It is never replaced by an automatic one.

    For example `postern certificate import mail.pem --key mail.key`.
    """
    from postern.host import own_certificate
    from postern.trust.certificates.chains import ChainError

    folder, organization, server = _here(state_dir)
    try:
        chain = own_certificate.judged(
            folder, organization, server, _read(file), _read(key) if key else None, _password, without_name
        )
    except ChainError as error:
        raise failure(error) from None
    _tell_warnings(chain)
    if dry_run:
        echo("the certificate can be used; nothing was changed")
        return
    own_certificate.install(folder, chain)
    echo(f"imported {_title(chain.certificates[0])}")
    _tell_consequences(folder, organization, server)


@certificate.command("renew")
@click.option(
    "--local", is_flag=True, help="Have the organization's own authority sign one, in place of the certificate here."
)
@state_option
@keeps_low_ports
def renew(local: bool, state_dir: str | None) -> None:
    """Have a new certificate made now, as the certificate in place was made; this also happens by itself in time.

    For example `postern certificate renew`.
    """
    from postern.host import own_certificate
    from postern.host.acme_record import recorded
    from postern.host.own_certificate import Source

    folder, organization, server = _here(state_dir)
    here = own_certificate.in_place(folder)
    if here is not None and here.source is Source.OWN and not local:
        raise Failure(
            "this certificate was imported, and only its authority can renew it: `postern certificate request` makes the "
            "request for it, and --local returns to the organization's own authority",
            os.EX_CONFIG,
        )
    if here is not None and here.source is Source.ACME and not local and (record := recorded(folder)):
        _order(folder, organization, server, record)
        return
    own_certificate.renew_locally(folder, organization, server)
    renewed = own_certificate.in_place(folder)
    assert renewed is not None
    echo(f"renewed {_title(renewed.leaf)}")
    _tell_consequences(folder, organization, server)


@certificate.command("acme")
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--directory", metavar="URL", help="The authority's ACME directory.")
@click.option("--contact", metavar="MAIL", help="Where the authority may write to.")
@click.option("--agree", is_flag=True, help="Agree to the authority's terms of service.")
@click.option(
    "--authorities", type=Input(), metavar="FILE", help="A PEM file that validates the authority's server; it is kept."
)
@click.option("--private", is_flag=True, help="Dial addresses that are not public, and other ports than 443.")
@click.option("--binding", metavar="ID", help="The key id of an account that the authority gave you otherwise.")
@click.option("--binding-key-stdin", is_flag=True, help="Read that account's key from standard input.")
@state_option
@keeps_low_ports
def acme(
    names: tuple[str, ...],
    directory: str | None,
    contact: str | None,
    agree: bool,
    authorities: BinaryIO | None,
    private: bool,
    binding: str | None,
    binding_key_stdin: bool,
    state_dir: str | None,
) -> None:
    """Have an authority issue a certificate by ACME, for the server's names or for these; from then on it renews itself.

    The authority asks port 80 of each name, which must reach this server; wildcards are not issued so. Without --directory
    and other options those of the last order count.

    For example `postern certificate acme --agree mail.example.test`.
    """
    from postern.host.acme_record import AcmeRecord, recorded

    folder, organization, server = _here(state_dir)
    if not organization.acme:
        raise Failure(
            "postern.toml does not open the rows acme and acme-challenge: write `acme = true` under [organization] and "
            "start this server anew",
            os.EX_CONFIG,
        )
    before = recorded(folder)
    wanted = _names(names) or (before.names if before else organization.names_of(server))
    _check_issuable(wanted)
    record = AcmeRecord(
        directory=directory or (before.directory if before else _DIRECTORY),
        contact=contact if contact is not None else before.contact if before else "",
        names=wanted,
        agrees=agree or (before is not None and before.agrees and directory in (None, before.directory)),
        authorities=_kept(folder, authorities) if authorities else before.authorities if before else "",
        private=private or (before is not None and before.private),
        binding=binding or (before.binding if before else ""),
        binding_key=sys.stdin.readline().strip() if binding_key_stdin else before.binding_key if before else "",
    )
    _order(folder, organization, server, record)


def _kept(folder: StateFolder, authorities: BinaryIO) -> str:
    """Keeps the authorities in the state folder, for renewals read them too. Returns the file."""
    from postern.host import own_certificate

    try:
        return str(own_certificate.keep_authorities(folder, authorities.read(own_certificate.MAX_FILE + 1)))
    except ValueError:
        raise Failure(f"{authorities.name} has no authorities: name a PEM file of them", os.EX_DATAERR) from None


def _order(folder: StateFolder, organization: Organization, server: Server, record: AcmeRecord) -> None:
    from postern.host import acme as orders
    from postern.services.acme.client import AcmeError
    from postern.services.acme.transport import TransportError
    from postern.telemetry.log import configure
    from postern.telemetry.observed import Observed
    from postern.trust.certificates.chains import ChainError

    configure("postern", None, "critical")  # the command says itself what fails
    try:
        chain = asyncio.run(orders.order(folder, organization, server, record, Observed(None)))
    except (AcmeError, TransportError, ChainError) as error:
        raise failure(error) from None
    _tell_warnings(chain)
    echo(f"issued {_title(chain.certificates[0])}; it renews itself")
    _tell_consequences(folder, organization, server)


def _tell_warnings(chain: Chain) -> None:
    for warning in chain.warnings:
        echo(f"warning: {warning}", err=True)


def _check_issuable(names: tuple[str, ...]) -> None:
    """Raises Failure for names that no authority can prove by port 80."""
    for name in names:
        if name.startswith("*."):
            raise Failure(f"{name} needs a proof by DNS, which is not built: name its hosts one by one", os.EX_DATAERR)
        if "." not in name or name.rpartition(".")[2] in _NOT_PUBLIC:
            raise Failure(f"{name} is no name of the public DNS: name those that others look up", os.EX_DATAERR)


def _tell_consequences(folder: StateFolder, organization: Organization, server: Server) -> None:
    """Says when the certificate is shown, and which servers must learn of it."""
    from postern.host.supervision import processes
    from postern.model.organization import Role

    running = processes.running(folder)
    echo("the doors show it from now on; connections stay" if running else "the doors show it from the next start on")
    if Role.EDGE in server.roles:
        echo(
            "hubs trust this edge by its former certificate: write a new file with `postern edge subscription new`, and "
            "subscribe it on a hub; until then mail waits on both sides"
        )
    elif Role.HUB in server.roles and organization.with_role(Role.EDGE):
        echo("EdgeSync publishes it to the edges within minutes; mail to and from them waits until then")


def _names(names: tuple[str, ...]) -> tuple[str, ...]:
    """The names in A-labels. Raises Failure for what is no host name."""
    from postern.model.domains import domain_name

    wanted = []
    for name in names:
        star = "*." if name.startswith("*.") else ""
        try:
            wanted.append(star + domain_name(name.removeprefix("*.")))
        except ValueError:
            raise Failure(f"{name} is no host name: name hosts such as mail.example.test", os.EX_DATAERR) from None
    return tuple(dict.fromkeys(wanted))


def _read(file: BinaryIO) -> bytes:
    from postern.host.own_certificate import MAX_FILE

    data = file.read(MAX_FILE + 1)
    if len(data) > MAX_FILE:
        raise Failure(f"{file.name} has more than {MAX_FILE} octets: bring the certificate alone", os.EX_DATAERR)
    return data


def _password() -> str:
    return ask_password("Password of the key", "a key without a password, in a file that only root can read")


def _as_dict(use: str, each: x509.Certificate, source: str, doors: list[str], missing: list[str]) -> dict[str, Any]:
    from postern.host.own_certificate import fingerprint
    from postern.trust.certificates.chains import names_in

    until = each.not_valid_after_utc.timestamp()
    return {
        "use": use,
        "subject": each.subject.rfc4514_string(),
        "names": list(names_in(each)),
        "missing": missing,
        "issuer": each.issuer.rfc4514_string(),
        "source": str(source),
        "valid_from": json_moment(each.not_valid_before_utc.timestamp()),
        "valid_until": json_moment(until),
        "days_left": int((until - time.time()) // _DAY),
        "fingerprint": fingerprint(each),
        "doors": doors,
    }


_SOURCES = {
    "local": "the organization's own authority; this host renews it",
    "acme": "an authority by ACME; this host renews it",
    "own": "imported; this host does not renew it",
}


def _fields(each: dict[str, Any]) -> dict[str, str]:
    left: int = each["days_left"]
    when = f"{counted(left, 'day')} left" if left >= 0 else "it has expired"
    return {
        "certificate": "shown by the doors" if each["use"] == "server" else "the organization's authority",
        "subject": each["subject"],
        "names": ", ".join(each["names"]),
        "without": ", ".join(each["missing"]),
        "issuer": each["issuer"],
        "made by": _SOURCES[each["source"]] if each["use"] == "server" else "",
        "valid": f"{each['valid_from'][:10]} to {each['valid_until'][:10]}, {when}",
        "SHA-256": each["fingerprint"],
        "doors": "; ".join(each["doors"]),
    }


def _title(each: x509.Certificate) -> str:
    from postern.trust.certificates.chains import names_in

    names = names_in(each)
    others = " and others" if len(names) > 3 else ""
    return f"the certificate of {', '.join(names[:3])}{others}, good until {day(each.not_valid_after_utc.timestamp())}"


def _here(state_dir: str | None) -> tuple[StateFolder, Organization, Server]:
    from postern.host import configuration

    folder = existing(state_dir)
    organization = configuration.load(folder)
    return folder, organization, configuration.this_server(organization, configuration.recorded(folder))
