// What the official JavaScript provider reads from a store: read.mjs STORE FILE.

import { writeFileSync } from "node:fs";
import { load } from "@azure/app-configuration-provider";
import { check, end } from "./checks.mjs";
import { dataset } from "./dataset.mjs";
import { clientOptions, credential, vaultOptions, world } from "./world.mjs";

const [name, file] = process.argv.slice(2);

await check(`provider: read the store ${name}`, async () => {
  const provider = await load(world.stores[name].connection_string, {
    selectors: dataset.labels.map((label) => ({ keyFilter: `${dataset.prefix}*`, labelFilter: label || "\0" })),
    featureFlagOptions: { enabled: true },
    trimKeyPrefixes: [dataset.prefix],
    clientOptions,
    keyVaultOptions: { credential: credential(), clientOptions: vaultOptions },
    startupOptions: { timeoutInMs: 100_000 },
    replicaDiscoveryEnabled: false,
  });
  writeFileSync(file, JSON.stringify(Object.fromEntries(provider)));
});
end();
