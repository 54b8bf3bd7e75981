import { describe, expect, it } from "vitest";
import { newId } from "../../../lib/core/ids.ts";
import { readFreshness } from "../../../lib/freshness/read-freshness.ts";
import { dataName, fullPlace, logPlace, proofsPlace, runPlace } from "../../../lib/vault/names.ts";
import { readProofs } from "../../../lib/vault/proofs.ts";
import { readVaultProofs } from "../../../lib/vault/proofs.ts";
import { writeRunRecord } from "../../../lib/vault/run-record.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { announce } from "../../support/announce.ts";
import { change, ship } from "../../support/memory-log.ts";
import { memoryContext, runVerify, SetClock } from "../../support/memory-context.ts";
import { bytesOf, replaceBlob } from "../../support/two-vaults.ts";
import { memoryVault, SOURCE, testKeys, TOOL, writeBackup } from "../../support/vault-fixture.ts";

const { trusted } = testKeys();

/** Two vaults with a full backup and a log, before the first verification. */
async function protectedShop(source: Record<string, unknown> = {}) {
  const clock = new SetClock("2026-11-21T03:00:00.000Z");
  const vaults = [memoryVault("primary"), memoryVault("offsite")] as const;
  const context = memoryContext(vaults, clock, source);
  const full = await writeBackup(vaults, { clock: clock.now });
  const segments = await ship(["one", "two", "three"], vaults, clock.now);
  const rows = dataName(SOURCE, full.manifest.id, "rows/000001");
  const manifest = fullPlace(SOURCE).nameOf(full.manifest.id);
  const names = segments.map((id) => logPlace(SOURCE).nameOf(id));
  clock.pass(1);
  return { clock, vaults, context, full, segments, names, rows, manifest };
}

async function provenIn(vault: Vault, now: Date): Promise<string[]> {
  return [...(await readProofs({ vault, source: SOURCE, trusted, now })).keys()].toSorted();
}

const FULL_BLOBS = 4;
const SEGMENTS = 3;

describe("the verification on schedule", () => {
  it("proves every vault, and what was proven a short while ago not again", async () => {
    const { clock, vaults, context, full, segments } = await protectedShop();
    const first = await runVerify(context);
    expect(first.failure).toBeUndefined();
    expect(first.verification).toMatchObject({
      proven: 2 * (FULL_BLOBS + SEGMENTS),
      failed: 0,
      notLooked: 0,
      behind: [],
    });
    for (const vault of vaults) {
      expect(await provenIn(vault, clock.now())).toEqual([full.manifest.id, ...segments].toSorted());
    }
    clock.pass(1);
    // What is new are the receipt and the ledger of the first one.
    expect((await runVerify(context)).verification).toMatchObject({ proven: 2 * 2, failed: 0 });
    clock.pass(24);
    const later = await runVerify(context);
    expect(later.verification.proven).toBeGreaterThanOrEqual(2 * (FULL_BLOBS + SEGMENTS + 2));
    expect(later.verification.coverage).toMatchObject([
      { vault: "primary", failed: 0, notLooked: 0 },
      { vault: "offsite", failed: 0, notLooked: 0 },
    ]);
  });

  it("spends the budget of a day, goes on where it ended, and says what it has not looked at", async () => {
    const { clock, vaults, context, full } = await protectedShop({ verify: { maxBytesPerDay: "10kB" } });
    const first = await runVerify(context);
    expect(first.failure).toBeUndefined();
    expect(first.verification.notLooked).toBeGreaterThan(0);
    expect(first.verification.coverage[0]?.notLooked).toBeGreaterThan(0);
    clock.pass(1);
    expect((await runVerify(context)).verification).toMatchObject({ bytes: 0, proven: 0 });
    for (let day = 0; day < 12; day++) {
      clock.pass(24);
      await runVerify(context);
    }
    for (const vault of vaults) expect(await provenIn(vault, clock.now())).toContain(full.manifest.id);
  });

  it("proves a backup that one day's budget does not reach to the end of, over several days", async () => {
    const { clock, vaults, context, full } = await protectedShop({ verify: { maxBytesPerDay: "50kB" } });
    const lines = Array.from({ length: 1000 }, (_, row) => `${row}\t${Math.sin(row)}`);
    const parts = Array.from({ length: 16 }, () => lines);
    const big = await writeBackup(vaults, { clock: clock.now }, parts);
    clock.pass(1);
    await runVerify(context);
    const state = await readVaultProofs({ vault: vaults[0], source: SOURCE, trusted, now: clock.now() });
    const { at, begun } = state?.fulls.find(({ id }) => id === big.manifest.id) ?? {};
    expect(at).toBeNull();
    expect(begun?.blobs).toBeGreaterThan(0);
    expect(begun?.blobs).toBeLessThan(parts.length);
    for (let day = 0; day < 8; day++) {
      clock.pass(24);
      await runVerify(context);
    }
    const proofs = await readProofs({ vault: vaults[0], source: SOURCE, trusted, now: clock.now() });
    expect([...proofs.keys()]).toEqual(expect.arrayContaining([big.manifest.id, full.manifest.id]));
  });

  it("makes a source that was not proven for too long a breach, until it is", async () => {
    const shop = await protectedShop({ rpo: "1000d", verify: { provenWithin: "3d" } });
    const { clock, context } = shop;
    const [source] = context.policy.sources;
    if (!source) throw new Error("no source");
    const code = async () => (await readFreshness(context, source)).vaults.map(({ reason }) => reason.code);
    expect(await code()).not.toContain("UNPROVEN");
    clock.pass(73);
    expect(await code()).toEqual(["UNPROVEN", "UNPROVEN"]);
    await runVerify(context);
    expect(await code()).not.toContain("UNPROVEN");
    clock.pass(73);
    replaceBlob(shop.vaults[1], proofsPlace(SOURCE).nameOf(""), undefined);
    expect(await code()).toEqual(["UNPROVEN", "UNPROVEN"]);
  });
});

