import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { newId } from "../../../lib/core/ids.ts";
import { runPlace } from "../../../lib/vault/names.ts";
import { writeProofs } from "../../../lib/vault/proofs-record.ts";
import { proveReceipts, sourcesIn } from "../../../lib/vault/prove-receipts.ts";
import { type RunRecord, writeRunRecord } from "../../../lib/vault/run-record.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { openMemoryVault } from "../../../lib/vault/storage/memory.ts";
import { announce } from "../../support/announce.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { type MemoryTestVault, SOURCE, testKeys, TOOL } from "../../support/vault-fixture.ts";

const MINUTE_MS = 60_000;

/** A vault, or two, and one clock for all: the runs' ids, the storage and the signatures. */
function world(...names: string[]) {
  const time = { now: new Date("2026-11-21T03:00:00.000Z") };
  const clock = () => time.now;
  const { signer, trusted } = testKeys(clock);
  const vaults: MemoryTestVault[] = (names.length === 0 ? ["primary"] : names).map((name) => ({
    name,
    storage: openMemoryVault(name, clock),
  }));
  const pass = (minutes: number): void => void (time.now = new Date(time.now.getTime() + minutes * MINUTE_MS));
  /** A run that started so long ago ends now. */
  const end = async (minutesAgo = 1, into: readonly Vault[] = vaults): Promise<string> => {
    const startedAt = new Date(time.now.getTime() - minutesAgo * MINUTE_MS);
    const id = newId(startedAt);
    const run: Omit<RunRecord, "format" | "version" | "vaults"> = {
      id,
      source: SOURCE,
      job: "ship",
      state: "done",
      startedAt: startedAt.toISOString(),
      finishedAt: time.now.toISOString(),
      environment: "test",
      tool: TOOL,
      policyHash: "0".repeat(64),
      details: {},
    };
    await writeRunRecord(run, { vaults: into, signer, clock });
    pass(1);
    return id;
  };
  const prove = async (of: readonly Vault[] = vaults) =>
    proveReceipts({ vaults: of, sources: [SOURCE], trusted, now: time.now });
  const remove = (id: string, from = vaults[0]): void => void from?.storage.blobs.delete(runPlace(SOURCE).nameOf(id));
  return { vaults, time, pass, end, prove, remove, clock, signer };
}

async function problems(of: ReturnType<typeof world>) {
  const { receipts } = await of.prove();
  return receipts.flatMap((proven) => proven.problems.map(({ fault, id }) => ({ fault, id })));
}

