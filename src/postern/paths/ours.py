"""Rows beyond the reference, marked as ours: what a whole organization also needs, and the paths that stand only in the
reference's notes (heartbeats, the open-proxy test, media, the redirect to workers, the recipient filter's look-up).

Their words are in the style of the reference's cells. What a domain and every machine need stands in `surroundings`.
"""

from __future__ import annotations

from postern.model.security import Encryption, Mechanism
from postern.paths import ports
from postern.paths.row import End, Party, Path, Port, Table, Tls, Wire, Words
from postern.paths.surroundings import DOMAIN, MACHINE

_ANONYMOUS = (Mechanism.ANONYMOUS,)

MAIL: tuple[Path, ...] = (
    Path(
        id="internet-to-hub",
        table=Table.OURS,
        name="Internet mail server to Hub Transport (no edge deployed)",
        caller=(Party.INTERNET,),
        callee=Party.HUB,
        ports=ports.SMTP,
        default_auth=_ANONYMOUS,
        supported_auth=_ANONYMOUS,
        encryption=Encryption.OFFERED,
        seal="TLS",
        words=Words("25/TCP (TLS)", "Anonymous", "Anonymous", "TLS", "yes", "opportunistic TLS"),
    ),
    Path(
        id="hub-to-internet",
        table=Table.OURS,
        name="Hub Transport to Internet mail server or smart host (no edge deployed)",
        caller=(Party.HUB,),
        callee=Party.INTERNET,
        ports=ports.SMTP,
        default_auth=_ANONYMOUS,
        supported_auth=_ANONYMOUS,
        encryption=Encryption.OFFERED,
        seal="TLS",
        words=Words(
            "25/TCP (TLS)",
            "Anonymous",
            "Anonymous",
            "TLS",
            "yes",
            "by MX or smart host (whose port the send connector may name); TLS is always tried, never demanded",
        ),
    ),
    Path(
        id="recipient-filter",
        table=Table.OURS,
        name="Recipient filter's look-up in the directory",
        caller=(Party.EDGE, Party.HUB),
        callee=Party.PRIVATE_DIRECTORY,
        ports=ports.LDAP,
        default_auth=(Mechanism.BASIC,),
        supported_auth=(Mechanism.BASIC, Mechanism.KERBEROS),
        encryption=Encryption.REQUIRED,
        seal="TLS",
        words=Words(
            "unix socket (ldapi); 389/TCP (TLS); 636/TCP (SSL)",
            "Basic",
            "Basic, Kerberos",
            "TLS",
            "yes",
            "the reference's notes: local on an edge; on a hub it is the hub's access to the directory",
        ),
    ),
    Path(
        id="dnsbl",
        table=Table.OURS,
        name="Connection filter to DNS block lists",
        caller=(Party.EDGE, Party.HUB),
        callee=Party.NAME_SERVER,
        ports=ports.DNS,
        default_auth=_ANONYMOUS,
        supported_auth=_ANONYMOUS,
        encryption=Encryption.NEVER,
        words=Words(
            "53/UDP; 53/TCP", "Anonymous", "Anonymous", "none", "no", "through the organization's name servers"
        ),
    ),
    Path(
        id="open-proxy-test",
        table=Table.OURS,
        name="Sender reputation's open-proxy test",
        caller=(Party.EDGE, Party.HUB),
        callee=Party.INTERNET,
        ports=(
            Port(1080, label="socks"),
            Port(1081, label="socks"),
            Port(23, label="wingate"),
            Port(6588, label="http"),
            Port(3128, label="http"),
            Port(80, label="http"),
        ),
        default_auth=_ANONYMOUS,
        supported_auth=_ANONYMOUS,
        encryption=Encryption.NEVER,
        words=Words(
            "1080/TCP, 1081/TCP (SOCKS); 23/TCP (Wingate, Telnet); 6588/TCP, 3128/TCP, 80/TCP (HTTP)",
            "Anonymous",
            "Anonymous",
            "none",
            "no",
            "the reference's notes: the protocol analysis agent dials the suspect sender",
        ),
    ),
)

