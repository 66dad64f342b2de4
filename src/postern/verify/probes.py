"""The table of probes, one line a row that the program speaks: the servers that dial it and its check, or the reason for none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from postern.model.organization import Role
from postern.protocols.dcerpc.interfaces.ad_topology import AD_TOPOLOGY
from postern.protocols.dcerpc.interfaces.availability import MAILBOX_AVAILABILITY
from postern.protocols.dcerpc.interfaces.mail_submission import MAIL_SUBMISSION
from postern.protocols.dcerpc.interfaces.mailbox import MAILBOX_ACCESS, MAILBOX_DELIVERY
from postern.protocols.dcerpc.interfaces.mailbox_assistants import MAILBOX_ASSISTANTS
from postern.protocols.dcerpc.interfaces.recipient_update import RECIPIENT_UPDATE
from postern.verify.ad_checks import check_ad_row
from postern.verify.challenge_checks import check_challenge_row
from postern.verify.direct_trust_checks import check_direct_trust_row
from postern.verify.edge_directory_checks import check_adam_row, check_edgesync_row
from postern.verify.engine_checks import check_database_row, check_directory_row
from postern.verify.mail_probe import ImapConnection, Pop3Connection, SmtpConnection
from postern.verify.mail_rows import MailRow, check_strangers_row
from postern.verify.metrics_checks import check_metrics_row
from postern.verify.rpc_checks import RpcRow
from postern.verify.subject import Dial, Subject
from postern.verify.web_checks import WebRow


class From(StrEnum):
    """The servers that dial a row."""

    HOME = "home"
    """The server that answers it, for the callers are strangers, users or processes of the same host."""
    CALLER = "caller"
    """The caller only, which has the credentials and the way through the firewalls."""
    ANOTHER = "another"
    """The caller, too, where both ends have the same role: it dials the other servers, and not itself."""
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Probe:
    """The probe of a row: `where` names the servers that dial it, `run` checks it. It needs the roles at the ends of the row, and
    those `behind` its callee. If `run` is None, `because` says why."""

    where: From
    run: Dial | None = None
    behind: tuple[Role, ...] = ()
    because: str = ""


def _nobody(because: str) -> Probe:
    return Probe(From.NOWHERE, because=because)


def _no_mailbox(subject: Subject) -> tuple[object, ...]:
    return (UUID(int=0),)


def _no_news(subject: Subject) -> tuple[object, ...]:
    """A notice that no mailbox of this server has mail."""
    return (subject.here.name, b"")


def _nobody_busy(subject: Subject) -> tuple[object, ...]:
    """A question about no mailbox, as it stands on the wire: no mailboxes, counts, addresses and grantees, no time and zone."""
    return (b"", b"", (), b"", 0, 0, b"", 0, "")


_TRAFFIC = "the hub dials strangers here; nobody can dial it (`postern paths observed` shows its traffic)"
_MACHINE = _nobody("the machine's own, not Postern's")
_STORE = (Role.MAILBOX,)

# fmt: off
PROBES: Mapping[str, Probe] = MappingProxyType({
    "internet-to-hub":           Probe(From.HOME, check_strangers_row),
    "edge-to-edge":              Probe(From.HOME, check_strangers_row),
    "client-to-hub-smtp":        Probe(From.HOME, MailRow(SmtpConnection)),
    "imap4":                     Probe(From.HOME, MailRow(ImapConnection), behind=_STORE),
    "pop3":                      Probe(From.HOME, MailRow(Pop3Connection), behind=_STORE),
    "autodiscover":              Probe(From.HOME, WebRow("/autodiscover/autodiscover.xml")),
    "availability":              Probe(From.HOME, WebRow("/EWS/Exchange.asmx"), behind=_STORE),
    "client-configuration":      Probe(From.HOME, WebRow("/mail/config-v1.1.xml?emailaddress=verify@{domain}")),
    "caldav":                    Probe(From.HOME, WebRow("/dav/"), behind=_STORE),
    "carddav":                   Probe(From.HOME, WebRow("/dav/addressbooks/"), behind=_STORE),
    "hub-to-hub":                Probe(From.ANOTHER, MailRow(SmtpConnection, by_machine=True)),
    "hub-to-edge":               Probe(From.CALLER, check_direct_trust_row),
    "edge-to-hub":               Probe(From.CALLER, check_direct_trust_row),
    "edgesync":                  Probe(From.CALLER, check_edgesync_row),
    "edge-adam":                 Probe(From.HOME, check_adam_row),

    "cas-to-mailbox":            Probe(From.CALLER, RpcRow(MAILBOX_ACCESS, "folders", _no_mailbox)),
    "availability-to-mailbox":   Probe(From.CALLER, RpcRow(MAILBOX_AVAILABILITY, "when_busy", _nobody_busy)),
    "hub-to-mailbox-mapi":       Probe(From.CALLER, RpcRow(MAILBOX_DELIVERY, "folders", _no_mailbox)),
    "mailbox-to-hub-submission": Probe(From.CALLER, RpcRow(MAIL_SUBMISSION, "notify", _no_news)),
    "mailbox-assistants":        Probe(From.CALLER, RpcRow(MAILBOX_ASSISTANTS, "state")),
    "rus-rpc":                   Probe(From.CALLER, RpcRow(RECIPIENT_UPDATE, "standing")),
    "ad-topology":               Probe(From.CALLER, RpcRow(AD_TOPOLOGY, "controllers")),

    "hub-to-ad":                 Probe(From.CALLER, check_ad_row),
    "mailbox-to-ad":             Probe(From.CALLER, check_ad_row),
    "client-access-to-ad":       Probe(From.CALLER, check_ad_row),
    "dsaccess-to-ad":            Probe(From.CALLER, check_ad_row),
    "recipient-update-to-ad":    Probe(From.CALLER, check_ad_row),
    "attendant-to-ad":           Probe(From.CALLER, check_ad_row),

    "postgresql":                Probe(From.HOME, check_database_row),
    "private-directory":         Probe(From.CALLER, check_directory_row),
    "metrics":                   Probe(From.CALLER, check_metrics_row),
    "acme-challenge":            Probe(From.HOME, check_challenge_row, behind=(Role.CLIENT_ACCESS,)),

    "hub-to-internet":     _nobody(_TRAFFIC),
    "any-server-to-dns":   _nobody("our servers ask the name servers here; nobody can dial it"),
    "any-server-to-kdc":   _nobody("our servers ask the realm's KDC here; it is not ours to verify"),
    "setup-ad":            _nobody("the administrator's own: `postern setup ad`"),
    "client-to-kdc":       _nobody("between clients and their domain controllers; it is not ours to verify"),
    "ad-replication":      _nobody("between domain controllers; it is not ours to verify"),
    "recipient-filter":    _nobody("the edge asks its own directory here: see edge-adam"),
    "dnsbl":               _nobody("our servers ask block lists here; nobody can dial it"),
    "availability-to-organization": _nobody("our servers ask other organizations here; nobody can dial it"),
    "ews-notification":    _nobody("our servers post notifications to subscribers here; nobody can dial it"),
    "acme":                _nobody("our servers ask the certificate authority here; nobody can dial it"),
    "ssh":                 _MACHINE,
    "ntp":                 _MACHINE,
    "dhcp":                _MACHINE,
    "neighbour-discovery": _MACHINE,
})
# fmt: on
