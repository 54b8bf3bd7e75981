import { describe, expect, it } from "vitest";
import { openEnvelope, signEnvelope } from "../../../lib/vault/envelope.ts";
import type { SigningKey } from "../../../lib/vault/keys/key.ts";
import { openSessionSigner } from "../../../lib/vault/keys/session-key.ts";
import { signSuccession } from "../../../lib/vault/keys/succession.ts";
import { successionName } from "../../../lib/vault/names.ts";
import { openTrust, readSuccessions } from "../../../lib/vault/trusted-keys.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { newSigningKey } from "../../support/signing-keys.ts";
import { memoryVault } from "../../support/vault-fixture.ts";

const [old, next, stranger] = [newSigningKey(), newSigningKey(), newSigningKey()];
const madeAt = new Date("2026-11-21T12:00:00Z");
const retiresAt = new Date("2026-11-22T12:00:00Z");

async function follow(vault: Vault, from: SigningKey, to: SigningKey, name = successionName(from.keyId)) {
  await vault.storage.data.create(name, await signSuccession(from, to, { madeAt, retiresAt }));
}

/** Trust with a clock of its own; `pass` lets time go by. */
function trustIn(vaults: readonly Vault[], root = old) {
  let nowMs = madeAt.getTime();
  const read = openTrust(
    vaults,
    async () => [root.publicKey],
    () => new Date(nowMs),
  );
  return { read, pass: (ms: number) => (nowMs += ms) };
}

async function signedBy(signingKey: SigningKey, at: Date): Promise<Buffer> {
  const signer = openSessionSigner({ signingKey, clock: () => at });
  return signEnvelope("resguardo-run", { id: "x" }, signer, () => at);
}

describe("the signing keys that are believed", () => {
  it("are the policy's and those that a vault says follow it or came before it", async () => {
    const vault = memoryVault();
    await follow(vault, old, next);
    expect([...(await trustIn([vault]).read()).keys()]).toEqual([old.keyId, next.keyId]);
    expect([...(await trustIn([vault], next).read()).keys()]).toEqual([next.keyId, old.keyId]);
    expect([...(await trustIn([vault], stranger).read()).keys()]).toEqual([stranger.keyId]);
  });

  it("believe a retired key what it signed in its time, and nothing later", async () => {
    const vault = memoryVault();
    await follow(vault, old, next);
    const trusted = await trustIn([vault], next).read();
    const inTime = await signedBy(old, retiresAt);
    expect(openEnvelope(inTime, "resguardo-run", trusted, "x").signingKeyId).toBe(old.keyId);
    const late = await signedBy(old, new Date(retiresAt.getTime() + 1));
    expect(() => openEnvelope(late, "resguardo-run", trusted, "x")).toThrow(
      expect.objectContaining({ code: "SIGNATURE_INVALID", message: expect.stringContaining("was retired at") }),
    );
  });

  it("do not include a key whose link was removed, forged, or put under another name", async () => {
    const removed = memoryVault();
    await follow(removed, old, next);
    removed.storage.blobs.delete(successionName(old.keyId));
    const forged = memoryVault();
    await follow(forged, { ...old, sign: stranger.sign }, stranger);
    const elsewhere = memoryVault();
    await follow(elsewhere, old, next, successionName(stranger.keyId));
    for (const vault of [removed, forged, elsewhere]) {
      expect([...(await trustIn([vault]).read()).keys()]).toEqual([old.keyId]);
    }
    expect(await readSuccessions(forged)).toMatchObject([{ state: "invalid", error: { code: "SIGNATURE_INVALID" } }]);
    expect(await readSuccessions(elsewhere)).toMatchObject([{ state: "invalid", error: { code: "MANIFEST_INVALID" } }]);
  });

  it("are read again after half a minute, and are the same object while nothing changed", async () => {
    const vault = memoryVault();
    const { read, pass } = trustIn([vault]);
    const first = await read();
    await follow(vault, old, next);
    expect(await read()).toBe(first);
    pass(30_000);
    const second = await read();
    expect(second.has(next.keyId)).toBe(true);
    pass(30_000);
    expect(await read()).toBe(second);
  });

  it("stay known when a vault does not answer, and are told by the others", async () => {
    const [down, up] = [memoryVault("primary"), memoryVault("offsite")];
    await follow(up, old, next);
    const { read, pass } = trustIn([failingVault(down, { failAt: 1 }), failingVault(up, { failAt: 3 })]);
    expect((await read()).has(next.keyId)).toBe(true);
    pass(30_000);
    expect((await read()).has(next.keyId)).toBe(true);
  });
});
