"""GetServiceConfiguration (MS-OXWCONFIG section 3.1.4.1): what a client should know before it asks for tips and the like."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping

from postern.protocols import xml
from postern.protocols.ews.codes import Code
from postern.protocols.ews.envelope import CLOSING, opening, start_tag
from postern.protocols.ews.errors import EwsError
from postern.protocols.ews.names import boolean, element, m, number, value
from postern.protocols.ews.versions import Version
from postern.services.ews.access import Call
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


class GetServiceConfiguration:
    """The operation. Its answer is a response message with another in it."""

    name = "GetServiceConfiguration"
    since = Version.V2010
    section = "MS-OXWCONFIG 3.1.4.1"

    async def answer(self, call: Call, request: xml.Element) -> AsyncGenerator[str, None]:
        start = start_tag("GetServiceConfigurationResponse")[:-1]
        end = f"</m:GetServiceConfigurationResponse>{CLOSING}"
        listed = request.find(m("RequestedConfiguration"))
        names = {each.text.strip() for each in listed.find_all(m("ConfigurationName"))} if listed is not None else set()
        yield opening()
        if not names or not names <= {*CONFIGURATIONS, "PolicyNudges"}:
            yield f'{start} ResponseClass="Error">{EwsError(Code.SCHEMA_VALIDATION).markup}{end}'
            return
        success = f'ResponseClass="Success">{value("m:ResponseCode", Code.NO_ERROR)}'
        tag = "m:ServiceConfigurationResponseMessageType"
        inner = "".join([make(call) for name, make in CONFIGURATIONS.items() if name in names])
        yield f"{start} {success}<m:ResponseMessages><{tag} {success}{inner}</{tag}></m:ResponseMessages>{end}"


GET_SERVICE_CONFIGURATION = GetServiceConfiguration()
