import { generateKeyPairSync } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createLogger } from "../../../lib/core/log.ts";
import { signEnvelope } from "../../../lib/vault/envelope.ts";
import { listBackups } from "../../../lib/vault/catalogue.ts";
import { openContext } from "../../../lib/vault/context.ts";
import { keyIdOf } from "../../../lib/vault/keys/key.ts";
import { openSessionSigner } from "../../../lib/vault/keys/session-key.ts";
import { keyName } from "../../../lib/vault/names.ts";
import { goldenPair } from "../../support/golden-keys.ts";
import { type KeyVaultDouble, startKeyVaultDouble } from "../../support/key-vault-double.ts";
import { newSigningKey } from "../../support/signing-keys.ts";
import { SOURCE, writeBackup } from "../../support/vault-fixture.ts";
import { verifyOne } from "../../support/verify.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

const HOUR_MS = 3_600_000;
const DOWN = { code: "KEY_SERVICE_UNAVAILABLE" };
const idOf = (name: "encrypt" | "sign") => keyIdOf(goldenPair(name).publicKey);

/** A policy whose keys lie in a double of Key Vault; with `pins` it names their ids. */
async function setUp(double: KeyVaultDouble, pins: { encrypt?: string; sign?: string } = {}) {
  double.addKey("encrypt", "RSA", goldenPair("encrypt"));
  double.addKey("sign", "EC", goldenPair("sign"));
  const key = (name: "encrypt" | "sign") => {
    return { kind: "key-vault", keyUrl: `${double.url}/keys/${name}`, ...(pins[name] && { keyId: pins[name] }) };
  };
  const breakGlass = { publicKey: "keys/break-glass.pub.pem" };
  const keys = { encrypt: key("encrypt"), breakGlass, sign: key("sign") };
  return makeWorkspace({}, {}, { keys });
}

/** A process: a context with a clock that the test moves on. */
async function start(workspace: Workspace) {
  let nowMs = Date.parse("2026-11-21T00:00:00Z");
  const clock = () => new Date((nowMs += 10));
  const logged: string[] = [];
  const logger = createLogger((_level, line) => logged.push(line));
  const context = await openContext(workspace.env, { clock, logger });
  const vaults = [...context.vaults.values()];
  for (const { storage } of vaults) await storage.prepare();
  const backUp = async () =>
    writeBackup(vaults, { clock, signer: await context.signer(), recipients: await context.recipients() });
  const valid = async () => {
    const [vault] = vaults;
    const listed = vault && (await listBackups({ vault, source: SOURCE, trusted: await context.trustedKeys() }));
    return listed?.filter(({ state }) => state === "valid").length;
  };
  return { context, vaults, backUp, valid, logged, pass: (ms: number) => (nowMs += ms) };
}

/** From now on every request is answered with 503, at once. */
const breakDown = (double: KeyVaultDouble) => double.failNext(Infinity, 503);
const PINS = { encrypt: idOf("encrypt"), sign: idOf("sign") };

