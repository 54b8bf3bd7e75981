import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { Clock } from "../../../lib/core/time.ts";
import { openContext, type Context } from "../../../lib/vault/context.ts";
import { readBackup } from "../../../lib/vault/catalogue.ts";
import { successionName } from "../../../lib/vault/names.ts";
import type { KeySource } from "../../../lib/vault/policy-keys.ts";
import { rotateSigningKey } from "../../../lib/vault/rotate-signing.ts";
import { startKeyVaultDouble } from "../../support/key-vault-double.ts";
import { goldenPair } from "../../support/golden-keys.ts";
import { policyDocument } from "../../support/policies.ts";
import { SOURCE, writeBackup } from "../../support/vault-fixture.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

const HOUR_MS = 3_600_000;

/** A context at a time that the test sets. */
async function openAt(workspace: Workspace, clock: Clock, env: Record<string, string> = {}) {
  const context = await openContext({ ...workspace.env, ...env }, { clock });
  for (const { storage } of context.vaults.values()) await storage.prepare();
  if (context.keySource === undefined) throw new Error("no keys");
  return { ...context, keySource: context.keySource };
}

async function backUp(context: Context, clock: Clock): Promise<string> {
  const vaults = [...context.vaults.values()];
  const { manifest } = await writeBackup(vaults, { clock, signer: await context.signer() });
  return manifest.id;
}

async function states(context: Context, id: string) {
  const trusted = await context.trustedKeys();
  const found = await Promise.all(
    [...context.vaults.values()].map((vault) => readBackup({ vault, source: SOURCE, trusted }, id)),
  );
  return found.map((entry) => (entry?.state === "valid" ? entry.signingKeyId : entry?.error.code));
}

function clockFrom(start: string) {
  let nowMs = Date.parse(start);
  return { clock: () => new Date((nowMs += 10)), pass: (ms: number) => (nowMs += ms) };
}

async function rotate(context: Context & { keySource: KeySource }, overlapMs = HOUR_MS) {
  return rotateSigningKey(context, overlapMs);
}

describe("a rotation of the signing key, in files", () => {
  it("makes a pair that follows the policy's, in every vault, and both verify from either end", async () => {
    await using workspace = await makeWorkspace({});
    const { clock, pass } = clockFrom("2026-11-21T00:00:00Z");
    const before = await openAt(workspace, clock);
    const old = await backUp(before, clock);

    const rotation = await rotate(before);

    expect(rotation.files.map(({ path }) => path.split("/").at(-1))).toEqual(["sign-2.pub.pem", "sign-2.key.pem"]);
    expect(rotation.vaults.every(({ state }) => state === "done")).toBe(true);
    const keys = { SIGN_KEY: join(workspace.folder, "keys/sign-2.key.pem") };
    const byOld = await openAt(workspace, clock, keys);
    const fresh = await backUp(byOld, clock);
    expect(await states(byOld, fresh)).toEqual([rotation.to, rotation.to]);

    const pinned = policyDocument();
    const policy = JSON.stringify(pinned).replace("sign.pub.pem", "sign-2.pub.pem");
    await writeFile(workspace.policyPath, policy);
    const byNew = await openAt(workspace, clock, keys);
    expect(await states(byNew, old)).toEqual([rotation.from, rotation.from]);
    expect(await states(byNew, fresh)).toEqual([rotation.to, rotation.to]);

    pass(HOUR_MS);
    await expect((await openAt(workspace, clock)).signer()).rejects.toMatchObject({ code: "KEY_RETIRED" });
  });

  it("does nothing new the second time, and brings a vault that was behind to the same succession", async () => {
    await using workspace = await makeWorkspace({});
    const { clock, pass } = clockFrom("2026-11-21T00:00:00Z");
    const context = await openAt(workspace, clock);
    const first = await rotate(context);
    const link = (vault: string) => join(workspace.folder, vault, "data", successionName(first.from));
    const bytes = await readFile(link("primary"));
    await rm(link("offsite"));
    pass(31_000);
    const again = await rotate(context);
    expect([again.from, again.to, again.retiresAt]).toEqual([first.from, first.to, first.retiresAt]);
    expect((await readFile(link("offsite"))).equals(bytes)).toBe(true);
  });

  it("goes on with the pair that a call made which died before anybody knew of it", async () => {
    await using workspace = await makeWorkspace({});
    const { clock } = clockFrom("2026-11-21T00:00:00Z");
    const context = await openAt(workspace, clock);
    const first = await rotate(context);
    for (const vault of ["primary", "offsite"])
      await rm(join(workspace.folder, vault, "data", successionName(first.from)));
    expect((await rotate(await openAt(workspace, clock))).to).toBe(first.to);
  });

  it("does not sign with a private key that the policy's public key does not vouch for", async () => {
    await using workspace = await makeWorkspace({});
    await using other = await makeWorkspace({});
    const { clock } = clockFrom("2026-11-21T00:00:00Z");
    const context = await openAt(workspace, clock, { SIGN_KEY: join(other.folder, "keys/sign.key.pem") });
    await expect(context.signer()).rejects.toMatchObject({ code: "KEY_UNTRUSTED" });
  });
});

describe("a rotation of the signing key, in Key Vault", () => {
  async function keyVaultWorkspace(url: string) {
    const keys = {
      encrypt: { kind: "key-vault", keyUrl: `${url}/keys/encrypt` },
      breakGlass: { publicKey: "keys/break-glass.pub.pem" },
      sign: { kind: "key-vault", keyUrl: `${url}/keys/sign` },
    };
    return makeWorkspace({}, {}, { keys });
  }

  it("makes a new version that both sign for, and a process that runs goes over to it", async () => {
    await using double = await startKeyVaultDouble();
    double.addKey("sign", "EC", goldenPair("sign"));
    await using workspace = await keyVaultWorkspace(double.url);
    const { clock, pass } = clockFrom("2026-11-21T00:00:00Z");
    const running = await openAt(workspace, clock);
    const old = await backUp(running, clock);

    const rotation = await rotate(await openAt(workspace, clock), 48 * HOUR_MS);

    expect(await states(running, old)).toEqual([rotation.from, rotation.from]);
    pass(20 * HOUR_MS);
    const fresh = await backUp(running, clock);
    expect(await states(running, fresh)).toEqual([rotation.to, rotation.to]);
    expect(await states(await openAt(workspace, clock), old)).toEqual([rotation.from, rotation.from]);
  });

  it("takes up the version that a call made which died before it said so", async () => {
    await using double = await startKeyVaultDouble();
    double.addKey("sign", "EC", goldenPair("sign"));
    await using workspace = await keyVaultWorkspace(double.url);
    const { clock } = clockFrom("2026-11-21T00:00:00Z");
    await backUp(await openAt(workspace, clock), clock);
    double.addKey("sign", "EC");
    const calls = double.calls.length;
    const { from, to } = await rotate(await openAt(workspace, clock));
    expect([from === to, double.calls.slice(calls).some((call) => call.endsWith("/rotate"))]).toEqual([false, false]);
  });
});
