import { describe, expect, it } from "vitest";
import { checkChain } from "../../../lib/vault/chain.ts";
import { idStart, runPlace } from "../../../lib/vault/names.ts";
import { listRunRecords, readRunRecord, type RunRecord, writeRunRecord } from "../../../lib/vault/run-record.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { memoryVault, SOURCE, testKeys, TOOL } from "../../support/vault-fixture.ts";

const clock = () => new Date("2026-11-21T23:00:00Z");
const { signer, trusted } = testKeys(clock);

function run(id: string, more: Partial<RunRecord> = {}) {
  const base = {
    source: SOURCE,
    job: "backup",
    state: "done",
    environment: "test",
    tool: TOOL,
    policyHash: "0".repeat(64),
  } as const;
  const times = { startedAt: "2026-11-21T22:00:00.000Z", finishedAt: "2026-11-21T22:01:00.000Z" };
  return { ...base, ...times, id, details: { rows: 42 }, ...more };
}

function write(vaults: Vault[], id: string, more?: Partial<RunRecord>) {
  return writeRunRecord(run(id, more), { vaults, signer, clock });
}

const IDS = ["20261120T220000000Z-00000001", "20261121T210000000Z-00000002", "20261121T220000000Z-00000003"] as const;

describe("run records", () => {
  it("are listed in the order of time, chained, each as it was written", async () => {
    const vault = memoryVault();
    const written = [];
    for (const id of IDS) written.push(await write([vault], id));
    const listed = await listRunRecords({ vault, source: SOURCE, trusted });
    expect(listed.map((entry) => entry.state === "valid" && entry.content)).toEqual(
      written.map(({ record }) => record),
    );
    expect(written.map(({ record }) => record.vaults)).toMatchObject([
      [{ name: "primary", previous: null }],
      [{ name: "primary", previous: written[0]?.sha256 }],
      [{ name: "primary", previous: written[1]?.sha256 }],
    ]);
    expect(checkChain(listed, "primary")).toEqual({ start: "whole", broken: [] });
    vault.storage.blobs.delete(runPlace(SOURCE).nameOf(IDS[1]));
    expect(checkChain(await listRunRecords({ vault, source: SOURCE, trusted }), "primary").broken).toMatchObject([
      { id: IDS[2] },
    ]);
  });

  it("can be listed from a time on", async () => {
    const vault = memoryVault();
    for (const id of IDS) await write([vault], id);
    const listed = await listRunRecords({
      vault,
      source: SOURCE,
      trusted,
      after: idStart(new Date("2026-11-21T00:00:00Z")),
    });
    expect(listed.map(({ id }) => id)).toEqual(IDS.slice(1));
  });

  it("keep the coded error of a run that failed", async () => {
    const vault = memoryVault();
    const error = { code: "SOURCE_UNREACHABLE", message: "no answer", hint: "Look." } as const;
    await write([vault], IDS[0], { state: "failed", error });
    expect(await readRunRecord({ vault, source: SOURCE, trusted }, IDS[0])).toMatchObject({
      state: "valid",
      content: { state: "failed", error },
    });
    expect(await readRunRecord({ vault, source: SOURCE, trusted }, IDS[1])).toBeUndefined();
  });

  it("are written once", async () => {
    const vault = memoryVault();
    await write([vault], IDS[0]);
    await expect(write([vault], IDS[0], { state: "failed" })).rejects.toMatchObject({ code: "BLOB_EXISTS" });
  });

  it("are written to the vaults that answer; only when none does is the run's record lost", async () => {
    const [primary, offsite] = [memoryVault("primary"), memoryVault("offsite")];
    const broken = failingVault(primary, { failAt: 1 });
    expect((await write([broken, offsite], IDS[0])).vaults).toMatchObject([
      { vault: "primary", state: "behind" },
      { vault: "offsite", state: "done" },
    ]);
    await expect(write([failingVault(primary, { failAt: 1 })], IDS[1])).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
    });
  });
});
