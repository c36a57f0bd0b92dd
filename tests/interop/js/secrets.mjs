// Key Vault secrets by @azure/keyvault-secrets and @azure/identity.

import assert from "node:assert/strict";
import { createDefaultHttpClient } from "@azure/core-rest-pipeline";
import { SecretClient } from "@azure/keyvault-secrets";
import { check, collect, refused } from "./checks.mjs";
import { clientOptions, credential, secrets as clientOf, vaultOptions, world } from "./world.mjs";

const client = clientOf("kv-js");
const quickly = { intervalInMs: 10 };
const namesOf = async (listed) => (await collect(listed)).map((properties) => properties.name);

async function challenge() {
  await check("challenge: one unauthenticated request, then one token for the vault's audience", async () => {
    const asked = [];
    const inner = credential();
    const counting = {
      getToken(scopes, options) {
        asked.push([scopes, options?.tenantId]);
        return inner.getToken(scopes, options);
      },
    };
    const sent = [];
    const transport = createDefaultHttpClient();
    const httpClient = {
      async sendRequest(request) {
        const hasToken = request.headers.has("authorization");
        const response = await transport.sendRequest(request);
        sent.push([hasToken, response.status]);
        return response;
      },
    };
    const by = new SecretClient(world.vaults["kv-js"], counting, { ...vaultOptions, httpClient });
    await refused(by.getSecret("challenge-absent"), 404, "SecretNotFound");
    assert.deepEqual(asked, [[["https://vault.azure.net/.default"], world.identity.tenant_id]]);
    await refused(by.getSecret("challenge-absent"), 404);
    assert.deepEqual(sent, [[false, 401], [true, 404], [true, 404]]);
  });
  await check("challenge: the SDK refuses a vault whose name is not below the audience's", async () => {
    const by = new SecretClient(world.vaults["kv-js"], credential(), clientOptions);
    await assert.rejects(by.getSecret("a"), /challenge resource 'vault.azure.net' does not match/);
  });
  await check("challenge: a token of another audience is refused", async () => {
    const foreign = { getToken: (_, options) => credential().getToken("https://azconfig.io/.default", options) };
    await refused(clientOf("kv-js", foreign).getSecret("a"), 401);
  });
}

async function versions() {
  const made = [];
  await check("secrets: set, get the newest and a version", async () => {
    const expiresOn = new Date(Math.floor(Date.now() / 1000) * 1000 + 86_400_000);
    for (const value of ["one", "two ü\n"]) {
      made.push(await client.setSecret("versioned", value, { contentType: "text/x", tags: { by: "js" }, expiresOn }));
    }
    const newest = await client.getSecret("versioned");
    assert.deepEqual([newest.value, newest.properties.version], ["two ü\n", made[1].properties.version]);
    assert.deepEqual([newest.properties.contentType, newest.properties.tags], ["text/x", { by: "js" }]);
    assert.deepEqual([newest.properties.enabled, newest.properties.expiresOn], [true, expiresOn]);
    const first = await client.getSecret("versioned", { version: made[0].properties.version });
    assert.equal(first.value, "one");
    assert.match(first.properties.version, /^[0-9a-f]{32}$/);
    assert.equal(first.properties.id, `${first.properties.vaultUrl}/secrets/versioned/${first.properties.version}`);
  });
  await check("secrets: names are case-insensitive", async () => {
    assert.equal((await client.getSecret("VERSIONED")).value, "two ü\n");
  });
  await check("secrets: absent name, absent version", async () => {
    await refused(client.getSecret("absent"), 404, "SecretNotFound");
    await refused(client.getSecret("versioned", { version: "0".repeat(32) }), 404, "SecretNotFound");
  });
  await check("secrets: versions and names are listed over several pages, without values", async () => {
    for (let number = 0; number < 30; number += 1) {
      await client.setSecret("many", `${number}`);
      await client.setSecret(`listed-${number}`, `${number}`);
    }
    const all = await collect(client.listPropertiesOfSecretVersions("many"));
    assert.equal(new Set(all.map((properties) => properties.version)).size, 30);
    const names = await namesOf(client.listPropertiesOfSecrets());
    assert.deepEqual(names.filter((name) => name.startsWith("listed-")).length, 30);
    assert.equal(new Set(names).size, names.length);
    const pages = await collect(client.listPropertiesOfSecrets().byPage());
    assert.ok(pages.length > 1 && pages.every((page) => page.length <= 25));
  });
  await check("secrets: a disabled version is forbidden, and enabled again it is read", async () => {
    const { name, version } = made[1].properties;
    const updated = await client.updateSecretProperties(name, version, { enabled: false });
    assert.equal(updated.enabled, false);
    await refused(client.getSecret(name), 403, "SecretDisabled");
    assert.equal((await client.getSecret(name, { version: made[0].properties.version })).value, "one");
    await client.updateSecretProperties(name, version, { enabled: true, contentType: "text/y" });
    assert.equal((await client.getSecret(name)).properties.contentType, "text/y");
  });
  await check("secrets: a value of more than 25 KB is refused", async () => {
    await refused(client.setSecret("large", "x".repeat(25 * 1024 + 1)), 400);
    await client.setSecret("large", "x".repeat(25 * 1024));
  });
}

async function softDelete() {
  await client.setSecret("gone", "x");
  await check("soft delete: delete, and wait for it", async () => {
    const poller = await client.beginDeleteSecret("gone", quickly);
    const deleted = await poller.pollUntilDone();
    assert.deepEqual([deleted.name, deleted.properties.name], ["gone", "gone"]);
    assert.ok(deleted.properties.deletedOn < deleted.properties.scheduledPurgeDate);
    assert.match(deleted.properties.recoveryId, /\/deletedsecrets\/gone$/);
  });
  await check("soft delete: the name is neither read nor free", async () => {
    await refused(client.getSecret("gone"), 404, "SecretNotFound");
    await refused(client.setSecret("gone", "y"), 409, "ObjectIsDeletedButRecoverable");
    assert.equal((await client.getDeletedSecret("gone")).name, "gone");
    assert.ok((await namesOf(client.listDeletedSecrets())).includes("gone"));
  });
  await check("soft delete: recover, with its value", async () => {
    const poller = await client.beginRecoverDeletedSecret("gone", quickly);
    assert.equal((await poller.pollUntilDone()).name, "gone");
    assert.equal((await client.getSecret("gone")).value, "x");
  });
  await check("soft delete: purge, and the name is free", async () => {
    await (await client.beginDeleteSecret("gone", quickly)).pollUntilDone();
    await client.purgeDeletedSecret("gone");
    await refused(client.getDeletedSecret("gone"), 404);
    await client.setSecret("gone", "new");
    assert.equal((await collect(client.listPropertiesOfSecretVersions("gone"))).length, 1);
  });
  await check("backup: restored with its versions", async () => {
    await client.setSecret("kept", "one");
    const newest = await client.setSecret("kept", "two");
    const blob = await client.backupSecret("kept");
    await refused(client.restoreSecretBackup(blob), 409, "Conflict");
    await (await client.beginDeleteSecret("kept", quickly)).pollUntilDone();
    await client.purgeDeletedSecret("kept");
    assert.equal((await client.restoreSecretBackup(blob)).id, newest.properties.id);
    assert.equal((await client.getSecret("kept")).value, "two");
    assert.equal((await collect(client.listPropertiesOfSecretVersions("kept"))).length, 2);
  });
}

export async function secrets() {
  await challenge();
  await versions();
  await softDelete();
}
