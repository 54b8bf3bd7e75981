import { beforeEach, describe, expect, it } from "vitest";
import { measuredBy, readMeasured, rememberMeasured } from "../../../lib/restore/measured-restores.ts";
import { writeRunRecord } from "../../../lib/vault/run-record.ts";
import { memoryVault, type MemoryTestVault, SOURCE, testKeys, TOOL } from "../../support/vault-fixture.ts";

const clock = () => new Date("2026-11-21T23:00:00Z");
const { signer, trusted } = testKeys(clock);
const KEY = "measured-restores/shop";

const figures = { plainBytes: 1000, rtoSeconds: 9, replaySeconds: 2, logBytes: 50, transactions: 3, rpoSeconds: 1 };
const expected = { plainBytes: 1000, loadSeconds: 7, replaySeconds: 2, logBytes: 50, transactions: 3 };
const id = (number: number): string => `20261120T22000000${number}Z-0000000${number}`;

let vault: MemoryTestVault;
let query: { vault: MemoryTestVault; source: string; trusted: typeof trusted };

beforeEach(() => {
  vault = memoryVault();
  query = { vault, source: SOURCE, trusted };
});

async function record(number: number, job: string, details: Record<string, unknown>): Promise<void> {
  const times = { startedAt: "2026-11-21T22:00:00.000Z", finishedAt: "2026-11-21T22:01:00.000Z" };
  const common = {
    source: SOURCE,
    environment: "test",
    tool: TOOL,
    policyHash: "0".repeat(64),
    state: "done",
  } as const;
  await writeRunRecord({ ...common, ...times, id: id(number), job, details }, { vaults: [vault], signer, clock });
}

describe("measured restores", () => {
  it("come from the receipts of drills that found no difference, where the cache is absent or damaged", async () => {
    const checks = [{ name: "rows", expected: "1", found: "1", ok: true }];
    await record(1, "drill-pitr", { figures, checks });
    await record(2, "backup", { figures, checks });
    await record(3, "drill-from-zero", { figures, checks: [{ ...checks[0], ok: false }] });
    await record(4, "drill-from-zero", { figures: { plainBytes: 1 }, checks });
    expect(await readMeasured(query)).toEqual([{ run: id(1), ...expected }]);
    const stored = await vault.storage.state.get(KEY);
    await vault.storage.state.put(KEY, Buffer.from("damaged"), { etag: stored?.etag ?? "" });
    expect(await readMeasured(query)).toEqual([{ run: id(1), ...expected }]);
  });

  it("are kept for the newest five, each once", async () => {
    expect(await readMeasured(query)).toEqual([]);
    for (const number of [2, 1, 3, 3, 4, 5, 6]) {
      const measured = measuredBy(id(number), figures);
      if (measured) await rememberMeasured(query, measured);
    }
    expect((await readMeasured(query)).map(({ run }) => run)).toEqual([2, 3, 4, 5, 6].map(id));
  });

  it("of a full backup alone have no log", () => {
    const alone = { plainBytes: 1000, rtoSeconds: 9, logBytes: null, transactions: null };
    expect(measuredBy(id(1), alone)).toMatchObject({ loadSeconds: 9, logBytes: 0, transactions: 0, replaySeconds: 0 });
    expect(measuredBy(id(1), { rows: 5 })).toBeUndefined();
  });
});
