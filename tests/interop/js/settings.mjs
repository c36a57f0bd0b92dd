// App Configuration by @azure/app-configuration.

import assert from "node:assert/strict";
import { AppConfigurationClient, featureFlagContentType, secretReferenceContentType } from "@azure/app-configuration";
import { check, collect, refused } from "./checks.mjs";
import { clientOptions, credential, store, world } from "./world.mjs";

const client = store("js");
const padded = (number) => String(number).padStart(3, "0");

async function single() {
  await check("settings: set, then get the same", async () => {
    const written = await client.setConfigurationSetting({
      key: "one:a b/c ü",
      label: "l/1",
      value: "wört\n",
      contentType: "text/plain",
      tags: { team: "core", empty: "" },
      description: "what it is for",
    });
    // A key with a percent sign cannot be read by its path (provider-spec 1.1), but in a list it can.
    const [read] = await collect(client.listConfigurationSettings({ keyFilter: "one:a b/c ü", labelFilter: "l/1" }));
    for (const field of ["key", "label", "value", "contentType", "tags", "etag", "description"]) {
      assert.deepEqual(read[field], written[field], field);
    }
    assert.equal(read.value, "wört\n");
    assert.equal(read.isReadOnly, false);
    assert.ok(Math.abs(Date.now() - read.lastModified.getTime()) < 120_000);
  });
  await check("settings: keys of every script by their path", async () => {
    // A key with a question mark or a hash is cut short by this client itself; the Python one sends it whole.
    for (const key of ["one:a/b", "one:a b", "one:ключ", "one:a+b", "one:[x]", "one:a.b"]) {
      await client.setConfigurationSetting({ key, value: key });
      const read = await client.getConfigurationSetting({ key });
      assert.deepEqual([read.key, read.value, read.label], [key, key, undefined]);
    }
  });
  await check("settings: the null label and a label are two settings", async () => {
    await client.setConfigurationSetting({ key: "one:labels", value: "plain" });
    await client.setConfigurationSetting({ key: "one:labels", label: "prod", value: "prod" });
    assert.equal((await client.getConfigurationSetting({ key: "one:labels" })).value, "plain");
    assert.equal((await client.getConfigurationSetting({ key: "one:labels", label: "prod" })).value, "prod");
    await refused(client.getConfigurationSetting({ key: "one:labels", label: "PROD" }), 404);
  });
  await check("settings: absent is 404; deleting an absent one is not an error", async () => {
    await refused(client.getConfigurationSetting({ key: "one:absent" }), 404);
    assert.equal((await client.deleteConfigurationSetting({ key: "one:absent" })).statusCode, 204);
  });
  await check("settings: delete", async () => {
    await client.setConfigurationSetting({ key: "one:gone", value: "x" });
    assert.equal((await client.deleteConfigurationSetting({ key: "one:gone" })).statusCode, 200);
    await refused(client.getConfigurationSetting({ key: "one:gone" }), 404);
  });
  await check("settings: a locked setting refuses changes", async () => {
    await client.setConfigurationSetting({ key: "one:locked", value: "x" });
    assert.equal((await client.setReadOnly({ key: "one:locked" }, true)).isReadOnly, true);
    await refused(client.setConfigurationSetting({ key: "one:locked", value: "y" }), 409);
    await refused(client.deleteConfigurationSetting({ key: "one:locked" }), 409);
    assert.equal((await client.setReadOnly({ key: "one:locked" }, false)).isReadOnly, false);
    await client.setConfigurationSetting({ key: "one:locked", value: "y" });
  });
  await check("settings: secret references and feature flags keep their types", async () => {
    const uri = "https://kv.vault.azure.net/secrets/n/0123456789abcdef0123456789abcdef";
    await client.setConfigurationSetting({
      key: "one:reference",
      value: { secretId: uri },
      contentType: secretReferenceContentType,
    });
    const reference = await client.getConfigurationSetting({ key: "one:reference" });
    assert.equal(reference.contentType, secretReferenceContentType);
    assert.deepEqual(JSON.parse(reference.value), { uri });
    await client.setConfigurationSetting({
      key: ".appconfig.featureflag/interop-flag",
      value: { id: "interop-flag", enabled: true, conditions: { clientFilters: [] } },
      contentType: featureFlagContentType,
    });
    const flag = await client.getConfigurationSetting({ key: ".appconfig.featureflag/interop-flag" });
    assert.equal(JSON.parse(flag.value).enabled, true);
  });
}

