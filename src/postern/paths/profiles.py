"""The deviations that the profiles `practical` and `hardened` make from the reference's rows, each with its reason.

`reference` has none. `practical` adds to the reference the mechanisms that today's clients need, and encryption on every path
that can carry it. `hardened` is `practical` without NTLM, Digest and Basic wherever Kerberos, SCRAM or a certificate can do the
work. A row names its deviations: `practical=(profiles.SCRAM,)`.
"""

from __future__ import annotations

from dataclasses import replace

from postern.model.organization import Profile
from postern.model.security import Encryption, Mechanism
from postern.paths import ports
from postern.paths.row import Deviation, Path, Port, Tls, Wire
from postern.paths.wording import mechanism_words, port_words, seal_words

_STRONG = frozenset(
    {Mechanism.KERBEROS, Mechanism.NEGOTIATE, Mechanism.SCRAM, Mechanism.CERTIFICATE, Mechanism.DIRECT_TRUST}
)
_WEAK = (Mechanism.NTLM, Mechanism.DIGEST, Mechanism.BASIC)

# What `practical` changes

PASSWORDS = Deviation(
    "Thunderbird, phones and scripts submit with a password (PLAIN, LOGIN) inside TLS; few know NTLM or Kerberos",
    default_auth=(Mechanism.BASIC, Mechanism.NTLM, Mechanism.KERBEROS),
    add_auth=(Mechanism.BASIC,),
    softens=True,
)
EWS_PASSWORDS = Deviation(
    "clients of Exchange Web Services on phones, Macs and in scripts ask with a password (Basic) inside TLS",
    add_auth=(Mechanism.BASIC,),
    softens=True,
)
TLS_FROM_THE_FIRST_BYTE = Deviation(
    "RFC 8314 section 3.3 recommends TLS from the first byte (465) for submission",
    add_ports=(Port(465, tls=Tls.IMPLICIT),),
)
SCRAM = Deviation(
    "today's clients know SCRAM-SHA-256, which never shows the password; available once an administrator enables it",
    add_auth=(Mechanism.SCRAM,),
)
LOCAL_RPC = Deviation(
    "both roles on one host speak over a unix socket (ncalrpc), where the kernel itself says who calls",
    add_ports=(ports.NCALRPC,),
    same_host=Mechanism.PEER,
    add_auth=(Mechanism.PEER,),
)
RPC_PRIVACY = Deviation(
    "DCE/RPC can seal every call (packet privacy), so it does", encryption=Encryption.REQUIRED, seal="RPC privacy"
)
CLUSTER_PRIVACY = Deviation(
    "calls between nodes are DCE/RPC and are sealed (packet privacy); heartbeats carry a sequence number and no mail",
    encryption=Encryption.REQUIRED,
    seal="RPC privacy",
)
NO_CLEAR_LDAP = Deviation(
    "a password never crosses the perimeter in clear text: the port without SSL is gone", drop_ports=(50389,)
)
LDAP_TLS = Deviation(
    "LDAP upgrades to TLS (RFC 4511 section 4.14), on one host too",
    upgrade_ports=True,
    encryption=Encryption.REQUIRED,
    seal="TLS",
)
LOCAL_LDAP = Deviation(
    "the edge's own processes ask over a unix socket (ldapi), where the kernel itself says who calls",
    add_ports=(ports.LDAPI,),
    add_auth=(Mechanism.PEER,),
)
SMB_ENCRYPTION = Deviation(
    "SMB 3.1.1 encrypts with AES-GCM (MS-SMB2 3.1.4.3)", encryption=Encryption.REQUIRED, seal="SMB 3"
)
DATABASE_TLS = Deviation(
    "a whole database crosses the wire: it goes through TLS", encryption=Encryption.REQUIRED, seal="TLS"
)
LEGACY_HTTPS = Deviation(
    "earlier versions answer HTTPS on 443: no password or mail goes to them in clear text",
    drop_ports=(80,),
    encryption=Encryption.REQUIRED,
    seal="TLS",
)
ADDRESS_BOOK_HTTPS = Deviation(
    "an address book is personal data, and 443 is there: HTTPS only", encryption=Encryption.REQUIRED
)

# What `hardened` changes besides

