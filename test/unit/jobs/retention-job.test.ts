import { describe, expect, it } from "vitest";
import { silentLogger } from "../../../lib/core/log.ts";
import { noProgress } from "../../../lib/core/progress.ts";
import { listHolds, setHold } from "../../../lib/jobs/hold.ts";
import { planRetentions, type VaultRetention } from "../../../lib/jobs/plan-retention.ts";
import { retentionWork } from "../../../lib/jobs/retention-job.ts";
import { listBackups, recoveryWindowsOf } from "../../../lib/restore/list.ts";
import type { Context } from "../../../lib/vault/context.ts";
import { dataPrefix, holdPlace, logPlace } from "../../../lib/vault/names.ts";
import { listRemovalRecords } from "../../../lib/vault/removal.ts";
import { agedVault } from "../../support/aged-vault.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { merge } from "../../support/merge.ts";
import { SOURCE, testKeys } from "../../support/vault-fixture.ts";
import { verifyOne } from "../../support/verify.ts";

const { trusted } = testKeys();

async function run(context: Context) {
  const [source] = context.policy.sources;
  if (source === undefined) throw new Error("the policy has no source");
  const signal = new AbortController().signal;
  return retentionWork({ context, source, runId: "run", logger: silentLogger, progress: noProgress, signal });
}

async function planOf(context: Context): Promise<VaultRetention> {
  const [planned] = await planRetentions(context);
  if (planned === undefined || "error" in planned) throw new Error("the vault can't be read");
  return planned;
}

