"""The other organization, other.test: a mail server of another make (Postfix), the internet's names (nsd), and an authority of
its own.

nsd is the whole DNS of the lab's internet, the root zone included: names that it does not know do not exist.
"""

from __future__ import annotations

import datetime
import pwd
import shutil
from pathlib import Path

from postern.host import certificates
from postern.lab.folder import Folder
from postern.lab.namespaces import Namespaces
from postern.lab.plan import DOMAIN, EDGE1, INTERNET1, OTHER_DOMAIN, STRANGERS, LabError, Machine
from postern.model.organization import AcceptedDomain, Organization, Role, Server, StateFolder

_NAME_SERVER = f"ns.{OTHER_DOMAIN}."
PORTS = (25, 53)
_PROGRAMS = ("/usr/sbin/nsd", "/usr/sbin/postfix")

_NSD = """\
server:
    ip-address: {address}
    do-ip6: no
    username: ""
    chroot: ""
    server-count: 1
    pidfile: ""
    zonesdir: "{folder}"
    xfrdfile: ""
    xfrdir: "{folder}"
    zonelistfile: "{folder}/zone.list"
    database: ""
    hide-version: yes
    rrl-ratelimit: 0
remote-control:
    control-enable: yes
    control-interface: {folder}/control
"""
_ZONE = """
zone:
    name: "{name}"
    zonefile: "{file}"
"""
_SOA = "$TTL 60\n@ IN SOA {server} hostmaster.{other}. 1 3600 600 86400 60\n@ IN NS {server}\n"

_POSTFIX = """\
compatibility_level = 3.6
myhostname = {fqdn}
mydomain = {domain}
myorigin = {domain}
mydestination =
mynetworks = 127.0.0.0/8, {address}
inet_interfaces = {address}, 127.0.0.1
inet_protocols = ipv4
maillog_file = /dev/stdout
alias_maps =
alias_database =
virtual_mailbox_domains = {domain}
virtual_mailbox_base = {mail}
virtual_mailbox_maps = texthash:/etc/postfix/mailboxes
virtual_alias_maps = texthash:/etc/postfix/aliases
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_tls_security_level = may
smtpd_tls_chain_files = {key}, {chain}
smtpd_tls_received_header = yes
smtpd_tls_loglevel = 1
smtpd_tls_ask_ccert = yes
smtp_tls_security_level = may
smtp_tls_chain_files = {key}, {chain}
smtp_tls_loglevel = 1
smtp_host_lookup = dns
minimal_backoff_time = 5s
maximal_backoff_time = 20s
queue_run_delay = 5s
"""
_MASTER = """\
smtp      inet  n       -       n       -       -       smtpd
pickup    unix  n       -       n       60      1       pickup
cleanup   unix  n       -       n       -       0       cleanup
qmgr      unix  n       -       n       300     1       qmgr
tlsmgr    unix  -       -       n       1000?   1       tlsmgr
rewrite   unix  -       -       n       -       -       trivial-rewrite
bounce    unix  -       -       n       -       0       bounce
defer     unix  -       -       n       -       0       bounce
trace     unix  -       -       n       -       0       bounce
verify    unix  -       -       n       -       1       verify
flush     unix  n       -       n       1000?   0       flush
proxymap  unix  -       -       n       -       -       proxymap
smtp      unix  -       -       n       -       -       smtp
relay     unix  -       -       n       -       -       smtp
showq     unix  n       -       n       -       -       showq
error     unix  -       -       n       -       -       error
retry     unix  -       -       n       -       -       error
discard   unix  -       -       n       -       -       discard
local     unix  -       n       n       -       -       local
virtual   unix  -       n       n       -       -       virtual
anvil     unix  -       -       n       -       1       anvil
scache    unix  -       -       n       -       1       scache
postlog   unix-dgram n  -       n       -       1       postlogd
"""


def check() -> None:
    """Raises LabError if this machine lacks a program that the other organization needs."""
    for program in _PROGRAMS:
        if not Path(program).exists() and not shutil.which(Path(program).name):
            raise LabError(f"{program} is missing: `scripts/setup lab` installs what the lab needs")


def mailbox(folder: Folder, name: str) -> Path:
    """The maildir in which mail for NAME@other.test arrives."""
    return folder.host(INTERNET1.name) / "mail" / name


def zones_folder(folder: Folder) -> Path:
    """The folder of the zone files, NAME.zone; `nsd-control reload` on internet1 reads them anew."""
    return folder.host(INTERNET1.name) / "dns"