describe("the verification of a damaged vault", () => {
  it("heals from the other vault, counts what is healed as proven, and leaves it in the receipt", async () => {
    const { clock, vaults, context, full, names, rows, manifest } = await protectedShop();
    const [primary, offsite] = vaults;
    change(primary, rows, 50);
    change(offsite, manifest, 300);
    replaceBlob(offsite, names[1] ?? "", undefined);
    const { failure, verification } = await runVerify(context);
    expect(failure).toBeUndefined();
    expect(verification.problems.map(({ vault, blob }) => `${vault} ${blob}`).toSorted()).toEqual(
      [`primary ${rows}`, `offsite ${manifest}`, `offsite ${names[1]}`].toSorted(),
    );
    expect(verification.healed).toHaveLength(3);
    for (const name of [rows, manifest, names[1] ?? ""]) expect(bytesOf(primary, name)).toEqual(bytesOf(offsite, name));
    expect(await provenIn(primary, clock.now())).toContain(full.manifest.id);
    clock.pass(1);
    expect((await runVerify(context)).verification).toMatchObject({ failed: 0, notLooked: 0 });
    expect(await provenIn(offsite, clock.now())).toContain(full.manifest.id);
  });

  it("says what is bad in every vault, never calls it proven, and believes it again when it is back", async () => {
    const { clock, vaults, context, full, rows } = await protectedShop();
    await runVerify(context);
    const good = bytesOf(vaults[0], rows);
    for (const vault of vaults) change(vault, rows, 50);
    clock.pass(25);
    const { failure, receipt } = await runVerify(context);
    expect(failure).toMatchObject({ code: "BLOB_DAMAGED" });
    expect(receipt.details.figures).toMatchObject({ failed: 2, healed: 0, lost: 2 });
    for (const vault of vaults) expect(await provenIn(vault, clock.now())).not.toContain(full.manifest.id);
    const [source] = context.policy.sources;
    if (!source) throw new Error("no source");
    expect((await readFreshness(context, source)).vaults.map(({ lastFull }) => lastFull)).toEqual([null, null]);
    clock.pass(1);
    expect((await runVerify(context)).verification.failed).toBe(2);
    replaceBlob(vaults[0], rows, good);
    clock.pass(1);
    expect((await runVerify(context)).verification).toMatchObject({ failed: 1, healed: [{ vault: "offsite" }] });
    for (const vault of vaults) expect(await provenIn(vault, clock.now())).toContain(full.manifest.id);
    expect((await readFreshness(context, source)).vaults.map(({ lastFull }) => lastFull?.id)).toEqual([
      full.manifest.id,
      full.manifest.id,
    ]);
  });

  it("changes nothing where the policy forbids to heal, and shortens the window", async () => {
    const { vaults, context, rows } = await protectedShop({ verify: { heal: false } });
    change(vaults[0], rows, 50);
    const { failure, receipt } = await runVerify(context);
    expect(failure).toMatchObject({ code: "BLOB_DAMAGED" });
    expect(receipt.details.figures).toMatchObject({ failed: 1, healed: 0, unhealed: 1 });
    expect(bytesOf(vaults[0], rows)).not.toEqual(bytesOf(vaults[1], rows));
    const [source] = context.policy.sources;
    if (!source) throw new Error("no source");
    const { vaults: found } = await readFreshness(context, source);
    expect(found.map(({ lastFull }) => lastFull === null)).toEqual([true, false]);
  });
});