async function conditions() {
  await check("conditions: add refuses what is there", async () => {
    await client.addConfigurationSetting({ key: "if:new", value: "1" });
    await refused(client.addConfigurationSetting({ key: "if:new", value: "2" }), 412);
  });
  await check("conditions: get only if changed", async () => {
    const written = await client.setConfigurationSetting({ key: "if:get", value: "1" });
    const same = await client.getConfigurationSetting(written, { onlyIfChanged: true });
    assert.equal(same.statusCode, 304);
    await client.setConfigurationSetting({ key: "if:get", value: "2" });
    const changed = await client.getConfigurationSetting(written, { onlyIfChanged: true });
    assert.deepEqual([changed.statusCode, changed.value], [200, "2"]);
  });
  await check("conditions: set and delete only if unchanged", async () => {
    const first = await client.setConfigurationSetting({ key: "if:set", value: "1" });
    const second = await client.setConfigurationSetting({ ...first, value: "2" }, { onlyIfUnchanged: true });
    assert.notEqual(second.etag, first.etag);
    await refused(client.setConfigurationSetting({ ...first, value: "3" }, { onlyIfUnchanged: true }), 412);
    await refused(client.deleteConfigurationSetting(first, { onlyIfUnchanged: true }), 412);
    await client.deleteConfigurationSetting(second, { onlyIfUnchanged: true });
  });
}

async function lists() {
  const listed = { keyFilter: "page:*", labelFilter: "\0" };
  for (let number = 0; number < 205; number += 1) {
    const tags = { parity: number % 2 ? "odd" : "even", all: "yes" };
    await client.setConfigurationSetting({ key: `page:${padded(number)}`, value: `${number}`, tags });
  }
  const pages = async (options) => collect(client.listConfigurationSettings(options).byPage());
  const sizes = async (options) => (await pages(options)).map((page) => page.items.length);

  await check("lists: 205 settings on three pages, in the order of their keys", async () => {
    const found = await pages(listed);
    assert.deepEqual(found.map((page) => page.items.length), [100, 100, 5]);
    const names = found.flatMap((page) => page.items.map((item) => item.key));
    assert.deepEqual(names, [...names].sort());
    assert.equal(new Set(found.map((page) => page.etag)).size, 3);
  });
  await check("lists: only changed pages, and all of them unchanged", async () => {
    const pageEtags = (await pages(listed)).map((page) => page.etag);
    const unchanged = await pages({ ...listed, pageEtags });
    assert.deepEqual(unchanged.map((page) => Number(page._response.status)), [304, 304, 304]);
    await client.setConfigurationSetting({ key: "page:150", value: "other", tags: { all: "yes" } });
    const after = await pages({ ...listed, pageEtags });
    assert.deepEqual(after.map((page) => Number(page._response.status)), [304, 200, 304]);
    assert.equal(after[1].items.find((item) => item.key === "page:150").value, "other");
  });
  await check("lists: the same check by HEAD", async () => {
    const checked = await collect(client.checkConfigurationSettings(listed).byPage());
    const pageEtags = checked.map((page) => page.etag);
    assert.deepEqual(pageEtags, (await pages(listed)).map((page) => `"${page.etag}"`));
    const unchanged = await collect(client.checkConfigurationSettings({ ...listed, pageEtags }).byPage());
    assert.deepEqual(unchanged.map((page) => Number(page._response.status)), [304, 304, 304]);
  });
  await check("lists: after a page that is exactly full comes an empty one with an ETag", async () => {
    for (let number = 200; number < 205; number += 1) {
      await client.deleteConfigurationSetting({ key: `page:${padded(number)}` });
    }
    const found = await pages(listed);
    assert.deepEqual(found.map((page) => page.items.length), [100, 100, 0]);
    assert.ok(found[2].etag);
  });
  await check("lists: tags, one and two, over several pages", async () => {
    assert.deepEqual(await sizes({ ...listed, tagsFilter: ["all=yes"] }), [100, 100, 0]);
    assert.deepEqual(await sizes({ ...listed, tagsFilter: ["all=yes", "parity=odd"] }), [100, 0]);
    assert.deepEqual(await sizes({ ...listed, tagsFilter: ["parity=neither"] }), [0]);
    await refused(pages({ ...listed, tagsFilter: ["no equals sign"] }), 400);
  });
  await check("lists: filters", async () => {
    for (const key of ["f:a", "f:b", "f:c,d", "f:x*y"]) {
      await client.setConfigurationSetting({ key, value: key });
      await client.setConfigurationSetting({ key, label: "prod", value: key });
    }
    const keysOf = async (options) => (await collect(client.listConfigurationSettings(options))).map((item) => item.key);
    assert.deepEqual(await keysOf({ keyFilter: "f:a,f:b", labelFilter: "prod" }), ["f:a", "f:b"]);
    assert.deepEqual(await keysOf({ keyFilter: "f:c\\,d", labelFilter: "\0" }), ["f:c,d"]);
    assert.deepEqual(await keysOf({ keyFilter: "f:x\\*y", labelFilter: "\0" }), ["f:x*y"]);
    assert.deepEqual(await keysOf({ keyFilter: "f:a", labelFilter: "prod,\0" }), ["f:a", "f:a"]);
    assert.equal((await keysOf({ keyFilter: "f:*" })).length, 8);
    await refused(keysOf({ keyFilter: "f:*a" }), 400);
  });
  await check("lists: only the fields that are asked for", async () => {
    const [item] = await collect(client.listConfigurationSettings({ keyFilter: "f:a", labelFilter: "\0", fields: ["key"] }));
    assert.deepEqual([item.key, item.value, item.etag], ["f:a", undefined, undefined]);
  });
  await check("lists: labels and revisions", async () => {
    const labels = (await collect(client.listLabels({ nameFilter: "pro*" }))).map((label) => label.name);
    assert.deepEqual(labels, ["prod"]);
    await client.setConfigurationSetting({ key: "f:a", value: "second" });
    const revisions = await collect(client.listRevisions({ keyFilter: "f:a", labelFilter: "\0" }));
    assert.deepEqual(revisions.map((revision) => revision.value), ["second", "f:a"]);
  });
}

