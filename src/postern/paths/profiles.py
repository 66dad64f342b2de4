"""What the profiles `practical` and `hardened` make of the reference's rows: each deviation with its reason.

`reference` has none. `practical` is the reference plus what today's clients need, and encryption on every path that can carry
it. `hardened` is `practical` without NTLM, Digest and Basic wherever Kerberos, SCRAM or a certificate can do the work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from postern.model.organization import Profile
from postern.model.security import Encryption, Mechanism
from postern.paths import ports
from postern.paths.row import Path, Port, Tls, Wire
from postern.paths.wording import mechanism_words, port_words, seal_words

_STRONG = frozenset(
    {Mechanism.KERBEROS, Mechanism.NEGOTIATE, Mechanism.SCRAM, Mechanism.CERTIFICATE, Mechanism.DIRECT_TRUST}
)
_SERVICE_PASSWORD = frozenset({"private-directory", "recipient-filter", "edgesync"})
"""Rows on which Basic carries a service's own 256 random bits, never a person's password: there is nothing to guess."""
_WEAK = (Mechanism.NTLM, Mechanism.DIGEST, Mechanism.BASIC)


@dataclass(frozen=True, slots=True)
class Deviation:
    """One change of one row. What is None or empty stays as it was; `add_auth` goes behind what is supported already."""

    row: str
    reason: str
    add_ports: tuple[Port, ...] = ()
    drop_ports: tuple[int, ...] = ()
    upgrade_ports: bool = False
    """TCP ports in clear text take TLS by a command."""
    default_auth: tuple[Mechanism, ...] | None = None
    add_auth: tuple[Mechanism, ...] = ()
    encryption: Encryption | None = None
    seal: str | None = None
    softens: bool = False
    """Admits something weaker than the reference because clients need it; `hardened` leaves it out."""


_LOCAL_RPC = "both roles on one host speak over a unix socket (ncalrpc), where the kernel itself says who calls"
_SCRAM = (
    "today's clients know SCRAM-SHA-256, which never shows the password; available once an administrator enables it"
)
_PRIVACY = "DCE/RPC can seal every call (packet privacy), so it does"


def _rpc_privacy(*rows: str) -> tuple[Deviation, ...]:
    return tuple(Deviation(row, _PRIVACY, encryption=Encryption.REQUIRED, seal="RPC privacy") for row in rows)


PRACTICAL: tuple[Deviation, ...] = (
    Deviation(
        "client-to-hub-smtp",
        "Thunderbird, phones and scripts submit with a password (PLAIN, LOGIN) inside TLS; few know NTLM or Kerberos",
        default_auth=(Mechanism.BASIC, Mechanism.NTLM, Mechanism.KERBEROS),
        add_auth=(Mechanism.BASIC,),
        softens=True,
    ),
    Deviation(
        "client-to-hub-smtp",
        "RFC 8314 section 3.3 recommends TLS from the first byte (465) for submission",
        add_ports=(Port(465, tls=Tls.IMPLICIT),),
    ),
    Deviation("client-to-hub-smtp", _SCRAM, add_auth=(Mechanism.SCRAM,)),
    Deviation("imap4", _SCRAM, add_auth=(Mechanism.SCRAM,)),
    Deviation("pop3", _SCRAM, add_auth=(Mechanism.SCRAM,)),
    Deviation(
        "mailbox-to-hub-submission",
        _LOCAL_RPC,
        add_ports=(ports.NCALRPC,),
        default_auth=(Mechanism.NTLM, Mechanism.PEER),
        add_auth=(Mechanism.PEER,),
    ),
    Deviation(
        "hub-to-mailbox-mapi",
        _LOCAL_RPC,
        add_ports=(ports.NCALRPC,),
        default_auth=(Mechanism.NTLM, Mechanism.PEER),
        add_auth=(Mechanism.PEER,),
    ),
    Deviation(
        "cas-to-mailbox",
        _LOCAL_RPC,
        add_ports=(ports.NCALRPC,),
        default_auth=(Mechanism.KERBEROS, Mechanism.PEER),
        add_auth=(Mechanism.PEER,),
    ),
    Deviation(
        "ad-topology",
        _LOCAL_RPC,
        add_ports=(ports.NCALRPC,),
        default_auth=(Mechanism.NTLM, Mechanism.PEER),
        add_auth=(Mechanism.PEER,),
    ),
    Deviation(
        "rus-rpc",
        _LOCAL_RPC,
        add_ports=(ports.NCALRPC,),
        default_auth=(Mechanism.KERBEROS, Mechanism.PEER),
        add_auth=(Mechanism.PEER,),
    ),
    Deviation(
        "edgesync",
        "a password never crosses the perimeter in clear text: the port without SSL is gone",
        drop_ports=(50389,),
    ),
    Deviation(
        "edge-adam",
        "LDAP upgrades to TLS (RFC 4511 section 4.14), on one host too",
        upgrade_ports=True,
        encryption=Encryption.REQUIRED,
        seal="TLS",
    ),
    Deviation(
        "edge-adam",
        "the edge's own processes ask over a unix socket (ldapi), where the kernel itself says who calls",
        add_ports=(ports.LDAPI,),
        add_auth=(Mechanism.PEER,),
    ),
    Deviation(
        "log-shipping",
        "SMB 3.1.1 encrypts with AES-GCM (MS-SMB2 3.1.4.3)",
        encryption=Encryption.REQUIRED,
        seal="SMB 3",
    ),
    Deviation(
        "seeding", "a whole database crosses the wire: it goes through TLS", encryption=Encryption.REQUIRED, seal="TLS"
    ),
    Deviation(
        "legacy-backup",
        "a whole database crosses the wire: it goes through TLS",
        encryption=Encryption.REQUIRED,
        seal="TLS",
    ),
    Deviation(
        "clustering",
        "calls between nodes are DCE/RPC and are sealed (packet privacy); heartbeats carry a sequence number and no mail",
        encryption=Encryption.REQUIRED,
        seal="RPC privacy",
    ),
    Deviation(
        "admin-smb", "SMB 3.1.1 encrypts with AES-GCM (MS-SMB2 3.1.4.3)", encryption=Encryption.REQUIRED, seal="SMB 3"
    ),
    *_rpc_privacy("mailbox-assistants", "admin-remote-registry", "attendant-listen"),
    Deviation(
        "cas-to-legacy-mailbox",
        "earlier versions answer HTTPS on 443: no password or mail goes to them in clear text",
        drop_ports=(80,),
        encryption=Encryption.REQUIRED,
        seal="TLS",
    ),
    Deviation(
        "outlook-oab-web",
        "an address book is personal data, and 443 is there: HTTPS only",
        encryption=Encryption.REQUIRED,
    ),
)

HARDENED: tuple[Deviation, ...] = (
    Deviation(
        "outlook-anywhere",
        "Outlook 2013 and later prove themselves by Negotiate (Kerberos) on RPC over HTTP too",
        default_auth=(Mechanism.NEGOTIATE,),
        add_auth=(Mechanism.NEGOTIATE,),
    ),
    Deviation(
        "cas-webdav",
        "WebDAV clients know Negotiate (Kerberos); a browser keeps its form",
        default_auth=(Mechanism.NEGOTIATE, Mechanism.FORMS),
        add_auth=(Mechanism.NEGOTIATE,),
    ),
    Deviation(
        "activesync", "phones carry a client certificate instead of a password", default_auth=(Mechanism.CERTIFICATE,)
    ),
    *(
        Deviation(
            row,
            "a gateway proves itself by certificate over mutual TLS, as the reference's notes allow",
            default_auth=(Mechanism.CERTIFICATE,),
            add_auth=(Mechanism.CERTIFICATE,),
            encryption=Encryption.REQUIRED,
        )
        for row in ("um-fax", "um-phone", "sip-redirect")
    ),
)


def apply(profile: Profile, row: Path) -> Path:
    """The row as `profile` settles it, its reasons with it; cells that changed are worded anew."""
    if profile is Profile.REFERENCE:
        return row
    settled = row
    for deviation in PRACTICAL:
        if deviation.row == row.id and not (deviation.softens and profile is Profile.HARDENED):
            settled = _deviate(settled, deviation)
    if profile is Profile.HARDENED:
        for deviation in HARDENED:
            if deviation.row == row.id:
                settled = _deviate(settled, deviation)
        settled = _harden(settled)
    return _reword(row, settled)


def _deviate(row: Path, change: Deviation) -> Path:
    kept = tuple(port for port in row.ports if port.number not in change.drop_ports)
    if change.upgrade_ports:
        kept = tuple(replace(port, tls=Tls.UPGRADE) if port.wire is Wire.TCP else port for port in kept)
    return replace(
        row,
        ports=kept + change.add_ports,
        default_auth=row.default_auth if change.default_auth is None else change.default_auth,
        supported_auth=row.supported_auth + tuple(one for one in change.add_auth if one not in row.supported_auth),
        encryption=row.encryption if change.encryption is None else change.encryption,
        seal=row.seal if change.seal is None else change.seal,
        reasons=(*row.reasons, change.reason),
    )


def _harden(row: Path) -> Path:
    """Drops what is weak where something strong is left to do its work."""
    strong = [one for one in row.supported_auth if one in _STRONG]
    weak = [one for one in _WEAK if one in row.supported_auth]
    if not strong or not weak or row.id in _SERVICE_PASSWORD:
        return row
    left = tuple(one for one in row.supported_auth if one not in _WEAK)
    does = " or ".join(dict.fromkeys(one.value for one in strong))
    dropped = " and ".join(filter(None, (", ".join(weak[:-1]), weak[-1])))
    reason = f"{dropped} dropped: {does} can do the work"
    if Mechanism.NEGOTIATE in strong and Mechanism.NTLM in weak:
        reason += " (Negotiate without NTLM beside it is Kerberos alone)"
    return replace(
        row,
        default_auth=tuple(dict.fromkeys(strong[0] if one in _WEAK else one for one in row.default_auth)),
        supported_auth=left,
        reasons=(*row.reasons, reason),
    )


def _reword(row: Path, settled: Path) -> Path:
    """The reference's words where a cell is the reference's, our own where it is not."""
    words = row.words
    added = settled.ports[len(row.ports) :]
    if settled.ports == row.ports + added:
        words = replace(words, ports="; ".join(filter(None, (words.ports, port_words(added)))))
    else:
        words = replace(words, ports=port_words(settled.ports))
    if settled.default_auth != row.default_auth:
        words = replace(words, default_auth=mechanism_words(settled.default_auth))
    if settled.supported_auth != row.supported_auth:
        words = replace(words, supported_auth=mechanism_words(settled.supported_auth))
    if settled.seal != row.seal:
        words = replace(words, encryption=seal_words(settled))
    if settled.encryption is not row.encryption and words.encrypted_by_default == "no":
        words = replace(words, encrypted_by_default="yes")
    return settled if words == row.words else replace(settled, words=words)
