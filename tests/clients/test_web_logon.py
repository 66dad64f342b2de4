"""Foreign clients log on to Autodiscover by each mechanism of its row: curl, and pyspnego with the channel bound (Kerberos is in
test_kerberos)."""

from __future__ import annotations

import base64
import hashlib
import http.client
from typing import Any

import pytest
import spnego
from spnego.channel_bindings import GssChannelBindings

from tests.clients.people import HOST, SECONDS, run, trusting
from tests.organization import PASSWORD, Organization

pytestmark = pytest.mark.slow
PAGE = "/autodiscover/autodiscover.xml"
ALICE = "alice@example.test"
BASE = "http://schemas.microsoft.com/exchange/autodiscover/outlook"
QUESTION = (
    f'<Autodiscover xmlns="{BASE}/requestschema/2006"><Request><EMailAddress>{ALICE}</EMailAddress>'
    f"<AcceptableResponseSchema>{BASE}/responseschema/2006a</AcceptableResponseSchema></Request></Autodiscover>"
)


@pytest.mark.parametrize("how", ["--basic", "--digest", "--ntlm"])
@pytest.mark.parametrize("password", [PASSWORD, "a guess"])
def test_curl_asks_autodiscover(organization: Organization, how: str, password: str) -> None:
    done = run(
        "curl", "-sS", "--cacert", organization.authority, how, "--user", f"{ALICE}:{password}",
        "-H", "Content-Type: text/xml", "--data-binary", QUESTION, "-w", " %{http_code}",
        f"https://{HOST}:{organization.port(443)}{PAGE}",
    )  # fmt: skip
    if password == PASSWORD:
        assert done.stdout.endswith(" 200") and f"<LoginName>{ALICE}</LoginName>" in done.stdout, done.stdout
    else:
        assert done.stdout.endswith(" 401") and ALICE not in done.stdout, done.stdout


@pytest.mark.parametrize(("what", "status"), [("right", 200), ("none", 200), ("another channel's", 401)])
def test_what_is_bound_to_a_channel_is_good_for_that_channel(
    organization: Organization, what: str, status: int
) -> None:
    port = organization.port(443)
    connection = http.client.HTTPSConnection(HOST, port, timeout=SECONDS, context=trusting(organization))
    connection.connect()
    shown = hashlib.sha256(connection.sock.getpeercert(binary_form=True)).digest()
    end_point = {"right": shown, "another channel's": bytes(32)}.get(what)
    caller: Any = spnego.client(
        *(ALICE, PASSWORD, HOST, "http"),
        protocol="ntlm",
        options=spnego.NegotiateOptions.use_ntlm,
        channel_bindings=end_point and GssChannelBindings(application_data=b"tls-server-end-point:" + end_point),
    )
    token = caller.step()
    for expected in (401, status):
        headers = {"Content-Type": "text/xml", "Authorization": f"NTLM {base64.b64encode(token).decode()}"}
        connection.request("POST", PAGE, QUESTION, headers)
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == expected, content
        if expected == 401 and not caller.complete:
            (challenge,) = [each for each in answer.headers.get_all("WWW-Authenticate", []) if each.startswith("NTLM ")]
            token = caller.step(base64.b64decode(challenge.partition(" ")[2]))
    connection.close()
