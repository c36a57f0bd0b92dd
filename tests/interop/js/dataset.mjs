// The store that providers of three languages read: written by the SDK, read by its provider.

import { readFileSync } from "node:fs";
import assert from "node:assert/strict";
import { featureFlagContentType, featureFlagPrefix, secretReferenceContentType } from "@azure/app-configuration";
import { check, collect } from "./checks.mjs";
import { secrets as secretsOf, store, world } from "./world.mjs";

export const dataset = JSON.parse(readFileSync(process.env.INTEROP_DATASET, "utf8"));

async function writeSecrets() {
  const ids = {};
  const client = secretsOf("kv-js-data");
  for (const { name, values } of dataset.secrets) {
    ids[name] = [];
    for (const value of values) {
      ids[name].push((await client.setSecret(name, value)).properties.id);
    }
  }
  return ids;
}

function settingOf(entry, ids) {
  const { key, label, value, content_type: contentType, tags } = entry;
  const id = { key: dataset.prefix + key, label, tags };
  if (entry.secret === undefined) {
    return { ...id, value, contentType };
  }
  const unversioned = `${world.vaults["kv-js-data"]}/secrets/${entry.secret}`;
  const secretId = entry.version === undefined ? unversioned : ids[entry.secret][entry.version];
  return { ...id, value: { secretId }, contentType: secretReferenceContentType };
}

function flagOf({ id, enabled, description, filters = [] }) {
  return {
    key: featureFlagPrefix + id,
    contentType: featureFlagContentType,
    value: { id, enabled, description, conditions: { clientFilters: filters } },
  };
}

export async function fill() {
  await check("data: write the store that the providers read", async () => {
    const client = store("js-data");
    const ids = await writeSecrets();
    for (const entry of dataset.settings) {
      await client.setConfigurationSetting(settingOf(entry, ids));
    }
    for (let number = 0; number < dataset.bulk; number += 1) {
      await client.setConfigurationSetting({ key: `${dataset.prefix}bulk:n${number}`, value: `${number}` });
    }
    for (const flag of dataset.flags) {
      await client.setConfigurationSetting(flagOf(flag));
    }
    for (const flag of dataset.raw_flags) {
      const [key, value] = [featureFlagPrefix + flag.id, JSON.stringify(flag)];
      await client.setConfigurationSetting({ key, value, contentType: featureFlagContentType });
    }
    for (const { key, value } of dataset.outside) {
      await client.setConfigurationSetting({ key, value });
    }
    const listed = await collect(client.listConfigurationSettings());
    const written = [dataset.settings, dataset.flags, dataset.raw_flags, dataset.outside].flat().length + dataset.bulk;
    assert.equal(listed.length, written);
  });
}
