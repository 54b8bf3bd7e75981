import { describe, expect, it } from "vitest";
import { planRetention, type RetentionPlan } from "../../../../lib/vault/retention/plan.ts";
import type { Clocks } from "../../../../lib/vault/retention/doubt.ts";
import type { FullFact, RetentionRules, RetentionView, SegmentFact } from "../../../../lib/vault/retention/view.ts";
import { seededRandom } from "../../../support/random.ts";

/*
 * A world has a true time, in hours, that the planner never sees: what it is told are the clocks of that world, which may have
 * jumped. The oracle knows the true times and restores by walking the log; it shares no code with the planner.
 */

const HOUR = 3_600_000;
const DAY_HOURS = 24;
const EPOCH = Date.UTC(2026, 0, 1);
const YEAR_HOURS = 365 * DAY_HOURS;

interface WorldFull {
  id: string;
  takenAt: number;
  isProven: boolean;
  isHeld: boolean;
  immutableUntil: number | undefined;
}
interface WorldSegment {
  id: string;
  from: number;
  to: number;
  isPresent: boolean;
}
interface World {
  hours: number;
  fulls: WorldFull[];
  /** Adjacent ones follow each other; one that is not present is a gap, and `startsChain` breaks the log without one. */
  segments: (WorldSegment & { startsChain: boolean })[];
  /** Whether the segments of a day lie in one blob. */
  sharedBlobs: boolean;
  rules: RetentionRules;
  /** What the clocks show at a true hour. */
  clockAt: (hour: number) => number;
  clocks: Clocks;
}

function makeWorld(seed: number): World {
  const random = seededRandom(seed);
  const pick = (least: number, most: number) => least + Math.floor(random() * (most - least + 1));
  const chance = (share: number) => random() < share;
  const hours = pick(1, 60) * DAY_HOURS + pick(0, 23);
  const everyHours = [6, 24, 48][pick(0, 2)] ?? 24;
  const outage = chance(0.2) ? { from: pick(0, hours), hours: pick(1, 10) * DAY_HOURS } : undefined;
  const isDown = (hour: number) => outage !== undefined && hour >= outage.from && hour < outage.from + outage.hours;
  const fulls: WorldFull[] = [];
  const provenShare = [0, 0.5, 0.9, 1][pick(0, 3)] ?? 1;
  for (let hour = pick(0, everyHours); hour <= hours; hour += everyHours) {
    const takenAt = hour + random() * 0.5;
    if (takenAt > hours || isDown(hour) || chance(0.05)) continue;
    const immutableUntil = chance(0.05) ? takenAt + pick(1, 40) * DAY_HOURS : undefined;
    fulls.push({ id: `full${hour}`, takenAt, isProven: chance(provenShare), isHeld: chance(0.03), immutableUntil });
  }
  const newest = fulls.at(-1);
  if (newest && chance(0.9)) newest.isProven = true;
  const segments: World["segments"] = [];
  const lostShare = [0, 0, 0.002, 0.02][pick(0, 3)] ?? 0;
  const stepHours = pick(1, 6);
  for (let from = pick(0, 48); from + stepHours <= hours; from += stepHours) {
    if (isDown(from)) continue;
    const startsChain = segments.length === 0 || segments.at(-1)?.to !== from || chance(0.005);
    segments.push({ id: `log${from}`, from, to: from + stepHours, startsChain, isPresent: !chance(lostShare) });
  }
  // From a true hour on, every clock shows years more; or it is only one of them, and only now.
  const jumpAt = chance(0.3) ? pick(0, hours + 1) : Infinity;
  const jumpHours = pick(1, 20) * YEAR_HOURS;
  const clockAt = (hour: number) => EPOCH + Math.round((hour + (hour >= jumpAt ? jumpHours : 0)) * HOUR);
  const shown = clockAt(hours);
  const clocks = { now: shown, storage: shown };
  if (chance(0.1)) clocks.now += (chance(0.5) ? 1 : -1) * jumpHours * HOUR;
  else if (chance(0.05)) clocks.storage += (chance(0.5) ? 1 : -1) * jumpHours * HOUR;
  const fullDays = pick(1, 20);
  const rules: RetentionRules = {
    fullMs: fullDays * DAY_HOURS * HOUR,
    logMs: pick(1, 20) * DAY_HOURS * HOUR,
    keep: { daily: pick(0, 5), weekly: pick(0, 3), monthly: pick(0, 2), yearly: pick(0, 1) },
    minimumProven: pick(1, 4),
    receiptsMs: 1000 * DAY_HOURS * HOUR,
    orphansMs: 3 * DAY_HOURS * HOUR,
    maxGapMs: 2 * everyHours * HOUR,
  };
  return { hours, fulls, segments, sharedBlobs: chance(0.3), rules, clockAt, clocks };
}

