"""Plans the steps of `postern setup ad --remove`, which removes what `postern setup ad` made.

Pure, as `setup`. The schema stays, for Active Directory cannot remove what was added to it (MS-ADTS 3.1.1.3.1.1.1). Recipients
keep their mail attributes too.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from postern.directory.ad import names
from postern.directory.ad import schema as ad_schema
from postern.directory.ad import servers as ad_servers
from postern.directory.ad.setup import Forest
from postern.directory.ad.steps import Delete, Rights, SetupStep
from postern.model.organization import Server

NOTES = (
    "The schema stays as it is: Active Directory can deactivate an attribute or class (isDefunct), not remove it.",
    "What users, groups and contacts hold of mail stays: their addresses are theirs.",
)


def servers(forest: Forest, of: Iterable[Server]) -> Iterator[SetupStep]:
    """Returns steps that remove the servers' computer accounts and objects."""
    for server in of:
        for dn, title in (
            (ad_servers.server_dn(forest, server), f"server object {server.name}"),
            (ad_servers.computer_dn(forest.domain, server), f"computer account {server.machine_account}"),
        ):
            if forest.has(dn):
                yield SetupStep(server.name, f"remove {title}", Delete(dn))


def everything(forest: Forest, of: Iterable[Server]) -> Iterator[SetupStep]:
    """Returns steps that remove the servers, and then all that the organization shares."""
    removed = list(servers(forest, of))
    yield from removed
    if forest.has(ad_servers.probe_dn(forest)):
        yield SetupStep("probe", f"remove account {names.PROBE_ACCOUNT}", Delete(ad_servers.probe_dn(forest)))
    if forest.sid and not forest.may(forest.domain, ()):
        yield SetupStep("rights", f"{names.SERVERS_GROUP} may nothing on {forest.domain}", Rights(forest.domain, ()))
    if forest.has(forest.property_set):
        yield SetupStep("rights", f"remove property set {ad_schema.MAIL_PROPERTIES_NAME}", Delete(forest.property_set))
    if forest.has(forest.group):
        yield SetupStep("rights", f"remove group {names.SERVERS_GROUP}", Delete(forest.group))
    root = forest.below_configuration(names.ORGANIZATION).lower()
    gone = {step.action.dn.lower() for step in removed if isinstance(step.action, Delete)}
    below = [dn for dn in forest.objects if dn not in gone and (dn == root or dn.endswith("," + root))]
    for key in sorted(below, key=lambda dn: (-dn.count(","), dn)):  # children before parents
        dn = forest.values(key, "distinguishedName")[0].decode()
        name = dn.removesuffix(f",{forest.configuration}").removesuffix(f",{names.ORGANIZATION}")
        yield SetupStep("containers", f"remove {name}", Delete(dn))