OUTLOOK_NEGOTIATE = Deviation(
    "Outlook 2013 and later prove themselves by Negotiate (Kerberos) on RPC over HTTP too",
    default_auth=(Mechanism.NEGOTIATE,),
    add_auth=(Mechanism.NEGOTIATE,),
)
WEBDAV_NEGOTIATE = Deviation(
    "WebDAV clients know Negotiate (Kerberos); a browser keeps its form",
    default_auth=(Mechanism.NEGOTIATE, Mechanism.FORMS),
    add_auth=(Mechanism.NEGOTIATE,),
)
PHONE_CERTIFICATE = Deviation(
    "phones carry a client certificate instead of a password", default_auth=(Mechanism.CERTIFICATE,)
)
DAV_CERTIFICATE = Deviation(
    "phones that have no ticket carry a client certificate instead of a password", add_auth=(Mechanism.CERTIFICATE,)
)
GATEWAY_CERTIFICATE = Deviation(
    "a gateway proves itself by certificate over mutual TLS, as the reference's notes allow",
    default_auth=(Mechanism.CERTIFICATE,),
    add_auth=(Mechanism.CERTIFICATE,),
    encryption=Encryption.REQUIRED,
)


def apply(profile: Profile, row: Path) -> Path:
    """The row as `profile` settles it, with the reasons; cells that changed are composed anew."""
    if profile is Profile.REFERENCE:
        return row
    settled = row
    for deviation in row.practical:
        if not (deviation.softens and profile is Profile.HARDENED):
            settled = _deviate(settled, deviation)
    if profile is Profile.HARDENED:
        for deviation in row.hardened:
            settled = _deviate(settled, deviation)
        settled = _harden(settled)
    return _reword(row, settled)


def _deviate(row: Path, change: Deviation) -> Path:
    kept = tuple(port for port in row.ports if port.number not in change.drop_ports)
    if change.upgrade_ports:
        kept = tuple(replace(port, tls=Tls.UPGRADE) if port.wire is Wire.TCP else port for port in kept)
    default = row.default_auth if change.default_auth is None else change.default_auth
    added = tuple(mechanism for mechanism in change.add_auth if mechanism not in row.supported_auth)
    return replace(
        row,
        ports=kept + change.add_ports,
        default_auth=default if change.same_host is None else (default[0], change.same_host),
        supported_auth=row.supported_auth + added,
        encryption=row.encryption if change.encryption is None else change.encryption,
        seal=row.seal if change.seal is None else change.seal,
        reasons=(*row.reasons, change.reason),
    )


def _harden(row: Path) -> Path:
    """Drops the weak mechanisms where a strong one can do the work."""
    strong = [mechanism for mechanism in row.supported_auth if mechanism in _STRONG]
    weak = [mechanism for mechanism in _WEAK if mechanism in row.supported_auth]
    if not strong or not weak or row.random_secret:
        return row
    left = tuple(mechanism for mechanism in row.supported_auth if mechanism not in _WEAK)
    does = " or ".join(dict.fromkeys(mechanism.value for mechanism in strong))
    dropped = " and ".join(filter(None, (", ".join(weak[:-1]), weak[-1])))
    reason = f"{dropped} dropped: {does} can do the work"
    if Mechanism.NEGOTIATE in strong and Mechanism.NTLM in weak:
        reason += " (Negotiate without NTLM beside it is Kerberos alone)"
    return replace(
        row,
        default_auth=tuple(dict.fromkeys(strong[0] if default in _WEAK else default for default in row.default_auth)),
        supported_auth=left,
        reasons=(*row.reasons, reason),
    )


def _reword(row: Path, settled: Path) -> Path:
    """The settled row with its cells: those of the reference where nothing changed, composed ones elsewhere."""
    cells = row.cells
    added = settled.ports[len(row.ports) :]
    if settled.ports == row.ports + added:
        cells = replace(cells, ports="; ".join(filter(None, (cells.ports, port_words(added)))))
    else:
        cells = replace(cells, ports=port_words(settled.ports))
    if settled.default_auth != row.default_auth:
        cells = replace(cells, default_auth=mechanism_words(settled.default_auth))
    if settled.supported_auth != row.supported_auth:
        cells = replace(cells, supported_auth=mechanism_words(settled.supported_auth))
    if settled.seal != row.seal:
        cells = replace(cells, encryption=seal_words(settled))
    if settled.encryption is not row.encryption and cells.encrypted_by_default == "no":
        cells = replace(cells, encrypted_by_default="yes")
    return settled if cells == row.cells else replace(settled, cells=cells)
