import { describe, expect, it } from "vitest";
import { parseExercise, recordExercise } from "../../../lib/evidence/exercise.ts";
import { kpisOf } from "../../../lib/evidence/kpi.ts";
import { readBasis } from "../../../lib/evidence/report.ts";
import { distributionOf } from "../../../lib/evidence/statistics.ts";
import { keepLook, type Stretch } from "../../../lib/vault/observation.ts";
import { type EvidenceWorld, evidenceWorld, MINUTE_MS } from "../../support/evidence-world.ts";

const FROM = new Date("2026-03-01T00:00:00.000Z");
const TO = new Date("2026-04-01T00:00:00.000Z");

/** The watch saw this for so many minutes, until `until`. */
async function watched(world: EvidenceWorld, until: string, minutes: number, seen: Record<string, string>) {
  world.at(until);
  await world.run("watch", { seconds: minutes * 60, details: { seen, figures: { looks: minutes } } });
}

async function kpis(world: EvidenceWorld) {
  world.at("2026-04-01T00:00:00.000Z");
  return kpisOf(await readBasis(world.context), FROM, TO);
}

describe("the figures of a month", () => {
  it("are unknown where nothing was recorded, and never zero", async () => {
    const world = evidenceWorld({ probe: { env: "HEALTH_URL" } });
    const found = await kpis(world);
    expect(found.availability).toMatchObject([{ percent: null, downSeconds: null, unobservedSeconds: 31 * 86_400 }]);
    expect(found.rpo).toMatchObject([{ breachMinutes: null, unknownMinutes: null, unobservedMinutes: 31 * 1440 }]);
    expect(found.restoreTime).toMatchObject({ n: 0, meanSeconds: null, p50Seconds: null, p90Seconds: null });
    expect(found.verification).toMatchObject([{ ledger: null, fulls: null, percentOfFulls: null }]);
  });

  it("count availability from what the probe saw, and only of the time in which it looked", async () => {
    const world = evidenceWorld({ probe: { env: "HEALTH_URL" } });
    await watched(world, "2026-03-10T10:00:00.000Z", 999, { service: "up" });
    await watched(world, "2026-03-10T10:01:00.000Z", 1, { service: "down" });
    expect((await kpis(world)).availability).toMatchObject([
      { measuredBy: "probe", percent: 99.9, downSeconds: 60, unobservedSeconds: 31 * 86_400 - 60_000 },
    ]);
  });

  it("count a breach of the RPO while no vault keeps it, and what is unknown apart", async () => {
    const world = evidenceWorld();
    const seen = (primary: string, offsite: string) => ({ "vault:primary": primary, "vault:offsite": offsite });
    await watched(world, "2026-03-10T10:30:00.000Z", 30, seen("breached", "fresh"));
    await watched(world, "2026-03-10T10:50:00.000Z", 20, seen("breached", "breached"));
    await watched(world, "2026-03-10T11:00:00.000Z", 10, seen("unknown", "breached"));
    expect((await kpis(world)).rpo).toMatchObject([
      {
        breachMinutes: 20,
        unknownMinutes: 10,
        vaults: [
          { vault: "offsite", breachMinutes: 30 },
          { vault: "primary", breachMinutes: 50, unknownMinutes: 10 },
        ],
      },
    ]);
  });

  it("count a stretch once that a crash left twice, and cut one that began before the month", async () => {
    const world = evidenceWorld();
    for (let n = 0; n < 2; n++) await watched(world, "2026-03-01T00:30:00.000Z", 60, { "vault:primary": "breached" });
    expect((await kpis(world)).rpo).toMatchObject([{ breachMinutes: 30 }]);
  });

  it("give restore times of what passed, and incidents of severity 1 by their receipts", async () => {
    const world = evidenceWorld();
    for (const [day, rtoSeconds, state] of [
      [2, 100, "done"],
      [3, 300, "done"],
      [4, 200, "done"],
      [5, 9000, "failed"],
    ] as const) {
      world.at(`2026-03-0${day}T05:00:00.000Z`);
      await world.run("drill-pitr", { state, details: { figures: { rtoSeconds } } });
    }
    for (const severity of [1, 2]) {
      const times = { startedAt: "2026-03-05T00:00:00Z", endedAt: "2026-03-05T01:00:00Z" };
      const incident = { kind: "incident", title: "down", severity, result: "passed", ...times };
      await recordExercise(world.context, parseExercise(JSON.stringify(incident), world.time.now), "ana");
    }
    const found = await kpis(world);
    expect(found.restoreTime).toMatchObject({ n: 3, meanSeconds: 200, p50Seconds: 200, p90Seconds: 300 });
    expect(found.incidents.severity1).toBe(1);
    expect(found.incidents.receipts).toHaveLength(1);
  });

  it("take percentiles that were measured", () => {
    const one = { n: 5, meanSeconds: 4, p50Seconds: 3, p90Seconds: 10, maxSeconds: 10 };
    expect(distributionOf([4, 1, 3, 2, 10])).toEqual(one);
    expect(distributionOf([])).toMatchObject({ n: 0, p50Seconds: null });
  });
});

describe("what the watch saw", () => {
  const look = (world: EvidenceWorld, minute: number, service: string, records: Stretch[]) => {
    world.time.now = new Date(FROM.getTime() + minute * MINUTE_MS);
    const record = async (_id: string, stretch: Stretch) => void records.push(stretch);
    return keepLook(world.vault.storage.state, "shop", { service }, world.context.clock, record);
  };

  it("is one stretch while nothing changes, and ends with a change, an hour, or a hole", async () => {
    const world = evidenceWorld();
    const records: Stretch[] = [];
    for (const minute of [0, 1, 2]) await look(world, minute, "up", records);
    await look(world, 3, "down", records);
    for (let minute = 4; minute <= 60; minute++) await look(world, minute, "up", records);
    await look(world, 90, "up", records);
    expect(records.map(({ from, until, seen }) => [from.slice(11, 16), until.slice(11, 16), seen["service"]])).toEqual([
      ["00:00", "00:03", "up"],
      ["00:03", "00:04", "down"],
      ["00:04", "01:00", "up"],
      ["01:00", "01:00", "up"],
    ]);
  });

  it("is recorded before it is forgotten", async () => {
    const world = evidenceWorld();
    const records: Stretch[] = [];
    await look(world, 0, "up", records);
    world.time.now = new Date(FROM.getTime() + MINUTE_MS);
    const failing = keepLook(world.vault.storage.state, "shop", { service: "down" }, world.context.clock, () =>
      Promise.reject(new Error("no vault took it")),
    );
    await expect(failing).rejects.toThrow("no vault");
    await look(world, 2, "down", records);
    expect(records).toMatchObject([{ seen: { service: "up" }, looks: 2 }]);
  });
});