/** The facts as the planner is told them: times through the world's clocks, and chains of what is present. */
function viewOf({ fulls, segments, sharedBlobs, clockAt }: World): RetentionView {
  const chains: { segments: SegmentFact[]; members: WorldSegment[] }[] = [];
  let isOpen = false;
  for (const segment of segments) {
    if (segment.startsChain) isOpen = false;
    if (!segment.isPresent) isOpen = false;
    else {
      if (!isOpen) chains.push({ segments: [], members: [] });
      isOpen = true;
      // Some of them share blobs, as merged ones do.
      const blob = sharedBlobs ? `blob${Math.floor(segment.from / 24)}` : segment.id;
      const fact = { id: segment.id, sha256: "", sizeBytes: 1, blobs: [blob], end: clockAt(segment.to) };
      chains.at(-1)?.segments.push(fact);
      chains.at(-1)?.members.push(segment);
    }
  }
  const toFact = ({ id, takenAt, isProven, isHeld, immutableUntil }: WorldFull): FullFact => {
    const chain = chains.findIndex(({ members }) => members.some(({ from, to }) => from <= takenAt && takenAt < to));
    const start = chains[chain]?.members.findIndex(({ from, to }) => from <= takenAt && takenAt < to) ?? 0;
    return {
      id,
      sha256: id,
      sizeBytes: 1,
      time: clockAt(takenAt),
      consistentAt: clockAt(takenAt),
      isProven,
      ...(isHeld && { hold: "a test" }),
      ...(immutableUntil !== undefined && { immutableUntil: clockAt(immutableUntil) }),
      ...(chain !== -1 && { log: { chain, start } }),
    };
  };
  return {
    fulls: fulls.map(toFact),
    damaged: [],
    chains,
    strays: [],
    orphans: [],
    records: [],
    damagedHolds: [],
    hasTiers: false,
  };
}

/** The oracle: up to where each full that is there leads, by walking the log from it on. */
function restorable(world: World, gone: ReadonlySet<string>): { from: number; until: number }[] {
  const left = world.fulls.filter(({ id }) => !gone.has(id));
  return left.map(({ takenAt }) => {
    let until = takenAt;
    for (const segment of world.segments) {
      if (segment.to <= takenAt) continue;
      const isFirst = until === takenAt;
      const leadsOn = isFirst ? segment.from <= takenAt : !segment.startsChain;
      if (!leadsOn || gone.has(segment.id) || !segment.isPresent) break;
      until = segment.to;
    }
    return { from: takenAt, until };
  });
}

/** What is not there any more when the blobs of the plan's removals are gone. */
function goneBy(world: World, plan: RetentionPlan): Set<string> {
  const blobs = new Set(plan.removals.flatMap(({ blobs: names = [] }) => names));
  const segments = viewOf(world).chains.flatMap((chain) => chain.segments);
  const lost = segments.filter((segment) => segment.blobs.some((blob) => blobs.has(blob)));
  return new Set([...plan.removals, ...lost].map(({ id }) => id));
}

