import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { silentLogger } from "../../../lib/core/log.ts";
import { noProgress } from "../../../lib/core/progress.ts";
import { planRetentions, type VaultRetention } from "../../../lib/jobs/plan-retention.ts";
import { retentionWork } from "../../../lib/jobs/retention-job.ts";
import { listBackups } from "../../../lib/restore/list.ts";
import type { Context } from "../../../lib/vault/context.ts";
import { openAzureBlobVault } from "../../../lib/vault/storage/azure-blob.ts";
import { openDirectoryVault } from "../../../lib/vault/storage/directory.ts";
import type { VaultStorage } from "../../../lib/vault/storage/storage.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { contextOf, proveFulls } from "../../support/aged-vault.ts";
import { type TestAzurite, startTestAzurite } from "../../support/azurite.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { type ImmutableBlobs, startImmutableBlobs } from "../../support/immutable-blobs.ts";
import { SOURCE, writeBackup } from "../../support/vault-fixture.ts";
import { verifyOne } from "../../support/verify.ts";

/* A real storage gives its own times to blobs: instead of old backups, the clocks of the machine and of the storage stand later. */

const DAY_MS = 86_400_000;

let azurite: TestAzurite;
let immutable: ImmutableBlobs;
beforeAll(async () => {
  azurite = await startTestAzurite();
  immutable = await startImmutableBlobs(azurite);
});
afterAll(async () => {
  await immutable[Symbol.asyncDispose]();
  await azurite[Symbol.asyncDispose]();
});

interface Opened extends AsyncDisposable {
  storage: VaultStorage;
}

async function onAzurite(options: { immutableMs?: number } = {}): Promise<Opened> {
  const { connectionString } = options.immutableMs === undefined ? azurite : immutable;
  const config = { connectionString, container: `c${randomUUID()}`, ...options };
  return { storage: await openAzureBlobVault("primary", config), [Symbol.asyncDispose]: async () => undefined };
}

async function inDirectory(): Promise<Opened> {
  const folder = await mkdtemp(join(tmpdir(), "resguardo-retention-"));
  return {
    storage: openDirectoryVault("primary", folder),
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A vault with so many backups, and the context of a machine whose clock, and the vault's, stand days later. */
async function aged(storage: VaultStorage, backups: number, laterDays: number) {
  await storage.prepare();
  const vault: Vault = { name: "primary", storage };
  const fulls: string[] = [];
  for (let count = 0; count < backups; count++) {
    fulls.push((await writeBackup([vault], { clock: () => new Date() })).manifest.id);
  }
  const later = async () => new Date(Date.now() + laterDays * DAY_MS);
  const shifted: Vault = { name: "primary", storage: { ...storage, now: later } };
  const policy = { schedule: { full: "0 0 3 1 * *" }, retention: { full: "7d", log: "7d", minimumProven: 1 } };
  const clock = () => new Date(Date.now() + laterDays * DAY_MS);
  const contextWith = (used: Vault): Context => contextOf(used, policy, clock);
  await proveFulls(contextWith(shifted), fulls);
  return { vault: shifted, fulls, contextWith, context: contextWith(shifted) };
}

async function run(context: Context) {
  const [source] = context.policy.sources;
  if (source === undefined) throw new Error("the policy has no source");
  const signal = new AbortController().signal;
  return retentionWork({ context, source, runId: "run", logger: silentLogger, progress: noProgress, signal });
}

const ids = async (context: Context) => (await listBackups(context)).map(({ id }) => id);

describe.each([
  ["Azurite", onAzurite],
  ["a directory", inDirectory],
])("retention in a vault on %s", (_place, openStorage) => {
  it("leaves the newest proven backup, and a vault that verifies without a problem", async () => {
    await using opened = await openStorage();
    const { vault, context, fulls } = await aged(opened.storage, 3, 20);
    const { figures, error } = await run(context);
    expect(error).toBeUndefined();
    expect(figures).toMatchObject({ removedFulls: 2 });
    expect(await ids(context)).toEqual(fulls.slice(-1));
    expect(await verifyOne(vault)).toMatchObject({ failed: 0, problems: [] });
    expect(await Array.fromAsync(vault.storage.data.list(`${SOURCE}/data/${fulls[0]}`))).toEqual([]);
  });

  it("tells no lie when it is killed between any two writes, and the next run finishes", async () => {
    for (let failAt = 1; ; failAt++) {
      await using opened = await openStorage();
      const { vault, context, contextWith, fulls } = await aged(opened.storage, 2, 20);
      const died = (await run(contextWith(failingVault(vault, { failAt, counts: "writes" })))).error !== undefined;
      const listed = await listBackups(context);
      expect(
        listed.filter(({ error }) => error),
        `killed at ${failAt}`,
      ).toEqual([]);
      expect((await verifyOne(vault)).problems, `killed at ${failAt}`).toEqual([]);
      expect((await run(context)).error).toBeUndefined();
      expect(await ids(context)).toEqual(fulls.slice(-1));
      expect((await verifyOne(vault)).problems).toEqual([]);
      if (!died) return;
    }
  });
});

describe("retention in an immutable vault", () => {
  it("lists what the storage still keeps, and removes it when its time is over", async () => {
    await using opened = await onAzurite({ immutableMs: 30 * DAY_MS });
    const { context, fulls, contextWith, vault } = await aged(opened.storage, 2, 20);
    const [plan] = (await planRetentions(context)) as VaultRetention[];
    expect(plan).toMatchObject({ removals: [], notBefore: [{ kind: "full", id: fulls[0] }] });
    const listed = await listBackups(context);
    expect(listed).toMatchObject([{ immutableUntil: expect.any(String) }, { immutableUntil: expect.any(String) }]);
    expect((await run(context)).figures).toMatchObject({ removedFulls: 0, notBefore: 1 });
    expect(await ids(context)).toEqual(fulls);
    immutable.expire();
    expect((await run(contextWith(vault))).figures).toMatchObject({ removedFulls: 1, notBefore: 0 });
    expect(await ids(context)).toEqual(fulls.slice(1));
  });
});
