"""What client1 finds in its home: mail programs set up for alice, who logs on by the ticket of `kinit alice` alone."""

from __future__ import annotations

from postern.lab.folder import Folder
from postern.lab.plan import CAS1, CLIENT1, DOMAIN, HUB1

_FILES = {
    ".msmtprc": """\
defaults
tls on
tls_trust_file /etc/ssl/certs/ca-certificates.crt
account alice
host {hub}
port 587
auth gssapi
user alice@{domain}
from alice@{domain}
account default : alice
""",
    ".muttrc": """\
set folder = "imaps://{cas}/"
set spoolfile = "+INBOX"
set record = ""
set imap_user = "alice@{domain}"
set imap_authenticators = "gssapi"
set ssl_ca_certificates_file = "/etc/ssl/certs/ca-certificates.crt"
set ssl_verify_host = yes
set realname = "Alice Archer"
set from = "alice@{domain}"
set sendmail = "msmtp"
set header_cache = ""
""",
    ".fetchmailrc": """\
poll {cas} protocol IMAP auth gssapi
    user "alice@{domain}" ssl sslcertck sslcertfile /etc/ssl/certs/ca-certificates.crt
    keep mda "cat >>mail"
""",
}


def prepare(folder: Folder) -> None:
    """Raises OSError."""
    for name, text in _FILES.items():
        file = folder.host(CLIENT1.name) / "home" / name
        file.write_text(text.format(hub=HUB1.fqdn, cas=CAS1.fqdn, domain=DOMAIN))
        file.chmod(0o600)  # msmtp and fetchmail insist