function assertPromise(world: World, plan: RetentionPlan): void {
  const { hours, fulls, rules, clocks } = world;
  const gone = goneBy(world, plan);
  const fullHours = rules.fullMs / HOUR;
  const logHours = rules.logMs / HOUR;
  for (const { id, takenAt, isHeld, immutableUntil } of fulls) {
    if (!gone.has(id)) continue;
    expect(hours - takenAt, `${id} went too early`).toBeGreaterThan(fullHours);
    expect(isHeld, `${id} is held`).toBe(false);
    if (immutableUntil !== undefined) expect(world.clockAt(immutableUntil)).toBeLessThanOrEqual(clocks.storage);
  }
  const young = world.segments.filter(({ id, to }) => gone.has(id) && hours - to <= logHours);
  expect(young, "log went too early").toEqual([]);
  const [before, after] = [restorable(world, new Set()), restorable(world, gone)];
  for (let hour = Math.max(0, hours - logHours); hour <= hours; hour += 0.75) {
    const covers = ({ from, until }: { from: number; until: number }) => from <= hour && hour <= until;
    if (before.some(covers) && !after.some(covers)) expect.fail(`hour ${hour} of ${hours} can't be restored any more`);
  }
  const provenLeft = fulls.filter(({ id, isProven }) => isProven && !gone.has(id)).length;
  const provenThere = fulls.filter(({ isProven }) => isProven).length;
  expect(provenLeft).toBeGreaterThanOrEqual(Math.min(rules.minimumProven, provenThere));
  if (Math.abs(clocks.now - clocks.storage) > HOUR) expect(plan.removals).toEqual([]);
}

const WORLDS = 1000;

describe("the promise of retention", () => {
  it("holds in random worlds: all that was promised and could be restored still can", () => {
    let removed = 0;
    for (let seed = 1; seed <= WORLDS; seed++) {
      const world = makeWorld(seed);
      const plan = planRetention(viewOf(world), world.rules, world.clocks);
      try {
        assertPromise(world, plan);
      } catch (error: unknown) {
        throw new Error(`seed ${seed}`, { cause: error });
      }
      removed += plan.removals.length;
    }
    // A planner that removes nothing keeps every promise but one.
    expect(removed).toBeGreaterThan(WORLDS);
  });

  it("leaves nothing that is safely old: with all proven, no gap and no jump, a week is a week", () => {
    const left: string[] = [];
    let looked = 0;
    for (let seed = 1; seed <= 400; seed++) {
      const world = makeWorld(seed);
      world.rules = { ...world.rules, keep: { daily: 0, weekly: 0, monthly: 0, yearly: 0 }, minimumProven: 1 };
      for (const full of world.fulls) Object.assign(full, { isProven: true, isHeld: false, immutableUntil: undefined });
      const honest = (hour: number) => EPOCH + Math.round(hour * HOUR);
      world.clockAt = honest;
      world.clocks = { now: honest(world.hours), storage: honest(world.hours) };
      const times = world.fulls.map(({ takenAt }) => takenAt);
      const gaps = [...times, world.hours].map((time, index, all) => time - (all[index - 1] ?? time));
      if (Math.max(...gaps) * HOUR > world.rules.maxGapMs) continue;
      const gone = new Set(planRetention(viewOf(world), world.rules, world.clocks).removals.map(({ id }) => id));
      const longest = Math.max(world.rules.fullMs, world.rules.logMs + world.rules.maxGapMs) / HOUR;
      // A broken log keeps what stands before it.
      if (viewOf(world).chains.length > 1) continue;
      const tooOld = world.fulls.filter(({ id, takenAt }) => world.hours - takenAt > longest && !gone.has(id));
      left.push(...tooOld.map(({ id }) => `${id} of seed ${seed}`));
      looked++;
    }
    expect(left).toEqual([]);
    expect(looked).toBeGreaterThan(30);
  });

  it("is broken by a planner that forgets the base, which this test would see", () => {
    let seen = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const world = makeWorld(seed);
      const view = viewOf(world);
      const plan = planRetention(view, world.rules, world.clocks);
      const oldest = world.fulls.findIndex(({ id }) => !plan.removals.some((removal) => removal.id === id));
      const base = world.fulls[oldest];
      if (plan.refused !== undefined || base === undefined || plan.removals.length === 0) continue;
      const item = { kind: "full" as const, id: base.id, sizeBytes: 1, why: "a mistake" };
      try {
        assertPromise(world, { ...plan, removals: [...plan.removals, item] });
      } catch {
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(10);
  });
});
