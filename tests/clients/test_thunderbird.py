"""Thunderbird sets up an account from its address alone, by its own dialogue, with the calendars and the address book that this
offers, and keeps appointments and contacts here. $POSTERN_PICTURES may name a folder for pictures of it."""

from __future__ import annotations

import datetime
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.clients.people import Mailbox, hrefs, stored
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
OFFERED = """
await forward("emailPasswordSubview");
await type("password", a0);
await forward("emailSyncAccountsSubview");
const offer = parts().find(each => each.id == "emailSyncAccountsSubview");
return within(offer).filter(each => each.localName == "label").map(each => each.textContent);
"""
ADDED = """
await forward("emailAddedSuccessSubview");
const {MailServices} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const server = MailServices.accounts.accounts.map(each => each.incomingServer).find(each => each.type == "imap");
const out = MailServices.outgoingServer.defaultServer;
return {
  incoming: [server.hostname, server.port, server.socketType, server.username],
  outgoing: [out.serverURI.host, out.serverURI.port, out.socketType, out.username],
  inbox: await wait("mail", () => server.rootFolder.getFolderWithFlags(Ci.nsMsgFolderFlags.Inbox)?.getTotalMessages(false)),
};
"""
FINISHED = """
(await part("forward")).click();
await wait("end of the dialogue", () => !parts().some(each => each.localName == "dialog" && each.open));
"""
UNTIL = """
const until = async (asked, values, wanted) => {
  for (let turn = 0; turn < 200; turn++) {
    await asked();
    await new Promise(done => setTimeout(done, 100));
    if (JSON.stringify((await values()).sort()) == JSON.stringify(wanted.sort())) return;
  }
  throw new Error(`it shows ${await values()}`);
};
"""
"""Asks the server, as buttons do, until what is shown are the wanted names."""
CALENDAR = (
    UNTIL
    + """
const window = Services.wm.getMostRecentWindow("mail:3pane");
const {cal} = ChromeUtils.importESModule("resource:///modules/calendar/calUtils.sys.mjs");
const {CalEvent} = ChromeUtils.importESModule("resource:///modules/CalEvent.sys.mjs");
const calendar = cal.manager.getCalendars().find(each => each.name == "Calendar");
const all = () => calendar.getItemsAsArray(calendar.ITEM_FILTER_ALL_ITEMS, 0, null, null);
const titles = async () => (await all()).map(each => each.title);
const item = async title => (await all()).find(each => each.title == title);
const done = wanted => until(() => calendar.refresh(), titles, wanted);
"""
)
SHOWN = """
await done([a0]);
window.document.getElementById("tabmail").openTab("calendar");
window.switchToView("month");
const drawn = () => [...window.document.querySelectorAll("calendar-month-day-box-item")].map(each => each.item.title);
await until(() => {}, drawn, [a0]);
"""
CONTACTS = (
    UNTIL
    + """
const {MailServices} = ChromeUtils.importESModule("resource:///modules/MailServices.sys.mjs");
const {CardDAVDirectory} = ChromeUtils.importESModule("resource:///modules/CardDAVDirectory.sys.mjs");
const book = MailServices.ab.directories.find(each => each.dirName == "Contacts");
const names = () => book.childCards.map(each => each.displayName);
const done = wanted => until(() => CardDAVDirectory.forFile(book.fileName).syncWithServer(), names, wanted);
"""
)
EVENT = """BEGIN:VCALENDAR\r
VERSION:2.0\r
PRODID:-//example.test//tests//EN\r
BEGIN:VEVENT\r
UID:{uid}\r
DTSTAMP:20261101T000000Z\r
DTSTART:{day:%Y%m%d}T100000Z\r
DURATION:PT1H\r
SUMMARY:{summary}\r
END:VEVENT\r
END:VCALENDAR\r
"""
CARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nUID:{uid}\r\nFN:{name}\r\nN:{name};;;;\r\nEND:VCARD\r\n"
HOME = "/dav/calendars/alice@example.test/calendar/"
BOOK = "/dav/addressbooks/alice@example.test/contacts/"
DIRECTORY = "/dav/addressbooks/alice@example.test/global-address-list/"
IN_TLS = 3
"""nsMsgSocketType.SSL."""


@pytest.fixture(scope="module")
def thunderbird(organization: Organization, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Thunderbird]:
    with started(organization, tmp_path_factory.mktemp("thunderbird")) as running:
        yield running


@pytest.fixture(scope="module")
def other(organization: Organization) -> Iterator[httpx.Client]:
    """Another client of alice."""
    with Mailbox(organization, "alice@example.test").dav() as client:
        yield client


@pytest.fixture(scope="module")
def picture(thunderbird: Thunderbird) -> Callable[[str], None]:
    folder = os.environ.get("POSTERN_PICTURES")
    return lambda name: thunderbird.picture(Path(folder) / f"{name}.png") if folder else None


@pytest.fixture(scope="module")
def account(
    organization: Organization, thunderbird: Thunderbird, picture: Callable[[str], None]
) -> tuple[str, list[str], dict[str, object]]:
    """What the dialogue shows of servers and what else it offers, and the account that it makes."""
    shown = thunderbird.run(HUB + FOUND, str(organization.port(993)))
    picture("found")
    offered = thunderbird.run(HUB + OFFERED, PASSWORD)
    picture("offered")
    added = thunderbird.run(HUB + ADDED)
    picture("added")
    thunderbird.run(HUB + FINISHED)
    return shown, offered, added


