"""Key Vault secrets by azure-keyvault-secrets and azure-identity."""

import datetime
import re

from azure.keyvault.secrets import SecretClient

from checks import check, equal, refused
from world import OPTIONS, WORLD, credential, secrets as client_of

QUICKLY = {"_polling_interval": 0.01}


def secrets():
    client = client_of("kv-python")
    _challenge()
    _versions(client)
    _soft_delete(client)


def _challenge():
    @check("challenge: one token for the vault's audience, kept for the next call")
    def _():
        asked = []
        inner = credential()

        class Counting:
            def get_token(self, *scopes, **options):
                asked.append((scopes, options.get("tenant_id")))
                return inner.get_token(*scopes, **options)

        by = client_of("kv-python", Counting())
        refused(404, by.get_secret, "challenge-absent", code="SecretNotFound")
        refused(404, by.get_secret, "challenge-absent")
        equal(asked, [(("https://vault.azure.net/.default",), WORLD["identity"]["tenant_id"])])

    @check("challenge: the SDK refuses a vault whose name is not below the audience's")
    def _():
        by = SecretClient(WORLD["vaults"]["kv-python"], credential(), **OPTIONS)
        try:
            by.get_secret("a")
        except ValueError as error:
            assert "does not match the requested domain" in str(error), error
        else:
            raise AssertionError("the challenge was accepted")


def _versions(client):
    expires = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=1)
    options = {"content_type": "text/x", "tags": {"by": "python"}, "expires_on": expires}
    made = [client.set_secret("versioned", value, **options) for value in ("one", "two ü\n")]

    @check("secrets: set, get the newest and a version")
    def _():
        newest = client.get_secret("versioned")
        equal((newest.value, newest.properties.version), ("two ü\n", made[1].properties.version))
        properties = newest.properties
        equal((properties.content_type, properties.tags), ("text/x", {"by": "python"}))
        equal((properties.enabled, properties.expires_on), (True, expires))
        first = client.get_secret("versioned", made[0].properties.version)
        equal(first.value, "one")
        assert re.fullmatch("[0-9a-f]{32}", first.properties.version)

    @check("secrets: absent name, absent version")
    def _():
        refused(404, client.get_secret, "absent", code="SecretNotFound")
        refused(404, client.get_secret, "versioned", "0" * 32, code="SecretNotFound")

    @check("secrets: versions and names are listed over several pages")
    def _():
        for number in range(30):
            client.set_secret("many", str(number))
        versions = {properties.version for properties in client.list_properties_of_secret_versions("many")}
        equal(len(versions), 30)
        for number in range(30):
            client.set_secret(f"listed-{number}", str(number))
        names = [properties.name for properties in client.list_properties_of_secrets()]
        equal(len([name for name in names if name.startswith("listed-")]), 30)
        equal(len(set(names)), len(names))

    @check("secrets: a disabled version is forbidden")
    def _():
        version = made[1].properties.version
        updated = client.update_secret_properties("versioned", version, enabled=False)
        equal(updated.enabled, False)
        refused(403, client.get_secret, "versioned", code="SecretDisabled")
        equal(client.get_secret("versioned", made[0].properties.version).value, "one")
        client.update_secret_properties("versioned", version, enabled=True)
        equal(client.get_secret("versioned").value, "two ü\n")


def _soft_delete(client):
    client.set_secret("gone", "x")

    @check("soft delete: delete, read the deleted one, recover, purge")
    def _():
        deleted = client.begin_delete_secret("gone", **QUICKLY).result()
        assert deleted.deleted_date < deleted.scheduled_purge_date
        refused(404, client.get_secret, "gone")
        refused(409, client.set_secret, "gone", "y", code="ObjectIsDeletedButRecoverable")
        equal(client.get_deleted_secret("gone").name, "gone")
        assert "gone" in [found.name for found in client.list_deleted_secrets()]
        recovery = client.begin_recover_deleted_secret("gone", **QUICKLY)
        recovery.wait()
        equal((recovery.result().name, client.get_secret("gone").value), ("gone", "x"))
        client.begin_delete_secret("gone", **QUICKLY).wait()
        client.purge_deleted_secret("gone")
        refused(404, client.get_deleted_secret, "gone")

    @check("backup: restored with its versions")
    def _():
        client.set_secret("kept", "one")
        newest = client.set_secret("kept", "two")
        blob = client.backup_secret("kept")
        refused(409, client.restore_secret_backup, blob, code="Conflict")
        client.begin_delete_secret("kept", **QUICKLY).wait()
        client.purge_deleted_secret("kept")
        equal(client.restore_secret_backup(blob).id, newest.id)
        equal(client.get_secret("kept").value, "two")
