// Where the emulator answers, and the clients that every part uses. INTEROP_WORLD names the file with what the
// emulator said of itself (--json).

import { readFileSync } from "node:fs";
import { AppConfigurationClient } from "@azure/app-configuration";
import { ClientSecretCredential } from "@azure/identity";
import { KeyClient } from "@azure/keyvault-keys";
import { SecretClient } from "@azure/keyvault-secrets";

const said = JSON.parse(readFileSync(process.env.INTEROP_WORLD, "utf8"));

export const world = {
  identity: said,
  stores: Object.fromEntries(said.stores.map((store) => [store.name, store])),
  vaults: Object.fromEntries(said.vaults.map((vault) => [vault.name, vault.url])),
};

// A refusal is a result here, and a hang must not hide behind retries.
export const clientOptions = { retryOptions: { maxRetries: 0 } };
// Vaults answer on localhost here, which is no name below the audience's.
export const vaultOptions = { ...clientOptions, disableChallengeResourceVerification: true };

export function credential(overrides = {}) {
  const { tenant_id, client_id, client_secret, authority } = { ...world.identity, ...overrides };
  return new ClientSecretCredential(tenant_id, client_id, client_secret, {
    authorityHost: authority,
    disableInstanceDiscovery: true,
    ...clientOptions,
  });
}

export const store = (name) => new AppConfigurationClient(world.stores[name].connection_string, clientOptions);
export const secrets = (name, by = credential()) => new SecretClient(world.vaults[name], by, vaultOptions);
export const keys = (name, by = credential()) => new KeyClient(world.vaults[name], by, vaultOptions);
