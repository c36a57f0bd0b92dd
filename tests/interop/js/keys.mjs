// Key Vault keys by @azure/keyvault-keys; what the vault computes is checked with Node's own cryptography.

import assert from "node:assert/strict";
import { constants, createHash, createPublicKey, generateKeyPairSync, publicEncrypt, verify } from "node:crypto";
import { CryptographyClient } from "@azure/keyvault-keys";
import { check, collect, refused } from "./checks.mjs";
import { credential, keys as clientOf, vaultOptions } from "./world.mjs";

const client = clientOf("kv-js");
const quickly = { intervalInMs: 10 };
const by = (key) => new CryptographyClient(key.id, credential(), vaultOptions);
const base64url = (bytes) => Buffer.from(bytes).toString("base64url");
const text = Buffer.from("the quick brown fox");

function publicKey({ key }) {
  const jwk = { kty: key.kty.replace("-HSM", ""), crv: key.crv };
  for (const part of ["n", "e", "x", "y"]) {
    jwk[part] = key[part] && base64url(key[part]);
  }
  return createPublicKey({ key: JSON.parse(JSON.stringify(jwk)), format: "jwk" });
}

async function life(rsa, ec) {
  await check("keys: create RSA and EC, get the newest and a version", async () => {
    assert.deepEqual([rsa.keyType, rsa.key.n.length, base64url(rsa.key.e)], ["RSA", 256, "AQAB"]);
    assert.deepEqual([ec.keyType, ec.key.crv], ["EC", "P-256"]);
    const second = await client.createRsaKey("rsa", { keySize: 2048, tags: { by: "js" } });
    assert.equal((await client.getKey("rsa")).properties.version, second.properties.version);
    const first = await client.getKey("rsa", { version: rsa.properties.version });
    assert.deepEqual(first.key.n, rsa.key.n);
    assert.equal(first.key.d, undefined);
    await refused(client.getKey("absent"), 404, "KeyNotFound");
  });
  await check("keys: list names and versions", async () => {
    const names = (await collect(client.listPropertiesOfKeys())).map((properties) => properties.name);
    assert.ok(names.includes("rsa") && names.includes("ec"));
    assert.equal((await collect(client.listPropertiesOfKeyVersions("rsa"))).length, 2);
  });
  await check("keys: update, and a disabled key does no work", async () => {
    const made = await client.createRsaKey("disabled", { keyOps: ["sign", "verify"] });
    assert.deepEqual([...made.keyOperations].sort(), ["sign", "verify"]);
    await client.updateKeyProperties("disabled", made.properties.version, { enabled: false, tags: { off: "1" } });
    const digest = createHash("sha256").update(text).digest();
    await refused(by(made).sign("RS256", digest), 403, "KeyDisabled");
  });
  await check("keys: import an EC key", async () => {
    const own = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const jwk = own.privateKey.export({ format: "jwk" });
    const bytes = (part) => Buffer.from(jwk[part], "base64url");
    const imported = await client.importKey("imported", {
      kty: "EC", crv: "P-256", x: bytes("x"), y: bytes("y"), d: bytes("d"), keyOps: ["sign", "verify"],
    });
    const signed = await by(imported).signData("ES256", text);
    assert.ok(verify("sha256", text, { key: own.publicKey, dsaEncoding: "ieee-p1363" }, signed.result));
  });
  await check("keys: rotate, and the policy for it", async () => {
    await client.createRsaKey("rotated");
    await client.updateKeyRotationPolicy("rotated", {
      lifetimeActions: [{ action: "Rotate", timeAfterCreate: "P30D" }],
      expiresIn: "P90D",
    });
    const policy = await client.getKeyRotationPolicy("rotated");
    assert.equal(policy.expiresIn, "P90D");
    const before = (await client.getKey("rotated")).properties.version;
    const rotated = await client.rotateKey("rotated");
    assert.notEqual(rotated.properties.version, before);
    assert.equal((await client.getKey("rotated")).properties.version, rotated.properties.version);
  });
  await check("keys: delete, recover, delete, purge", async () => {
    await client.createEcKey("gone", { curve: "P-384" });
    const poller = await client.beginDeleteKey("gone", quickly);
    assert.equal((await poller.pollUntilDone()).name, "gone");
    await refused(client.getKey("gone"), 404, "KeyNotFound");
    await refused(client.createEcKey("gone"), 409, "ObjectIsDeletedButRecoverable");
    assert.equal((await client.getDeletedKey("gone")).name, "gone");
    await (await client.beginRecoverDeletedKey("gone", quickly)).pollUntilDone();
    assert.equal((await client.getKey("gone")).key.crv, "P-384");
    await (await client.beginDeleteKey("gone", quickly)).pollUntilDone();
    await client.purgeDeletedKey("gone");
    await refused(client.getDeletedKey("gone"), 404);
  });
  await check("keys: back up, restore", async () => {
    const made = await client.createEcKey("kept", { curve: "P-384" });
    const blob = await client.backupKey("kept");
    await refused(client.restoreKeyBackup(blob), 409, "Conflict");
    await (await client.beginDeleteKey("kept", quickly)).pollUntilDone();
    await client.purgeDeletedKey("kept");
    assert.equal((await client.restoreKeyBackup(blob)).id, made.id);
    assert.deepEqual((await client.getKey("kept")).key.x, made.key.x);
  });
}

