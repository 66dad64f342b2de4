"""Sets up mail programs in client1's home. They serve the user who has the Kerberos ticket (`kinit alice`).

The programs do not take the user's name from the ticket. So a script with the name of each program runs first, and writes its
settings.
"""

from __future__ import annotations

from postern.lab.folder import Folder
from postern.lab.plan import CAS1, CLIENT1, DOMAIN, HUB1, PEOPLE

PROGRAMS = "bin"
"""The folder of the scripts, below the home; it comes first in PATH."""

_SCRIPT = """\
#!/bin/sh
# {program} for whoever has the ticket; without one for {first}, whom the servers then do not believe.
who=$(klist 2>/dev/null | sed -n 's/^Default principal: \\([A-Za-z0-9._-]*\\)@.*/\\1/p')
who=${{who:-{first}}}
settings=$HOME/.{program}rc.$who
umask 077
sed "s/@WHO@/$who/g" "$HOME/.{program}rc" > "$settings" && exec /usr/bin/{program} {option} "$settings" "$@"
"""
_OPTIONS = {"msmtp": "-C", "mutt": "-F", "fetchmail": "-f"}
_FILES = {
    "msmtp": """\
defaults
tls on
tls_trust_file /etc/ssl/certs/ca-certificates.crt
account default
host {hub}
port 587
auth gssapi
user @WHO@@{domain}
from @WHO@@{domain}
""",
    "mutt": """\
set folder = "imaps://{cas}/"
set spoolfile = "+INBOX"
set record = ""
set imap_user = "@WHO@@{domain}"
set imap_authenticators = "gssapi"
set ssl_ca_certificates_file = "/etc/ssl/certs/ca-certificates.crt"
set ssl_verify_host = yes
set from = "@WHO@@{domain}"
set sendmail = "msmtp"
set header_cache = ""
""",
    "fetchmail": """\
poll {cas} protocol IMAP auth gssapi
    user "@WHO@@{domain}" ssl sslcertck sslcertfile /etc/ssl/certs/ca-certificates.crt
    keep mda "cat >>mail"
""",
}


def prepare(folder: Folder) -> None:
    """Writes the scripts into client1's home. Raises OSError."""
    home = folder.host(CLIENT1.name) / "home"
    (home / PROGRAMS).mkdir(exist_ok=True)
    for program, text in _FILES.items():
        file = home / f".{program}rc"
        file.write_text(text.format(hub=HUB1.fqdn, cas=CAS1.fqdn, domain=DOMAIN))
        file.chmod(0o600)  # msmtp and fetchmail accept no other mode
        script = home / PROGRAMS / program
        script.write_text(_SCRIPT.format(program=program, first=PEOPLE[0].name, option=_OPTIONS[program]))
        script.chmod(0o755)
