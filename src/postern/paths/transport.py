"""The reference's table "Transport server data paths": 11 rows, its words letter by letter.

How the cells were read. "25/TCP (TLS)" is STARTTLS (`Tls.UPGRADE`); "50636/TCP (SSL)" is TLS from the first byte.
"Encrypted by default: yes" is `REQUIRED` between our servers and for end users; edge-to-edge is traffic between strangers,
so there it is `OFFERED`: TLS is tried on every remote connection and demanded on none. "NTLM; Kerberos when both roles share
a server" is read as the order (NTLM, Kerberos): the first is what a caller on another host tries, the second what one on the same
host tries. "135/TCP (RPC)" is the endpoint mapper and the port of the dynamic range that it names. The ports 389 and 80 of
edge-to-edge serve "certificate authentication": an edge asks *another's* directory or web server whether a certificate is
revoked, so they stand at the caller's end and are never opened on our edge.
"""

from __future__ import annotations

from postern.model.security import Encryption, Mechanism
from postern.paths import ports
from postern.paths.row import Party, Path, Table, Words

TRANSPORT: tuple[Path, ...] = (
    Path(
        id="hub-to-hub",
        table=Table.TRANSPORT,
        name="Hub Transport to Hub Transport",
        caller=(Party.HUB,),
        callee=Party.HUB,
        ports=ports.SMTP,
        default_auth=(Mechanism.KERBEROS,),
        supported_auth=(Mechanism.KERBEROS,),
        encryption=Encryption.REQUIRED,
        seal="TLS",
        words=Words(
            "25/TCP (TLS)", "Kerberos", "Kerberos", "TLS", "yes", "self-signed certificates installed by setup"
        ),
    ),
    Path(
        id="hub-to-edge",
        table=Table.TRANSPORT,
        name="Hub Transport to Edge Transport",
        caller=(Party.HUB,),
        callee=Party.EDGE,
        ports=ports.SMTP,
        default_auth=(Mechanism.DIRECT_TRUST,),
        supported_auth=(Mechanism.DIRECT_TRUST,),
        encryption=Encryption.REQUIRED,
        seal="TLS",
        words=Words(
            "25/TCP (TLS)",
            "Direct trust",
            "Direct trust",
            "TLS",
            "yes",
            "mutual TLS; certificate must be present in the directory, CA or self-signed alike",
        ),
    ),
    Path(
        id="edge-to-hub",
        table=Table.TRANSPORT,
        name="Edge Transport to Hub Transport",
        caller=(Party.EDGE,),
        callee=Party.HUB,
        ports=ports.SMTP,
        default_auth=(Mechanism.DIRECT_TRUST,),
        supported_auth=(Mechanism.DIRECT_TRUST,),
        encryption=Encryption.REQUIRED,
        seal="TLS",
        words=Words(
            "25/TCP (TLS)",
            "Direct trust",
            "Direct trust",
            "TLS",
            "yes",
            "mutual TLS; the edge's certificate is published to AD by the edge subscription",
        ),
    ),
    Path(
        id="edge-to-edge",
        table=Table.TRANSPORT,
        name="Edge Transport to Edge Transport",
        caller=(Party.INTERNET,),
        callee=Party.EDGE,
        ports=ports.EDGE_TO_EDGE,
        default_auth=(Mechanism.ANONYMOUS, Mechanism.CERTIFICATE),
        supported_auth=(Mechanism.ANONYMOUS, Mechanism.CERTIFICATE),
        encryption=Encryption.OFFERED,
        seal="TLS",
        words=Words(
            "25/TCP (TLS); 389/TCP, 389/UDP; 80/TCP (certificate authentication)",
            "Anonymous, Certificate",
            "Anonymous, Certificate",
            "TLS",
            "yes",
            "other organization; opportunistic TLS on every remote connection; domain security where configured",
        ),
    ),
    Path(
        id="mailbox-to-hub-submission",
        table=Table.TRANSPORT,
        name="Mailbox to Hub Transport via the Mail Submission Service",
        caller=(Party.MAILBOX,),
        callee=Party.HUB,
        ports=ports.RPC,
        default_auth=(Mechanism.NTLM, Mechanism.KERBEROS),
        supported_auth=(Mechanism.NTLM, Mechanism.KERBEROS),
        encryption=Encryption.REQUIRED,
        seal="RPC privacy",
        words=Words(
            "135/TCP (RPC)", "NTLM; Kerberos when both roles share a server", "NTLM, Kerberos", "RPC encryption", "yes"
        ),
    ),
    Path(
        id="hub-to-mailbox-mapi",
        table=Table.TRANSPORT,
        name="Hub Transport to Mailbox via MAPI",
        caller=(Party.HUB,),
        callee=Party.MAILBOX,
        ports=ports.RPC,
        default_auth=(Mechanism.NTLM, Mechanism.KERBEROS),
        supported_auth=(Mechanism.NTLM, Mechanism.KERBEROS),
        encryption=Encryption.REQUIRED,
        seal="RPC privacy",
        words=Words(
            "135/TCP (RPC)", "NTLM; Kerberos when both roles share a server", "NTLM, Kerberos", "RPC encryption", "yes"
        ),
    ),
    Path(
        id="um-to-hub",
        table=Table.TRANSPORT,
        name="Unified Messaging to Hub Transport",
        caller=(Party.UNIFIED_MESSAGING,),
        callee=Party.HUB,
        ports=ports.SMTP,
        default_auth=(Mechanism.KERBEROS,),
        supported_auth=(Mechanism.KERBEROS,),
        encryption=Encryption.REQUIRED,
        seal="TLS",
        words=Words("25/TCP (TLS)", "Kerberos", "Kerberos", "TLS", "yes"),
    ),
    Path(
        id="edgesync",
        table=Table.TRANSPORT,
        name="EdgeSync service (Hub to the Edge's ADAM)",
        caller=(Party.HUB,),
        callee=Party.EDGE,
        ports=ports.EDGESYNC,
        default_auth=(Mechanism.BASIC,),
        supported_auth=(Mechanism.BASIC,),
        encryption=Encryption.REQUIRED,
        seal="LDAPS",
        words=Words("50636/TCP (SSL); 50389/TCP (no SSL)", "Basic", "Basic", "LDAPS", "yes"),
    ),
    Path(
        id="edge-adam",
        table=Table.TRANSPORT,
        name="ADAM directory service on the Edge Transport server",
        caller=(Party.EDGE,),
        callee=Party.EDGE,
        ports=ports.ADAM,
        default_auth=(Mechanism.NTLM, Mechanism.KERBEROS),
        supported_auth=(Mechanism.NTLM, Mechanism.KERBEROS),
        encryption=Encryption.NEVER,
        seal="",
        words=Words("50389/TCP (no SSL)", "NTLM, Kerberos", "NTLM, Kerberos", "none", "no", "local to the edge server"),
    ),
    Path(
        id="hub-to-ad",
        table=Table.TRANSPORT,
        name="Hub Transport access to Active Directory",
        caller=(Party.HUB,),
        callee=Party.ACTIVE_DIRECTORY,
        ports=ports.ACTIVE_DIRECTORY,
        default_auth=(Mechanism.KERBEROS,),
        supported_auth=(Mechanism.KERBEROS,),
        encryption=Encryption.REQUIRED,
        seal="Kerberos",
        words=Words(
            "389/TCP, 389/UDP (LDAP); 3268/TCP (LDAP GC); 88/TCP, 88/UDP (Kerberos); 53/TCP, 53/UDP (DNS); "
            "135/TCP (RPC netlogon)",
            "Kerberos",
            "Kerberos",
            "Kerberos encryption",
            "yes",
        ),
    ),
    Path(
        id="client-to-hub-smtp",
        table=Table.TRANSPORT,
        name="End-user SMTP client to Hub Transport",
        caller=(Party.CLIENT,),
        callee=Party.HUB,
        ports=ports.SUBMISSION,
        default_auth=(Mechanism.NTLM, Mechanism.KERBEROS),
        supported_auth=(Mechanism.NTLM, Mechanism.KERBEROS),
        encryption=Encryption.REQUIRED,
        seal="TLS",
        words=Words("25/TCP (TLS); 587/TCP (TLS)", "NTLM, Kerberos", "NTLM, Kerberos", "TLS", "yes"),
    ),
)