def test_an_account_is_set_up_from_its_address_alone(
    organization: Organization, account: tuple[str, list[str], dict[str, object]]
) -> None:
    shown, offered, added = account
    assert "server1.example.test" in shown and str(organization.port(465)) in shown, shown
    assert sorted(offered) == ["Calendar", "Contacts", "Global Address List", "Tasks"]
    name = ["server1.example.test", "alice@example.test"]
    assert added["incoming"] == [name[0], organization.port(993), IN_TLS, name[1]]
    assert added["outgoing"] == [name[0], organization.port(465), IN_TLS, name[1]]
    assert added["inbox"] > 100, "the demo's mail"


@pytest.mark.usefixtures("account")
def test_appointments_go_both_ways(
    thunderbird: Thunderbird, other: httpx.Client, picture: Callable[[str], None]
) -> None:
    today = datetime.datetime.now(datetime.UTC)
    lunch = EVENT.format(uid="lunch", summary="Lunch", day=today)
    assert other.put(f"{HOME}lunch.ics", content=lunch).status_code == 201
    thunderbird.run(CALENDAR + SHOWN, "Lunch")
    picture("calendar")
    thunderbird.run(
        CALENDAR
        + """
        const [made, renamed] = [new CalEvent(a0), (await item("Lunch")).clone()];
        window.doTransaction("add", made, calendar, null, null);
        renamed.title = "Lunch with Bob";
        window.doTransaction("modify", renamed, calendar, await item("Lunch"), null);
        await done(["Dinner", "Lunch with Bob"]);
        """,
        EVENT.format(uid="dinner", summary="Dinner", day=today),
    )
    events = stored(other, HOME)
    assert events.keys() == {f"{HOME}lunch.ics", f"{HOME}dinner.ics"}
    assert "SUMMARY:Lunch with Bob" in events[f"{HOME}lunch.ics"] and "SUMMARY:Dinner" in events[f"{HOME}dinner.ics"]
    later = events[f"{HOME}dinner.ics"].replace("SUMMARY:Dinner", "SUMMARY:Dinner\r\nRRULE:FREQ=HOURLY;COUNT=2")
    assert other.put(f"{HOME}dinner.ics", content=later).status_code == 204
    assert other.delete(f"{HOME}lunch.ics").status_code == 204
    thunderbird.run(CALENDAR + SHOWN.replace("[a0]", "[a0, a0]").replace("done([a0, a0])", "done([a0])"), "Dinner")
    picture("series")
    thunderbird.run(
        CALENDAR + """window.doTransaction("delete", await item(a0), calendar, null, null); await done([]);""", "Dinner"
    )
    assert hrefs(other, HOME) == []


@pytest.mark.usefixtures("account")
def test_contacts_go_both_ways(thunderbird: Thunderbird, other: httpx.Client) -> None:
    assert other.put(f"{BOOK}ko.vcf", content=CARD.format(uid="ko", name="김영희")).status_code == 201
    thunderbird.run(
        CONTACTS
        + """
        await done(["김영희"]);
        const card = Cc["@mozilla.org/addressbook/cardproperty;1"].createInstance(Ci.nsIAbCard);
        card.displayName = a0;
        card.primaryEmail = "bo@example.test";
        book.addCard(card);
        await done([a0, "김영희"]);
        """,
        "Bo Bobson",
    )
    cards = stored(other, BOOK)
    (href,) = cards.keys() - {f"{BOOK}ko.vcf"}
    assert "FN:Bo Bobson" in cards[href] and "bo@example.test" in cards[href]
    second = cards[href].replace("FN:Bo Bobson", "FN:Bo the Second")
    assert other.put(href, content=second).status_code == 204
    assert other.delete(f"{BOOK}ko.vcf").status_code == 204
    thunderbird.run(CONTACTS + "await done([a0]); book.deleteCards(book.childCards); await done([]);", "Bo the Second")
    assert hrefs(other, BOOK) == []


@pytest.mark.usefixtures("account")
def test_colleagues_are_in_the_directory_and_complete_recipients(thunderbird: Thunderbird, other: httpx.Client) -> None:
    people = sorted(text.partition("FN:")[2].partition("\r\n")[0] for text in stored(other, DIRECTORY).values())
    assert len(people) > 2
    is_read_only, completed = thunderbird.run(
        CONTACTS.replace('"Contacts"', '"Global Address List"')
        + """
        await done(JSON.parse(a0));
        const search = Cc["@mozilla.org/autocomplete/search;1?name=addrbook"].createInstance(Ci.nsIAutoCompleteSearch);
        const result = await new Promise(resolve => search.startSearch(
          "bo", JSON.stringify({type: "addr_to"}), null,
          {onSearchResult: (_, result) => result.searchResult >= 3 && result.searchResult < 5 && resolve(result)}));
        return [book.readOnly, Array.from({length: result.matchCount}, (_, at) => result.getValueAt(at))];
        """,
        json.dumps(people),
    )
    assert is_read_only and "Bob Lee <bob@example.test>" in completed, completed


@pytest.mark.usefixtures("account")
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