describe("what was removed and nobody announced", () => {
  it("is told of the newest backup, segment and receipt, by the ledger that another vault has", async () => {
    const { clock, vaults, context, manifest, names, full } = await protectedShop({ verify: { heal: false } });
    const first = await runVerify(context);
    const [primary] = vaults;
    for (const name of primary.storage.blobs.keys()) {
      const isData = name.startsWith(dataName(SOURCE, full.manifest.id, ""));
      const isLedger = name.startsWith(proofsPlace(SOURCE).prefix);
      if (isData || isLedger || name === manifest || name === names[2]) replaceBlob(primary, name, undefined);
    }
    replaceBlob(primary, runPlace(SOURCE).nameOf(first.receipt.id), undefined);
    clock.pass(1);
    const { failure, verification } = await runVerify(context);
    expect(failure).toMatchObject({ code: "RECORD_REMOVED" });
    expect(verification.problems).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ vault: "primary", blob: manifest, code: "RECORD_REMOVED" }),
        expect.objectContaining({ vault: "primary", blob: names[2] }),
      ]),
    );
    expect(verification.problems.every(({ vault }) => vault === "primary")).toBe(true);
    clock.pass(1);
    // It is told until it is back.
    expect((await runVerify(context)).failure).toMatchObject({ code: "RECORD_REMOVED" });
  });

  it("is told of the newest ones in all vaults at once, by the ledger and by the receipts", async () => {
    const { clock, vaults, context, names } = await protectedShop();
    await runVerify(context);
    for (const vault of vaults) replaceBlob(vault, names[2] ?? "", undefined);
    clock.pass(1);
    const { verification } = await runVerify(context);
    const problems = ["primary", "offsite"].map((vault) => ({ vault, blob: names[2], code: "RECORD_REMOVED" }));
    expect(verification.problems).toMatchObject(problems);
    expect(verification.healed).toEqual([]);
  });

  it("is told before any ledger has seen it, by the receipts that name it", async () => {
    const { clock, vaults, context } = await protectedShop();
    const figures = { backup: "20261121T031500000Z-0000000b", lastSegment: "20261121T031600000Z-0000000c" };
    for (const [run, name] of Object.entries(figures)) {
      await writeRunRecord(
        {
          id: newId(clock.now()),
          source: SOURCE,
          job: run,
          state: "done",
          startedAt: clock.now().toISOString(),
          finishedAt: clock.now().toISOString(),
          environment: "test",
          tool: TOOL,
          policyHash: "",
          details: { figures: { [run]: name, vaults: "primary" } },
        },
        { vaults, signer: await context.signer(), clock: clock.now },
      );
    }
    const { verification } = await runVerify(context);
    expect(verification.problems).toMatchObject([
      { vault: "primary", blob: fullPlace(SOURCE).nameOf(figures.backup), code: "RECORD_REMOVED" },
      { vault: "primary", blob: logPlace(SOURCE).nameOf(figures.lastSegment), code: "LOG_GAP" },
    ]);
  });

  it("is told of a whole day of the log", async () => {
    const { clock, vaults, context, names } = await protectedShop();
    clock.pass(24);
    const later = await ship(["four", "five"], vaults, clock.now);
    await runVerify(context);
    for (const vault of vaults) for (const name of names) replaceBlob(vault, name, undefined);
    clock.pass(1);
    const { verification } = await runVerify(context);
    const gone = verification.problems.filter(({ code }) => code === "RECORD_REMOVED" || code === "LOG_GAP");
    expect(gone.map(({ vault }) => vault)).toEqual(["primary", "offsite"]);
    expect(gone[0]?.message).toMatch(/3 of 3 blobs/);
    expect(await provenIn(vaults[0], clock.now())).toEqual(expect.arrayContaining(later));
  });

  it("is no problem once a signed removal record names it", async () => {
    const { clock, vaults, context, full, segments, names, manifest } = await protectedShop();
    await writeBackup(vaults, { clock: clock.now });
    await runVerify(context);
    for (const vault of vaults) {
      const items = [
        { kind: "full" as const, id: full.manifest.id, sha256: full.sha256, sizeBytes: 1 },
        ...segments.map((id) => ({ kind: "segment" as const, id, sizeBytes: 1 })),
      ];
      await announce(vault, items, { clock: clock.now });
      for (const name of [...names, manifest]) replaceBlob(vault, name, undefined);
    }
    clock.pass(1);
    expect((await runVerify(context)).verification).toMatchObject({ failed: 0, problems: [], behind: [] });
  });

  it("makes a vault behind that never had it", async () => {
    const { clock, vaults, context } = await protectedShop();
    await runVerify(context);
    const [primary] = vaults;
    clock.pass(1);
    await writeBackup([primary], { clock: clock.now });
    await ship(["more"], [primary], clock.now);
    const { failure, verification } = await runVerify(context);
    expect(failure).toBeUndefined();
    expect(verification.behind).toEqual([{ source: SOURCE, vault: "offsite", fulls: 1, segments: 1, runs: 0 }]);
  });
});
