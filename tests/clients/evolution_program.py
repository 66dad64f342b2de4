"""A program of Evolution's data server, run by Debian's Python: it reads calls from its input, a JSON list on a line each
(`["add", "calendar", "/dav/..."]`), and prints the answers.

It imports nothing of ours. The libraries speak D-Bus with the server's processes, and those ask the organization.
"""

from __future__ import annotations

import json
import socket
import ssl
import sys
import time
from collections.abc import Callable
from typing import Any

import gi

for library, version in (("EDataServer", "1.2"), ("ECal", "2.0"), ("EBook", "1.2"), ("EBookContacts", "1.2")):
    gi.require_version(library, version)
from gi.repository import EBook, EBookContacts, ECal, EDataServer, Gio, GLib, ICalGLib  # noqa: E402 (the versions first)

SECONDS = 60.0
KINDS = {
    "calendar": (EDataServer.SOURCE_EXTENSION_CALENDAR, "caldav", ECal.ClientSourceType.EVENTS),
    "tasks": (EDataServer.SOURCE_EXTENSION_TASK_LIST, "caldav", ECal.ClientSourceType.TASKS),
    "contacts": (EDataServer.SOURCE_EXTENSION_ADDRESS_BOOK, "carddav", None),
    "directory": (EDataServer.SOURCE_EXTENSION_ADDRESS_BOOK, "carddav", None),
}
"""By kind of source: its extension, its backend, and what a calendar's client opens."""