describe("the chain of receipts", () => {
  it("names every record but the newest, also that of a long run which sorts before shorter ones", async () => {
    const w = world();
    for (let n = 0; n < 4; n++) await w.end();
    await w.end(300);
    await w.end();
    const last = await w.end();
    const { ok, receipts } = await w.prove();
    expect(ok).toBe(true);
    expect(receipts).toMatchObject([{ start: "whole", records: 7, named: 6, withoutJoin: 0, problems: [] }]);
    expect(receipts[0]?.heads.map(({ id }) => id)).toEqual([last]);
  });

  it("shows that the receipt of a long run was removed", async () => {
    const w = world();
    for (let n = 0; n < 3; n++) await w.end();
    const long = await w.end(300);
    const after = await w.end();
    w.remove(long);
    expect(await problems(w)).toContainEqual({ fault: "removed", id: after });
  });

  it("joins what two jobs wrote at the same moment, and shows that one of them was removed", async () => {
    const w = world();
    await w.end();
    await Promise.all([w.end(2), w.end(3), w.end(4)]);
    const after = await w.end();
    expect(await w.prove()).toMatchObject({ ok: true, receipts: [{ records: 5, named: 4 }] });
    const [, fork] = [...(w.vaults[0]?.storage.blobs.keys() ?? [])]
      .filter((name) => name.includes("/runs/"))
      .toSorted();
    w.vaults[0]?.storage.blobs.delete(fork ?? "");
    expect(await problems(w)).toContainEqual({ fault: "removed", id: after });
  });

  it("shows a removal of any single record but the newest", async () => {
    const w = world();
    const ids: string[] = [];
    for (const minutesAgo of [1, 5, 200, 1, 50, 2]) ids.push(await w.end(minutesAgo));
    await w.end();
    const blobs = new Map(w.vaults[0]?.storage.blobs);
    for (const id of ids) {
      w.remove(id);
      expect((await w.prove()).ok, id).toBe(false);
      for (const [name, blob] of blobs) w.vaults[0]?.storage.blobs.set(name, blob);
    }
    expect((await w.prove()).ok).toBe(true);
  });

  it("allows what retention announced, and nothing else", async () => {
    const w = world();
    const first = await w.end();
    await w.end();
    await w.end();
    const [receipts] = (await w.prove()).receipts;
    const [vault] = w.vaults;
    if (!vault || !receipts) throw new Error("there is no vault");
    const bytes = vault.storage.blobs.get(runPlace(SOURCE).nameOf(first))?.bytes ?? Buffer.alloc(0);
    w.remove(first);
    expect((await w.prove()).ok).toBe(false);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    await announce(vault, [{ kind: "run", id: first, sha256, sizeBytes: 1 }], { clock: w.clock });
    expect(await w.prove()).toMatchObject({ ok: true, receipts: [{ start: "cut", announced: 1 }] });
  });

  it("shows a record that was changed by one byte", async () => {
    const w = world();
    const first = await w.end();
    await w.end();
    const blob = w.vaults[0]?.storage.blobs.get(runPlace(SOURCE).nameOf(first));
    if (blob) blob.bytes = Buffer.concat([blob.bytes, Buffer.from(" ")]);
    const { ok, receipts } = await w.prove();
    expect(ok).toBe(false);
    expect(receipts[0]?.problems.map(({ fault }) => fault)).toContain("removed");
  });

  it("shows a true record that was put under another name", async () => {
    const w = world();
    const first = await w.end();
    await w.end();
    const { blobs } = w.vaults[0]?.storage ?? {};
    const name = runPlace(SOURCE).nameOf(first);
    const blob = blobs?.get(name);
    blobs?.delete(name);
    if (blob) blobs?.set(runPlace(SOURCE).nameOf(newId(new Date("2026-11-20T00:00:00Z"))), blob);
    expect((await problems(w)).map(({ fault }) => fault)).toContain("changed");
  });

  it("shows a record that was signed with the key and put among older ones, before and after the next one is written", async () => {
    const w = world();
    for (let n = 0; n < 3; n++) await w.end();
    const forged = world();
    forged.pass(1);
    const id = await forged.end();
    for (let n = 0; n < 4; n++) {
      w.pass(60);
      await w.end();
    }
    const name = runPlace(SOURCE).nameOf(id);
    const bytes = forged.vaults[0]?.storage.blobs.get(name)?.bytes ?? Buffer.alloc(0);
    w.vaults[0]?.storage.blobs.set(name, { bytes, createdAt: w.time.now });
    expect(await problems(w)).toContainEqual({ fault: "unnamed", id });
    await w.end();
    expect(await problems(w)).toContainEqual({ fault: "late", id });
  });

  it("sees the removal of the newest record in one vault by the other one", async () => {
    const w = world("primary", "offsite");
    await w.end();
    const last = await w.end();
    w.pass(30);
    w.remove(last);
    expect(await w.prove()).toMatchObject({
      ok: false,
      receipts: [
        { vault: "primary", absent: [last] },
        { vault: "offsite", absent: [] },
      ],
    });
    // Alone it can't be seen: this is what the documentation says.
    expect((await w.prove(w.vaults.slice(0, 1))).ok).toBe(true);
  });

  it("takes what a vault missed and got later for a copy, when the other vault has it in order", async () => {
    const w = world("primary", "offsite");
    const [primary, offsite] = w.vaults;
    if (!primary || !offsite) throw new Error("there are two vaults");
    await w.end();
    const missed = await w.end(1, [primary, failingVault(offsite, { failAt: 1 })]);
    for (let n = 0; n < 4; n++) {
      w.pass(60);
      await w.end();
    }
    expect((await w.prove()).receipts).toMatchObject([{ absent: [] }, { absent: [missed] }]);
    const bytes = primary.storage.blobs.get(runPlace(SOURCE).nameOf(missed))?.bytes ?? Buffer.alloc(0);
    await offsite.storage.data.create(runPlace(SOURCE).nameOf(missed), bytes);
    await w.end();
    expect(await w.prove()).toMatchObject({ ok: true, receipts: [{ copied: 0 }, { copied: 1 }] });
  });

  it("sees the removal of the newest record by a ledger of proofs that knew it", async () => {
    const w = world();
    await w.end();
    const last = await w.end();
    const at = w.time.now.toISOString();
    const places = { runs: { newest: last, ranges: [] } };
    await writeProofs(
      {
        id: newId(w.time.now),
        source: SOURCE,
        startedAt: at,
        finishedAt: at,
        environment: "test",
        tool: TOOL,
        policyHash: "0".repeat(64),
        spent: { day: at.slice(0, 10), bytes: 0, seconds: 0 },
        states: [{ vault: "primary", fulls: [], places, failed: [], since: at }],
      },
      { vaults: w.vaults, signer: w.signer, clock: w.clock },
    );
    expect((await w.prove()).ok).toBe(true);
    w.remove(last);
    expect(await w.prove()).toMatchObject({ ok: false, receipts: [{ problems: [], lostSinceProof: last }] });
  });

  it("goes on naming old records after a vault got very many at once", async () => {
    const w = world("primary", "offsite");
    const [primary, offsite] = w.vaults;
    if (!primary || !offsite) throw new Error("there are two vaults");
    await w.end(1, [offsite]);
    for (let n = 0; n < 70; n++) await w.end(1, [primary]);
    for (const [name, { bytes }] of primary.storage.blobs) {
      if (name.includes("/runs/")) await offsite.storage.data.create(name, bytes);
    }
    w.pass(1);
    await w.end(1, [offsite]);
    await w.end(1, [offsite]);
    await w.end(1, [offsite]);
    const { receipts } = await w.prove([offsite]);
    expect(receipts).toMatchObject([{ records: 74, named: 73, copied: 70 }]);
  });

  it("knows the sources that a vault holds", async () => {
    const w = world();
    await w.end();
    const [vault] = w.vaults;
    expect(vault && (await sourcesIn(vault))).toEqual([SOURCE]);
  });
});
