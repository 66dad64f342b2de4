"""GetServiceConfiguration (MS-OXWCONFIG section 3.1.4.1): what a client should know before it asks for tips and the like."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import boolean, element, m, number, value
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
from postern.services.ews.operation import Direct
from postern.services.ews.operations.get_mail_tips import MAX_RECIPIENTS

LARGE_AUDIENCE = 25
"""Recipients from which on a client warns of a large audience, as Exchange has it."""


def _domains(call: Call) -> str:
    domains = [element("t:Domain", Name=name, IncludeSubdomains="false") for name in sorted(call.access.domains())]
    return element("t:InternalDomains", *domains)


def _mail_tips(call: Call) -> str:
    return element(
        "m:MailTipsConfiguration",
        boolean("t:MailTipsEnabled", True),
        number("t:MaxRecipientsPerGetMailTipsRequest", MAX_RECIPIENTS),
        number("t:MaxMessageSize", min(call.access.message_size, 2**31 - 1)),
        number("t:LargeAudienceThreshold", LARGE_AUDIENCE),
        boolean("t:ShowExternalRecipientCount", True),
        _domains(call),
        *(
            (boolean("t:PolicyTipsEnabled", False), number("t:LargeAudienceCap", 1_000))
            if call.header.version >= Version.V2013
            else ()
        ),
    )


def _unified_messaging(call: Call) -> str:
    return element(
        "m:UnifiedMessagingConfiguration",
        boolean("t:UmEnabled", False),
        "<t:PlayOnPhoneDialString/>",
        boolean("t:PlayOnPhoneEnabled", False),
    )


def _protection_rules(call: Call) -> str:
    return element("m:ProtectionRulesConfiguration", "<t:Rules/>", _domains(call), RefreshInterval="24")


CONFIGURATIONS: Mapping[str, Callable[[Call], str]] = {
    "MailTips": _mail_tips,
    "UnifiedMessagingConfiguration": _unified_messaging,
    "ProtectionRules": _protection_rules,
}
"""The configurations by their names in requests (MS-OXWCONFIG section 3.1.4.1.4.4), in the order of the schema."""


async def run(call: Call, request: xml.Element) -> str:
    listed = request.find(m("RequestedConfiguration"))
    names = {each.text.strip() for each in listed.find_all(m("ConfigurationName"))} if listed is not None else set()
    if not names or not names <= {*CONFIGURATIONS, "PolicyNudges"}:
        raise EwsError(Code.SCHEMA_VALIDATION)
    tag = "m:ServiceConfigurationResponseMessageType"
    inner = "".join([make(call) for name, make in CONFIGURATIONS.items() if name in names])
    success = f'<{tag} ResponseClass="Success">{value("m:ResponseCode", Code.NO_ERROR)}'
    return f"<m:ResponseMessages>{success}{inner}</{tag}></m:ResponseMessages>"


GET_SERVICE_CONFIGURATION = Direct("GetServiceConfiguration", Version.V2010, "MS-OXWCONFIG 3.1.4.1", run)