async function time() {
  await check("time: a setting as it was", async () => {
    const before = await client.setConfigurationSetting({ key: "time:a", value: "before" });
    const next = before.lastModified.getTime() + 2_000;
    await new Promise((done) => setTimeout(done, next - Date.now()));
    await client.setConfigurationSetting({ key: "time:a", value: "after" });
    const acceptDateTime = before.lastModified;
    assert.equal((await client.getConfigurationSetting({ key: "time:a" }, { acceptDateTime })).value, "before");
    const [listed] = await collect(client.listConfigurationSettings({ keyFilter: "time:a", acceptDateTime }));
    assert.equal(listed.value, "before");
  });
}

async function access() {
  const { endpoint, connection_string: connection } = world.stores.js;
  await check("access: a wrong key is refused", async () => {
    const wrong = connection.replace(/Secret=.*$/, `Secret=${Buffer.from("wrong").toString("base64")}`);
    await refused(new AppConfigurationClient(wrong, clientOptions).getConfigurationSetting({ key: "f:a" }), 401);
  });
  await check("access: by a token for either audience", async () => {
    for (const audience of [undefined, "https://azconfig.io"]) {
      const by = new AppConfigurationClient(endpoint, credential(), { ...clientOptions, audience });
      assert.equal((await by.getConfigurationSetting({ key: "f:b" })).value, "f:b");
    }
  });
  await check("access: a token for another audience is refused", async () => {
    const by = new AppConfigurationClient(endpoint, credential(), { ...clientOptions, audience: "https://vault.azure.net" });
    await refused(by.getConfigurationSetting({ key: "f:b" }), 401);
  });
  await check("access: a wrong client secret is named by the authority", async () => {
    const by = new AppConfigurationClient(endpoint, credential({ client_secret: "wrong" }), clientOptions);
    await assert.rejects(by.getConfigurationSetting({ key: "f:b" }), /AADSTS7000215/);
  });
  await check("access: a sync token of an event is accepted", async () => {
    const by = store("js");
    by.updateSyncToken("jtqGc1I4=MDoyOA==;sn=28");
    assert.equal((await by.getConfigurationSetting({ key: "f:b" })).value, "f:b");
  });
}

export async function settings() {
  await single();
  await conditions();
  await lists();
  await time();
  await access();
}