describe("while Key Vault is down", () => {
  it("a process that runs goes on backing up: for a day with its session key, and in its grace after that", async () => {
    await using double = await startKeyVaultDouble();
    await using workspace = await setUp(double);
    const running = await start(workspace);
    await running.backUp();
    breakDown(double);
    for (const ms of [2 * HOUR_MS, 20 * HOUR_MS, 20 * HOUR_MS]) {
      running.pass(ms);
      await running.backUp();
    }
    expect(await running.valid()).toBe(4);
    const [vault] = running.vaults;
    const trusted = await running.context.trustedKeys();
    const report = vault && (await verifyOne(vault, { trusted }));
    expect(report).toMatchObject({ failed: 0, inGrace: 1 });
    expect(running.logged.filter((line) => line.includes("session-key-not-renewed")).length).toBeGreaterThan(0);
    running.pass(3 * 24 * HOUR_MS);
    await expect(running.backUp()).rejects.toMatchObject(DOWN);
  });

  it("a process that starts knows the public keys from the vaults: it reads, verifies and wraps", async () => {
    await using double = await startKeyVaultDouble();
    await using workspace = await setUp(double, PINS);
    await (await start(workspace)).backUp();
    breakDown(double);
    const fresh = await start(workspace);
    expect(await fresh.valid()).toBe(1);
    const { vault } = await fresh.context.recipients();
    expect(vault).toMatchObject({ keyId: PINS.encrypt, keyVaultKey: expect.stringContaining("/keys/encrypt/") });
    expect(fresh.logged.some((line) => line.includes("public-keys-from-vaults"))).toBe(true);
  });

  it("what needs a private key says so by a code, and that it may be tried again", async () => {
    await using double = await startKeyVaultDouble();
    await using workspace = await setUp(double, PINS);
    await (await start(workspace)).backUp();
    breakDown(double);
    const { context } = await start(workspace);
    await expect(context.signer()).rejects.toMatchObject({ ...DOWN, retryable: true });
    await expect(context.decryptionKey()).rejects.toMatchObject({ ...DOWN, retryable: true });
  });

  it("a process that starts believes nothing where the policy does not name the signing key", async () => {
    await using double = await startKeyVaultDouble();
    await using workspace = await setUp(double, { encrypt: PINS.encrypt });
    await (await start(workspace)).backUp();
    breakDown(double);
    const { context } = await start(workspace);
    await expect(context.trustedKeys()).rejects.toMatchObject({
      ...DOWN,
      hint: expect.stringContaining("keys.sign.keyId"),
    });
    await expect(context.recipients()).rejects.toMatchObject(DOWN);
  });

  it("a key that somebody put into a vault is never wrapped for", async () => {
    await using double = await startKeyVaultDouble();
    await using workspace = await setUp(double, { sign: PINS.sign });
    await (await start(workspace)).backUp();
    const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 3072 });
    const keyId = keyIdOf(publicKey);
    const content = {
      format: "resguardo-key",
      version: 1,
      keyId,
      use: "vault",
      publicKey: publicKey.export({ type: "spki", format: "pem" }),
      publishedAt: "2026-12-01T00:00:00.000Z",
      keyVaultKey: `${double.url}/keys/encrypt/${"f".repeat(32)}`,
    };
    const clock = () => new Date("2026-11-21T00:00:00Z");
    const stranger = openSessionSigner({ signingKey: newSigningKey(), clock });
    const forged = await signEnvelope("resguardo-key", content, stranger, clock);
    const poisoned = await start(workspace);
    for (const { storage } of poisoned.vaults) await storage.data.create(keyName(keyId), forged);
    breakDown(double);
    const fresh = await start(workspace);
    expect((await fresh.context.recipients()).vault.keyId).toBe(PINS.encrypt);

    for (const { name } of fresh.vaults) {
      const real = join(workspace.folder, name, "data", keyName(PINS.encrypt));
      await rm(real);
      await writeFile(real, forged);
    }
    await expect((await start(workspace)).context.recipients()).rejects.toMatchObject(DOWN);
  });

  it("a signing key that somebody put in the place of the policy's is not believed", async () => {
    await using double = await startKeyVaultDouble();
    await using workspace = await setUp(double, PINS);
    await (await start(workspace)).backUp();
    breakDown(double);
    const { vaults } = await start(workspace);
    for (const { name } of vaults) await writeFile(join(workspace.folder, name, "data", keyName(PINS.sign)), "{}");
    await expect((await start(workspace)).context.trustedKeys()).rejects.toMatchObject(DOWN);
  });
});

describe("a process that runs", () => {
  it("wraps for a new version of the vault key within an hour", async () => {
    await using double = await startKeyVaultDouble();
    await using workspace = await setUp(double);
    const { context, pass } = await start(workspace);
    const first = await context.recipients();
    const url = double.addKey("encrypt", "RSA", goldenPair("break-glass"));
    expect(await context.recipients()).toBe(first);
    pass(HOUR_MS);
    expect((await context.recipients()).vault.keyVaultKey).toBe(url);
    pass(HOUR_MS);
    breakDown(double);
    expect((await context.recipients()).vault.keyVaultKey).toBe(url);
  });
});

describe("a policy that names a version of its keys", () => {
  it("takes that one, whichever is the newest, and refuses where there is none of that id", async () => {
    await using double = await startKeyVaultDouble();
    await using workspace = await setUp(double, PINS);
    double.addKey("encrypt", "RSA", goldenPair("break-glass"));
    double.addKey("sign", "EC");
    const { context } = await start(workspace);
    expect((await context.recipients()).vault.keyId).toBe(PINS.encrypt);
    expect((await context.signer()).signingKey.keyId).toBe(PINS.sign);
    await using wrong = await setUp(double, { ...PINS, encrypt: "0".repeat(32) });
    await expect((await start(wrong)).context.recipients()).rejects.toMatchObject({ code: "KEY_INVALID" });
  });
});