def authority(folder: Folder) -> Path:
    """The certificate of the other organization's authority."""
    return folder.host(INTERNET1.name) / "certificates" / "ca.pem"


def prepare(folder: Folder) -> None:
    """Writes the files that Postfix and nsd need. Raises OSError or CertificateError."""
    home = folder.host(INTERNET1.name)
    _make_certificates(home)
    _write_zones(zones_folder(folder))
    _write_postfix(home)


def start(folder: Folder, namespaces: Namespaces) -> None:
    """Starts nsd and Postfix. Raises LabError."""
    host = INTERNET1.name
    dns = zones_folder(folder)
    namespaces.start(host, ["nsd", "-d", "-c", str(dns / "nsd.conf")], folder.log(host, "nsd"))
    # `postfix check` makes the folders of the queue, and gives them to Postfix' own account.
    namespaces.run(host, ["sh", "-c", "postfix check"])
    namespaces.start(host, ["postfix", "start-fg"], folder.log(host, "postfix"))


def _make_certificates(home: Path) -> None:
    theirs = Organization(
        name="Other",
        domains=(AcceptedDomain(OTHER_DOMAIN),),
        servers=(Server("mx", INTERNET1.fqdn, frozenset({Role.EDGE}), (INTERNET1.address,)),),
    )
    state_folder = StateFolder(home, home)
    state_folder.certificates.mkdir(mode=0o755)
    certificates.ensure(state_folder, theirs, theirs.servers[0], datetime.datetime.now(datetime.UTC))
    (state_folder.certificates / "ca.pem").chmod(0o644)


def _write_zones(folder: Path) -> None:
    folder.mkdir(mode=0o755)
    soa = _SOA.format(server=_NAME_SERVER, other=OTHER_DOMAIN)
    zones = {
        ".": "",
        f"{OTHER_DOMAIN}.": _records(
            f"@ MX 10 {INTERNET1.fqdn}.",
            '@ TXT "v=spf1 mx -all"',
            '_dmarc TXT "v=DMARC1; p=none"',
            f"mx A {INTERNET1.address}",
            f"ns A {INTERNET1.address}",
        ),
        # A stranger sees only the edge of our organization, and nothing behind it.
        f"{DOMAIN}.": _records(
            f"@ MX 10 {EDGE1.fqdn}.",
            '@ TXT "v=spf1 mx -all"',
            '_dmarc TXT "v=DMARC1; p=none"',
            f"{EDGE1.name} A {EDGE1.address}",
        ),
        _reverse(INTERNET1): _records(f"{_last(INTERNET1)} PTR {INTERNET1.fqdn}."),
        _reverse(EDGE1): _records(f"{_last(EDGE1)} PTR {EDGE1.fqdn}."),
    }
    text = _NSD.format(address=INTERNET1.address, folder=folder)
    for name, records in zones.items():
        file = f"{name.strip('.') or 'root'}.zone"
        (folder / file).write_text(f"$ORIGIN {name}\n{soa}{records}")
        text += _ZONE.format(name=name, file=file)
    (folder / "nsd.conf").write_text(text)


def _records(*lines: str) -> str:
    return "".join(f"{line}\n" for line in lines)


def _reverse(machine: Machine) -> str:
    return ".".join(reversed(machine.address.split(".")[:3])) + ".in-addr.arpa."


def _last(machine: Machine) -> str:
    return machine.address.rpartition(".")[2]


def _write_postfix(home: Path) -> None:
    mail, settings = home / "mail", home / "etc" / "postfix"
    owner = pwd.getpwnam("nobody")
    mail.mkdir(mode=0o755)
    shutil.chown(mail, owner.pw_uid, owner.pw_gid)
    text = _POSTFIX.format(
        fqdn=INTERNET1.fqdn,
        domain=OTHER_DOMAIN,
        address=INTERNET1.address,
        mail=mail,
        uid=owner.pw_uid,
        gid=owner.pw_gid,
        key=home / "certificates" / "server.key",
        chain=home / "certificates" / "server.pem",
    )
    settings.mkdir(parents=True, exist_ok=True)
    (settings / "main.cf").write_text(text)
    (settings / "master.cf").write_text(_MASTER)
    mailboxes = "".join(f"{name}@{OTHER_DOMAIN} {name}/\n" for name in (*STRANGERS, "postmaster"))
    (settings / "mailboxes").write_text(mailboxes)
    (settings / "aliases").write_text(f"abuse@{OTHER_DOMAIN} postmaster@{OTHER_DOMAIN}\n")
    (home / "etc" / "mailname").write_text(f"{OTHER_DOMAIN}\n")
