"""Thunderbird sets up an account from its address alone, by its own dialogue, and reads the mail. $POSTERN_PICTURES may name a
folder for pictures of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.clients.thunderbird import Thunderbird, started
from tests.organization import PASSWORD, Organization

pytestmark = pytest.mark.slow

HUB = """
const window = Services.wm.getMostRecentWindow("mail:3pane");
const wait = async (what, holds) => {
  for (let turn = 0; turn < 400; turn++) {
    const value = holds();
    if (value) return value;
    await new Promise(done => setTimeout(done, 50));
  }
  throw new Error(`no ${what}: ${pages()}`);
};
const within = (node, seen = []) => {
  for (const child of node?.querySelectorAll("*") ?? []) {
    seen.push(child);
    if (child.shadowRoot) within(child.shadowRoot, seen);
  }
  return seen;
};
const parts = () => within(window.document.querySelector("account-hub-container")?.shadowRoot);
const part = id => wait(id, () => parts().find(each => each.id == id));
const pages = () => parts().filter(each => each.id.endsWith("Subview") && !each.hidden).map(each => each.id).join();
const type = async (id, text) => {
  const field = await part(id);
  field.value = text;
  for (const kind of ["input", "change"]) field.dispatchEvent(new window.Event(kind, {bubbles: true, composed: true}));
};
const forward = async (...expected) => {
  const button = await part("forward");
  await wait("way forward", () => !button.disabled);
  button.click();
  return await wait(expected, () => expected.includes(pages()) && pages());
};
"""
"""What a person does in the dialogue: it types into fields, and goes forward to a page."""
FOUND = """
await wait("window", () => window?.openAccountHub && window.document.readyState == "complete");
window.openAccountHub("MAIL");
await type("realName", "Alice");
await type("email", "alice@example.test");
await forward("emailConfigFoundSubview");
const texts = () => within(parts().find(each => each.id == "emailConfigFoundSubview")).map(each => each.textContent).join(" ");
return await wait("ports", () => texts().includes(a0) && texts());
"""
ADDED = """
await forward("emailPasswordSubview");
await type("password", a0);
const offered = await forward("emailSyncAccountsSubview", "emailAddedSuccessSubview");
if (offered != "emailAddedSuccessSubview") await forward("emailAddedSuccessSubview");
const {MailServices} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.accounts.map(each => each.incomingServer).find(each => each.type == "imap");
const out = MailServices.outgoingServer.defaultServer;
return {
  incoming: [server.hostname, server.port, server.socketType, server.username],
  outgoing: [out.serverURI.host, out.serverURI.port, out.socketType, out.username],
  inbox: await wait("mail", () => server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox)?.getTotalMessages(false)),
};
"""
IN_TLS = 3
"""nsMsgSocketType.SSL."""


@pytest.fixture(scope="module")
def thunderbird(organization: Organization, tmp_path_factory: pytest.TempPathFactory) -> object:
    with started(organization, tmp_path_factory.mktemp("thunderbird")) as running:
        yield running


def test_an_account_is_set_up_from_its_address_alone(organization: Organization, thunderbird: Thunderbird) -> None:
    pictures = Path(os.environ.get("POSTERN_PICTURES", "") or os.devnull)
    shown = thunderbird.run(HUB + FOUND, str(organization.port(993)))
    if pictures.is_dir():
        thunderbird.picture(pictures / "found.png")
    assert "server1.example.test" in shown and str(organization.port(465)) in shown, shown
    added = thunderbird.run(HUB + ADDED, PASSWORD)
    if pictures.is_dir():
        thunderbird.picture(pictures / "added.png")
    name = ["server1.example.test", "alice@example.test"]
    assert added["incoming"] == [name[0], organization.port(993), IN_TLS, name[1]]
    assert added["outgoing"] == [name[0], organization.port(465), IN_TLS, name[1]]
    assert added["inbox"] > 100, "the demo's mail"


def test_outlook_s_way_leads_to_the_same_servers(organization: Organization, thunderbird: Thunderbird) -> None:
    """Thunderbird asks Autodiscover (POX), too, as Outlook does."""
    servers = thunderbird.run(
        """
        const {fetchConfigFromExchange} = ChromeUtils.importESModule(
          "resource:///modules/accountcreation/ExchangeAutoDiscover.sys.mjs");
        const config = await fetchConfigFromExchange(
          "example.test", "alice@example.test", new AbortController().signal, "", a0, async () => {});
        return [config.incoming.type, config.incoming.hostname, config.incoming.port, config.outgoing.port];
        """,
        PASSWORD,
    )
    assert servers == ["imap", "server1.example.test", organization.port(993), organization.port(465)]