STORAGE: tuple[Path, ...] = (
    Path(
        id="postgresql",
        table=Table.OURS,
        name="Mailbox to its databases (PostgreSQL)",
        caller=(Party.MAILBOX,),
        callee=Party.DATABASE,
        ports=ports.POSTGRESQL,
        default_auth=(Mechanism.PEER, Mechanism.SCRAM),
        supported_auth=(Mechanism.PEER, Mechanism.SCRAM, Mechanism.KERBEROS, Mechanism.CERTIFICATE),
        encryption=Encryption.REQUIRED,
        seal="TLS",
        words=Words(
            "unix socket (postgresql); 5432/TCP (TLS)",
            "Peer credentials, SCRAM-SHA-256",
            "Peer credentials, SCRAM-SHA-256, Kerberos, Certificate",
            "TLS, GSS",
            "yes",
            "the private cluster listens on its socket only; a URL in the configuration names another",
        ),
    ),
    Path(
        id="database-replication",
        table=Table.OURS,
        name="Mailbox database to its standby (PostgreSQL streaming replication)",
        caller=(Party.DATABASE,),
        callee=Party.DATABASE,
        ports=(Port(5432, tls=Tls.UPGRADE),),
        default_auth=(Mechanism.KERBEROS, Mechanism.SCRAM),
        supported_auth=(Mechanism.KERBEROS, Mechanism.SCRAM, Mechanism.CERTIFICATE),
        encryption=Encryption.REQUIRED,
        seal="TLS",
        words=Words(
            "5432/TCP (TLS)",
            "Kerberos, SCRAM-SHA-256",
            "Kerberos, SCRAM-SHA-256, Certificate",
            "TLS, GSS",
            "yes",
        ),
    ),
    Path(
        id="private-directory",
        table=Table.OURS,
        name="Any server to the private directory (slapd)",
        caller=(Party.ANY_SERVER,),
        callee=Party.PRIVATE_DIRECTORY,
        ports=ports.LDAP,
        default_auth=(Mechanism.BASIC,),
        supported_auth=(Mechanism.BASIC, Mechanism.KERBEROS),
        encryption=Encryption.REQUIRED,
        seal="TLS",
        words=Words(
            "unix socket (ldapi); 389/TCP (TLS); 636/TCP (SSL)",
            "Basic",
            "Basic, Kerberos",
            "TLS",
            "yes",
            "by default on its socket only, with a service password of 256 random bits; a URL names another",
        ),
    ),
    Path(
        id="cluster-heartbeat",
        table=Table.OURS,
        name="Cluster heartbeat between mailbox nodes",
        caller=(Party.MAILBOX,),
        callee=Party.MAILBOX,
        ports=(Port(3343, Wire.UDP, label="heartbeat", end=End.BOTH),),
        default_auth=(Mechanism.KERBEROS,),
        supported_auth=(Mechanism.KERBEROS,),
        encryption=Encryption.NEVER,
        words=Words(
            "3343/UDP",
            "Kerberos",
            "Kerberos",
            "none",
            "no",
            "the reference's notes: sequenced unicast datagrams; they carry no mail",
        ),
    ),
)

CLIENTS: tuple[Path, ...] = (
    Path(
        id="mapi-over-http",
        table=Table.OURS,
        name="MAPI over HTTP",
        caller=(Party.CLIENT,),
        callee=Party.CLIENT_ACCESS,
        ports=(Port(443, tls=Tls.IMPLICIT),),
        default_auth=(Mechanism.NEGOTIATE, Mechanism.BASIC),
        supported_auth=(Mechanism.NEGOTIATE, Mechanism.NTLM, Mechanism.BASIC),
        encryption=Encryption.REQUIRED,
        seal="TLS",
        words=Words("443/TCP (SSL)", "Negotiate, Basic", "Negotiate, NTLM, Basic", "HTTPS", "yes"),
    ),
    Path(
        id="rtp",
        table=Table.OURS,
        name="Media between a gateway and Unified Messaging",
        caller=(Party.GATEWAY,),
        callee=Party.UNIFIED_MESSAGING,
        ports=(Port(None, Wire.UDP, label="rtp", end=End.BOTH),),
        default_auth=(Mechanism.IP_ADDRESS,),
        supported_auth=(Mechanism.IP_ADDRESS,),
        encryption=Encryption.NEVER,
        words=Words(
            "dynamic port (RTP, UDP)",
            "By IP address",
            "By IP address",
            "none",
            "no",
            "the reference: media is not encrypted",
        ),
    ),
    Path(
        id="sip-redirect",
        table=Table.OURS,
        name="Gateway to the Unified Messaging worker it was redirected to",
        caller=(Party.GATEWAY,),
        callee=Party.UNIFIED_MESSAGING,
        ports=(
            Port(5065, label="worker"),
            Port(5066, tls=Tls.IMPLICIT, label="worker"),
            Port(5067, label="worker"),
            Port(5068, tls=Tls.IMPLICIT, label="worker"),
        ),
        default_auth=(Mechanism.IP_ADDRESS,),
        supported_auth=(Mechanism.IP_ADDRESS,),
        encryption=Encryption.OFFERED,
        seal="SIP over TLS",
        words=Words(
            "5065/TCP; 5066/TCP (SSL); 5067/TCP; 5068/TCP (SSL)",
            "By IP address",
            "By IP address",
            "SIP over TLS (media is not encrypted)",
            "yes (SIP)",
        ),
    ),
)

OURS: tuple[Path, ...] = MAIL + STORAGE + CLIENTS + DOMAIN + MACHINE
