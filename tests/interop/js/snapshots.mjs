// Snapshots by @azure/app-configuration.

import assert from "node:assert/strict";
import { check, collect, refused } from "./checks.mjs";
import { store } from "./world.mjs";

const client = store("js");

export async function snapshots() {
  for (const [key, label, value] of [["snap:a", undefined, "1"], ["snap:a", "prod", "2"], ["snap:b", undefined, "3"]]) {
    await client.setConfigurationSetting({ key, label, value });
  }
  const filters = [{ keyFilter: "snap:*", labelFilter: "\0" }, { keyFilter: "snap:*", labelFilter: "prod" }];
  const valuesOf = async (name) => {
    const items = await collect(client.listConfigurationSettingsForSnapshot(name));
    return items.map((item) => [item.key, item.value]);
  };

  await check("snapshots: create, wait until it is ready", async () => {
    const made = await client.beginCreateSnapshotAndWait(
      { name: "first", filters, retentionPeriodInSeconds: 3600, tags: { by: "js" } },
      { updateIntervalInMs: 10 },
    );
    assert.deepEqual([made.name, made.status, made.itemCount], ["first", "ready", 2]);
  });
  await check("snapshots: by key, a later filter wins; what is written later is not in it", async () => {
    await client.setConfigurationSetting({ key: "snap:b", value: "later" });
    assert.deepEqual(await valuesOf("first"), [["snap:a", "2"], ["snap:b", "3"]]);
  });
  await check("snapshots: by key and label, both stay", async () => {
    await client.beginCreateSnapshotAndWait(
      { name: "second", filters, compositionType: "key_label" },
      { updateIntervalInMs: 10 },
    );
    assert.equal((await valuesOf("second")).length, 3);
  });
  await check("snapshots: a name is taken once", async () => {
    await refused(client.beginCreateSnapshotAndWait({ name: "first", filters }, { updateIntervalInMs: 10 }), 409);
  });
  await check("snapshots: get, list, archive, recover", async () => {
    const read = await client.getSnapshot("first");
    assert.deepEqual([read.retentionPeriodInSeconds, read.compositionType, read.tags], [3600, "key", { by: "js" }]);
    const names = async (statusFilter) =>
      (await collect(client.listSnapshots({ statusFilter }))).map((snapshot) => snapshot.name);
    assert.deepEqual(await names(), ["first", "second"]);
    assert.equal((await client.archiveSnapshot("first")).status, "archived");
    assert.deepEqual(await names(["archived"]), ["first"]);
    assert.deepEqual(await names(["ready"]), ["second"]);
    assert.equal((await client.recoverSnapshot("first")).status, "ready");
  });
  await check("snapshots: an absent one is 404", async () => {
    await refused(client.getSnapshot("absent"), 404);
  });
}