describe("the retention job", () => {
  it("removes what is older than the policy keeps, after it announced it, and keeps the week that was promised", async () => {
    const { vault, context, fulls, segments } = await agedVault(12);
    const plan = await planOf(context);
    const { figures, error } = await run(context);
    expect(error).toBeUndefined();
    // Day 12 ends at 23:00, so the week starts on the evening of day 5; the full of that day leads into it.
    expect((await listBackups(context)).map(({ id }) => id)).toEqual(fulls.slice(4));
    expect(figures).toMatchObject({ removedFulls: 4, removedSegments: 16 });
    const left = [...vault.storage.blobs.keys()].filter((name) => name.startsWith(logPlace(SOURCE).prefix));
    expect(left).toHaveLength(segments.length - 16);
    const [record] = await listRemovalRecords({ vault, source: SOURCE, trusted });
    expect(record?.state === "valid" && record.content.items).toEqual(plan.removals);
    expect(await verifyOne(vault)).toMatchObject({ failed: 0, problems: [] });
    const [{ windows, gaps } = { windows: [], gaps: [] }] = await recoveryWindowsOf(context, SOURCE);
    expect(windows).toMatchObject([{ from: "2026-10-05T03:00:00.000Z", until: "2026-10-12T23:00:00.000Z" }]);
    expect(gaps).toEqual([]);
    expect((await run(context)).figures).toMatchObject({ removedFulls: 0, removedSegments: 0, removals: null });
  });

  it("tells no lie wherever it is killed, and the next run finishes", async () => {
    const { vault, context, contextWith } = await agedVault(9);
    const before = new Map(vault.storage.blobs);
    await run(context);
    const expected = (await listBackups(context)).length;
    for (let failAt = 1; ; failAt++) {
      vault.storage.blobs.clear();
      for (const [name, blob] of before) vault.storage.blobs.set(name, blob);
      const failing = failingVault(vault, { failAt, counts: "writes" });
      const died = (await run(contextWith(failing))).error !== undefined;
      // Whatever is listed is complete, and nothing that went is missed.
      expect((await listBackups(context)).filter(({ error }) => error)).toEqual([]);
      const { problems } = await verifyOne(vault);
      expect(problems, `killed at ${failAt}`).toEqual([]);
      expect((await run(context)).error).toBeUndefined();
      expect(await listBackups(context)).toHaveLength(expected);
      expect((await verifyOne(vault)).problems).toEqual([]);
      if (!died) return;
    }
  });

  it("refuses while the newest backup is not proven, and says so as a failure", async () => {
    const { context, fulls, prove } = await agedVault(12);
    await prove(fulls.slice(0, -1));
    const { figures, error } = await run(context);
    expect(error).toMatchObject({ code: "RETENTION_REFUSED", message: expect.stringContaining(fulls.at(-1) ?? "") });
    expect(figures).toMatchObject({ removedFulls: 0, removedSegments: 0 });
  });

  it("removes nothing on a clock that is years ahead, its own or everybody's", async () => {
    const { context, time, vault } = await agedVault(12);
    const { now } = time;
    time.now = new Date(now.getTime() + 3000 * 86_400_000);
    const jumped = await planOf(context);
    // Seen from the last backup on: what was old then is still old, and nothing more.
    const before = await planOf({ ...context, clock: () => now, vaults: new Map([["primary", stoppedAt(now)]]) });
    expect(jumped.removals.length).toBeLessThanOrEqual(before.removals.length);
    const alone = await planOf({ ...context, vaults: new Map([["primary", stoppedAt(now)]]) });
    expect(alone).toMatchObject({ removals: [], refused: expect.stringContaining("clocks") });

    function stoppedAt(instant: Date) {
      return { ...vault, storage: { ...vault.storage, now: async () => instant } };
    }
  });

  it("keeps what is held, until it is released, and shows the hold", async () => {
    const { context, fulls, vault, time } = await agedVault(12);
    const [oldest = ""] = fulls;
    const hold = { source: SOURCE, backup: oldest, reason: "an audit", until: null, legalHold: false } as const;
    await setHold(context, { ...hold, action: "hold" });
    expect(await listHolds(context, SOURCE)).toMatchObject([{ backup: oldest, reason: "an audit", until: null }]);
    await run(context);
    const listed = await listBackups(context);
    expect(listed[0]).toMatchObject({ id: oldest, held: { reason: "an audit" } });
    expect(listed).toHaveLength(9);
    time.now = new Date(time.now.getTime() + 1000);
    await setHold(context, { ...hold, action: "release", reason: "the audit is over" });
    await run(context);
    expect(await listBackups(context)).toHaveLength(8);
    expect([...vault.storage.blobs.keys()].filter((name) => name.startsWith(`${dataPrefix(SOURCE)}${oldest}`))).toEqual(
      [],
    );
  });

  it("lets a hold end by its time, and knows what it can't hold or release", async () => {
    const { context, fulls, time } = await agedVault(12);
    const [oldest = ""] = fulls;
    const until = new Date(time.now.getTime() + 3_600_000).toISOString();
    const hold = { source: SOURCE, backup: oldest, action: "hold", reason: "a look", until, legalHold: false } as const;
    await setHold(context, hold);
    time.now = new Date(time.now.getTime() + 3_600_000);
    expect(await listHolds(context, SOURCE)).toEqual([]);
    await expect(setHold(context, { ...hold, action: "release", until: null })).rejects.toMatchObject({
      code: "USAGE",
    });
    await expect(setHold(context, { ...hold, backup: "20260101T000000000Z-00000000" })).rejects.toMatchObject({
      code: "NO_BACKUP",
    });
  });

  it("refuses while a hold record can't be believed: nobody knows what it holds", async () => {
    const { context, fulls, vault } = await agedVault(12);
    const hold = {
      source: SOURCE,
      backup: fulls[0] ?? "",
      action: "hold",
      reason: "an audit",
      until: null,
      legalHold: false,
    } as const;
    const { record } = await setHold(context, hold);
    const name = holdPlace(SOURCE).nameOf(record.id);
    const blob = vault.storage.blobs.get(name);
    if (blob) blob.bytes = Buffer.from(blob.bytes.toString("utf8").replace("payload", "payl0ad"));
    expect(await planOf(context)).toMatchObject({ removals: [], refused: expect.stringContaining(name) });
  });

  it("removes a blob that segments share only when none of them is needed", async () => {
    const { vault, context, segments } = await agedVault(12);
    const old = await merge(vault, segments.slice(0, 4));
    const straddling = await merge(vault, segments.slice(12, 20));
    const { figures, error } = await run(context);
    expect(error).toBeUndefined();
    // Sixteen are old enough; the last four of them lie in one blob with the first that are needed.
    expect(figures).toMatchObject({ removedFulls: 4, removedSegments: 12 });
    expect(vault.storage.blobs.has(old.blob.name)).toBe(false);
    expect(vault.storage.blobs.has(straddling.blob.name)).toBe(true);
    expect((await verifyOne(vault)).problems).toEqual([]);
    const [{ windows } = { windows: [] }] = await recoveryWindowsOf(context, SOURCE);
    expect(windows).toMatchObject([{ from: "2026-10-05T03:00:00.000Z", until: "2026-10-12T23:00:00.000Z" }]);
  });

  it("removes uploads that never became a backup, once nothing was added for days", async () => {
    const { context, vault, time } = await agedVault(12);
    const id = "20261012T200000000Z-0000000a";
    await vault.storage.data.create(`${dataPrefix(SOURCE)}${id}/rows/000001`, Buffer.from("begun"));
    expect((await planOf(context)).removals.filter(({ kind }) => kind === "orphan")).toEqual([]);
    time.now = new Date(time.now.getTime() + 4 * 86_400_000);
    expect((await planOf(context)).removals.filter(({ kind }) => kind === "orphan")).toMatchObject([{ id }]);
  });

  it("saves nothing that it can price in a vault without tiers", async () => {
    const { context } = await agedVault(12);
    expect(await planOf(context)).toMatchObject({ savedPerMonth: null, bytes: expect.any(Number) });
  });
});