class Program:
    """An account of one user at `localhost`, where a certificate of `authority` is expected."""

    def __init__(self, port: int, authority: str, user: str, password: str) -> None:
        self._port, self._user = port, user
        trusting = ssl.create_default_context(cafile=authority)
        with (
            socket.create_connection(("localhost", port)) as there,
            trusting.wrap_socket(there, server_hostname="localhost") as sealed,
        ):
            shown = sealed.getpeercert(binary_form=True)
        self._certificate = Gio.TlsCertificate.new_from_pem(ssl.DER_cert_to_PEM_cert(shown), -1)
        self._credentials = EDataServer.NamedParameters()
        self._credentials.set(EDataServer.SOURCE_CREDENTIAL_USERNAME, user)
        self._credentials.set(EDataServer.SOURCE_CREDENTIAL_PASSWORD, password)
        self._registry = EDataServer.SourceRegistry.new_sync(None)
        self._clients: dict[str, Any] = {}

    def discover(self) -> list[object]:
        """What the server offers to somebody who typed its name alone: addresses of collections with their names, and users'."""
        source = self._source("discovery")
        url = f"https://localhost:{self._port}/"
        done, _, _, sources, addresses = EDataServer.webdav_discover_sources_sync(
            source, url, 0, self._credentials, None
        )
        assert done
        return [sorted([each.href, each.display_name] for each in sources), addresses]

    def account(self) -> list[str]:
        """Adds an account by the server's name, as the dialogue of online accounts does; its collections become sources."""
        source = self._source("account")
        collection = source.get_extension(EDataServer.SOURCE_EXTENSION_COLLECTION)
        collection.set_backend_name("webdav")
        collection.set_identity(self._user)
        for what in ("calendar", "contacts"):
            getattr(collection, f"set_{what}_enabled")(True)
            getattr(collection, f"set_{what}_url")(f"https://localhost:{self._port}/")
        self._commit(source)
        self._registry.refresh_backend_sync("account", None)

        def found() -> list[str]:
            sources = [each for each in self._registry.list_sources(None) if each.get_parent() == "account"]
            return sorted(
                each.get_display_name() for each in sources if any(each.has_extension(e) for e, _, _ in KINDS.values())
            )

        self._wait(lambda: len(found()) >= 4)
        return found()

    def add(self, kind: str, path: str, is_readonly: bool = False) -> str:
        """Opens a collection by its path, if it is not open yet. Returns the display name that the server has for it."""
        if kind in self._clients:
            return str(self._clients[kind].get_source().get_display_name())
        extension, backend, opens = KINDS[kind]
        source = self._source(kind)
        source.set_parent(f"{backend}-stub")
        source.get_extension(extension).set_backend_name(backend)
        source.get_extension(EDataServer.SOURCE_EXTENSION_WEBDAV_BACKEND).set_resource_path(path)
        source.get_extension(EDataServer.SOURCE_EXTENSION_OFFLINE).set_stay_synchronized(True)
        known = self._commit(source)
        opened: list[Any] = []
        if backend == "carddav":
            EBook.BookClient.connect(
                known, 30, None, lambda _, done: opened.append(EBook.BookClient.connect_finish(done))
            )
        else:
            ECal.Client.connect(known, opens, 30, None, lambda _, done: opened.append(ECal.Client.connect_finish(done)))
        self._wait(lambda: opened and known.get_connection_status() == EDataServer.SourceConnectionStatus.CONNECTED)
        self._clients[kind] = opened[0]
        self._wait(lambda: opened[0].is_readonly() is is_readonly)
        return str(known.get_display_name())

    def create(self, kind: str, text: str) -> str:
        """Returns the UID of a component ("BEGIN:VEVENT") or of a card."""
        client = self._clients[kind]
        if kind == "contacts":
            return str(client.add_contact_sync(EBookContacts.Contact.new_from_vcard(text), 0, None)[1])
        return str(client.create_object_sync(ICalGLib.Component.new_from_string(text), 0, None)[1])

    def change(self, kind: str, text: str, all_of_it: bool = True) -> None:
        """Writes another version; of a series the whole, or one occurrence by its RECURRENCE-ID."""
        client = self._clients[kind]
        if kind == "contacts":
            client.modify_contact_sync(EBookContacts.Contact.new_from_vcard(text), 0, None)
        else:
            how = ECal.ObjModType.ALL if all_of_it else ECal.ObjModType.THIS
            client.modify_object_sync(ICalGLib.Component.new_from_string(text), how, 0, None)

    def remove(self, kind: str, uid: str) -> None:
        if kind == "contacts":
            self._clients[kind].remove_contact_by_uid_sync(uid, 0, None)
        else:
            self._clients[kind].remove_object_sync(uid, None, ECal.ObjModType.ALL, 0, None)

    def shows(self, kind: str, *texts: str) -> list[str]:
        """Asks the server until these are the values that it has (summaries, or names of contacts), and returns them."""
        wanted = sorted(texts)

        def holds() -> bool:
            self._clients[kind].refresh_sync(None)
            return self._values(kind) == wanted

        self._wait(holds, lambda: f"{self._values(kind)} instead of {wanted}", pause=0.2)
        return wanted

    def _values(self, kind: str) -> list[str]:
        client = self._clients[kind]
        if isinstance(client, EBook.BookClient):
            query = EBookContacts.BookQuery.any_field_contains("").to_string()
            return sorted(each.get_property("full-name") for each in client.get_contacts_sync(query, None)[1])
        return sorted(each.get_summary() for each in client.get_object_list_sync("#t", None)[1])

    def completes(self, text: str) -> list[str]:
        """The names and first addresses that it offers to somebody who types a text into a field of recipients."""
        query = EBookContacts.BookQuery.any_field_contains(text).to_string()
        contacts = self._clients["directory"].get_contacts_sync(query, None)[1]
        return sorted(f"{each.get_property('full-name')} <{each.get_property('email-1')}>" for each in contacts)

    def _source(self, name: str) -> Any:
        source = EDataServer.Source.new_with_uid(name, None)
        source.set_display_name(name)
        authentication = source.get_extension(EDataServer.SOURCE_EXTENSION_AUTHENTICATION)
        authentication.set_host("localhost")
        authentication.set_port(self._port)
        authentication.set_user(self._user)
        authentication.set_method("plain/password")
        source.get_extension(EDataServer.SOURCE_EXTENSION_SECURITY).set_method("tls")
        webdav = source.get_extension(EDataServer.SOURCE_EXTENSION_WEBDAV_BACKEND)
        webdav.update_ssl_trust("localhost", self._certificate, EDataServer.TrustPromptResponse.ACCEPT)
        return source

    def _commit(self, source: Any) -> Any:
        self._registry.commit_source_sync(source, None)
        self._wait(lambda: self._registry.ref_source(source.get_uid()) is not None)
        known = self._registry.ref_source(source.get_uid())
        # Where a desktop would ask for the password.
        known.connect("credentials-required", lambda *_: known.invoke_authenticate(self._credentials, None, None))
        return known

    def _wait(self, holds: Callable[[], object], say: Callable[[], str] = str, pause: float = 0.02) -> None:
        context, deadline = GLib.MainContext.default(), time.monotonic() + SECONDS
        while True:
            while context.iteration(False):
                pass
            if holds():
                return
            assert time.monotonic() < deadline, f"it did not happen: {say()}"
            time.sleep(pause)


def main() -> None:
    program = Program(int(sys.argv[1]), *sys.argv[2:5])
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            answer = [getattr(program, name)(*arguments), ""]
        except (GLib.Error, AssertionError) as error:
            answer = [None, f"{name}: {error}"]
        print(json.dumps(answer), flush=True)


main()
