"""The reference's table "Unified Messaging server data paths": 5 rows, its words letter by letter.

How the cells were read. 5061 is mutual TLS from the first byte, 5060 and 5062 are read as plain TCP, the dynamic port is a
worker's. "Yes (SIP)" for gateways is `OFFERED`: the reference itself says that a gateway known by its address talks over TCP
that is not encrypted; media never is. A gateway also receives calls (play on phone), so um-phone's 5060 and 5061 stand at
both ends. "25/TCP (SSL)" of um-submission is the same STARTTLS as um-to-hub's. Gateways never prove themselves by NTLM or
Kerberos; the certificate that the notes allow them is no cell of the table, so only `hardened` has it.
"""

from __future__ import annotations

from postern.model.security import Encryption, Mechanism
from postern.paths import ports
from postern.paths.row import Party, Path, Table, Words

UNIFIED_MESSAGING: tuple[Path, ...] = (
    Path(
        id="um-fax",
        table=Table.UNIFIED_MESSAGING,
        name="Unified Messaging fax",
        caller=(Party.GATEWAY,),
        callee=Party.UNIFIED_MESSAGING,
        ports=ports.SIP,
        default_auth=(Mechanism.IP_ADDRESS,),
        supported_auth=(Mechanism.IP_ADDRESS,),
        encryption=Encryption.OFFERED,
        seal="SIP over TLS",
        words=Words(
            "5060/TCP; 5061/TCP; 5062/TCP; dynamic port",
            "By IP address",
            "By IP address",
            "SIP over TLS (media is not encrypted)",
            "yes (SIP)",
            "gateways: IP-based authentication or certificates over mutual TLS; never NTLM or Kerberos",
        ),
    ),
    Path(
        id="um-phone",
        table=Table.UNIFIED_MESSAGING,
        name="Unified Messaging phone interaction (PBX)",
        caller=(Party.GATEWAY,),
        callee=Party.UNIFIED_MESSAGING,
        ports=ports.SIP_BOTH_WAYS,
        default_auth=(Mechanism.IP_ADDRESS,),
        supported_auth=(Mechanism.IP_ADDRESS,),
        encryption=Encryption.OFFERED,
        seal="SIP over TLS",
        words=Words(
            "5060/TCP; 5061/TCP; 5062/TCP; dynamic port",
            "By IP address",
            "By IP address",
            "SIP over TLS (media is not encrypted)",
            "yes (SIP)",
        ),
    ),
    Path(
        id="um-web-service",
        table=Table.UNIFIED_MESSAGING,
        name="Unified Messaging web service",
        caller=(Party.CLIENT, Party.CLIENT_ACCESS),
        callee=Party.UNIFIED_MESSAGING,
        ports=ports.WEB,
        default_auth=(Mechanism.NEGOTIATE,),
        supported_auth=(Mechanism.BASIC, Mechanism.DIGEST, Mechanism.NTLM, Mechanism.NEGOTIATE),
        encryption=Encryption.REQUIRED,
        seal="TLS",
        words=Words(
            "80/TCP; 443/TCP (SSL)",
            "Integrated Windows (Negotiate)",
            "Basic, Digest, NTLM, Negotiate (Kerberos)",
            "SSL",
            "yes",
        ),
    ),
    Path(
        id="um-submission",
        table=Table.UNIFIED_MESSAGING,
        name="Unified Messaging to Hub Transport (listed under Unified Messaging)",
        caller=(Party.UNIFIED_MESSAGING,),
        callee=Party.HUB,
        ports=ports.SMTP_SSL,
        default_auth=(Mechanism.KERBEROS,),
        supported_auth=(Mechanism.KERBEROS,),
        encryption=Encryption.REQUIRED,
        seal="TLS",
        words=Words(
            "25/TCP (SSL)",
            "Kerberos",
            "Kerberos",
            "TLS",
            "yes",
            "the same path as um-to-hub, as the Unified Messaging table words it",
        ),
    ),
    Path(
        id="um-to-mailbox",
        table=Table.UNIFIED_MESSAGING,
        name="Unified Messaging to Mailbox",
        caller=(Party.UNIFIED_MESSAGING,),
        callee=Party.MAILBOX,
        ports=ports.RPC,
        default_auth=(Mechanism.NTLM, Mechanism.KERBEROS),
        supported_auth=(Mechanism.NTLM, Mechanism.KERBEROS),
        encryption=Encryption.REQUIRED,
        seal="RPC privacy",
        words=Words("135/TCP (RPC)", "NTLM, Kerberos", "NTLM, Kerberos", "RPC encryption", "yes"),
    ),
)
