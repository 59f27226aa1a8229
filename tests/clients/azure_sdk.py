"""The management library for Azure SQL, unmodified, through a whole link's life.

Driven by crates/lab-azure/tests/it/azure_sdk.rs: says on each line of its output what it has seen, as JSON, and goes on when it
is sent a line. Everything that it needs is in variables LAB_*.
"""

import json
import os
import sys

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import ClientSecretCredential
from azure.mgmt.sql import SqlManagementClient
from azure.mgmt.sql.models import (
    DistributedAvailabilityGroup,
    DistributedAvailabilityGroupDatabase,
    DistributedAvailabilityGroupsFailoverRequest,
    ServerTrustCertificate,
)

env = {name[4:].lower(): value for name, value in os.environ.items() if name.startswith("LAB_")}
credential = ClientSecretCredential(
    env["tenant"],
    env["client_id"],
    env["client_secret"],
    authority=env["endpoint"],
    disable_instance_discovery=True,
    connection_verify=env["ca"],
)
client = SqlManagementClient(
    credential,
    env["subscription"],
    base_url=env["endpoint"],
    credential_scopes=[env["endpoint"] + "/.default"],
    connection_verify=env["ca"],
)
links = client.distributed_availability_groups
OF = ("lab", "mi")
LINK = (*OF, "Link1")


def say(what, link=None, **more):
    """Tells the test, and waits for its leave to go on."""
    if link is not None:
        database = link.databases[0]
        more.update(
            role=link.instance_link_role,
            state=database.replica_state,
            health=database.synchronization_health,
            hardened=database.last_hardened_lsn,
            id=link.distributed_availability_group_id,
        )
    print(json.dumps({"step": what, **more}), flush=True)
    if not sys.stdin.readline():
        sys.exit("the test has gone away")


certificate = client.server_trust_certificates.begin_create_or_update(
    *OF, env["certificate"], ServerTrustCertificate(public_blob=env["blob"])
).result()
say("certificate", thumbprint=certificate.thumbprint)

wanted = DistributedAvailabilityGroup(
    databases=[DistributedAvailabilityGroupDatabase(database_name="Sales")],
    instance_link_role="Primary",
    instance_availability_group_name="AG_Sales_MI",
    partner_availability_group_name="AG_Sales",
    partner_endpoint=env["partner"],
    failover_mode="Manual",
    seeding_mode="Automatic",
)
poller = links.begin_create_or_update(*LINK, wanted)
poller.wait()
say("created", status=poller.status())
say("seen", links.get(*LINK), names=[link.name for link in links.list_by_instance(*OF)])

planned = DistributedAvailabilityGroupsFailoverRequest(failover_type="Planned")
say("failed over", links.begin_failover(*LINK, planned).result())

try:
    links.begin_failover(*LINK, planned).result()
    say("refused", code="nothing was refused")
except HttpResponseError as error:
    say("refused", code=error.error.code, status=error.status_code)

links.begin_delete(*LINK).result()
try:
    links.get(*LINK)
    say("deleted", code="it is there")
except ResourceNotFoundError as error:
    say("deleted", code=error.error.code)

# An operation that fails is an error with the operation's own code.
try:
    links.begin_delete(*LINK).result()
    say("deleted again", code="nothing failed")
except HttpResponseError as error:
    say("deleted again", code=error.error.code)