async function cryptography(rsa, ec) {
  await check("keys: encrypted here, decrypted by the vault", async () => {
    for (const [algorithm, oaepHash] of [["RSA-OAEP", "sha1"], ["RSA-OAEP-256", "sha256"]]) {
      const padding = constants.RSA_PKCS1_OAEP_PADDING;
      const ciphertext = publicEncrypt({ key: publicKey(rsa), padding, oaepHash }, text);
      const { result } = await by(rsa).decrypt({ algorithm, ciphertext });
      assert.deepEqual(Buffer.from(result), text, algorithm);
    }
  });
  await check("keys: encrypted and decrypted by the vault", async () => {
    const { result: ciphertext } = await by(rsa).encrypt({ algorithm: "RSA-OAEP-256", plaintext: text });
    const { result } = await by(rsa).decrypt({ algorithm: "RSA-OAEP-256", ciphertext });
    assert.deepEqual(Buffer.from(result), text);
    ciphertext[10] ^= 1;
    await refused(by(rsa).decrypt({ algorithm: "RSA-OAEP-256", ciphertext }), 400);
  });
  await check("keys: wrap and unwrap", async () => {
    for (const algorithm of ["RSA-OAEP", "RSA-OAEP-256"]) {
      const { result: wrapped } = await by(rsa).wrapKey(algorithm, Buffer.alloc(32, 7));
      const { result } = await by(rsa).unwrapKey(algorithm, wrapped);
      assert.deepEqual(Buffer.from(result), Buffer.alloc(32, 7), algorithm);
    }
  });
  await check("keys: signed by the vault, verified here and by the vault", async () => {
    for (const bits of ["256", "384", "512"]) {
      const digest = createHash(`sha${bits}`).update(text).digest();
      for (const [algorithm, padding] of [
        [`RS${bits}`, constants.RSA_PKCS1_PADDING],
        [`PS${bits}`, constants.RSA_PKCS1_PSS_PADDING],
      ]) {
        const { result } = await by(rsa).sign(algorithm, digest);
        assert.ok(verify(`sha${bits}`, text, { key: publicKey(rsa), padding }, result), algorithm);
        assert.equal((await by(rsa).verify(algorithm, digest, result)).result, true);
        result[0] ^= 1;
        assert.equal((await by(rsa).verify(algorithm, digest, result)).result, false);
      }
    }
    const digest = createHash("sha256").update(text).digest();
    const { result } = await by(ec).sign("ES256", digest);
    assert.equal(result.length, 64);
    assert.ok(verify("sha256", text, { key: publicKey(ec), dsaEncoding: "ieee-p1363" }, result));
    assert.equal((await by(ec).verify("ES256", digest, result)).result, true);
  });
  await check("keys: an algorithm that does not fit the key is refused", async () => {
    await refused(by(ec).sign("RS256", createHash("sha256").update(text).digest()), 400);
    await refused(by(rsa).sign("RS256", Buffer.alloc(5)), 400);
  });
}

export async function keys() {
  let rsa;
  let ec;
  await check("keys: create", async () => {
    rsa = await client.createRsaKey("rsa", { keySize: 2048 });
    ec = await client.createEcKey("ec", { curve: "P-256" });
  });
  if (rsa && ec) {
    await life(rsa, ec);
    await cryptography(rsa, ec);
  }
}
