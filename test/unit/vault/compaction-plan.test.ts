import { describe, expect, it } from "vitest";
import { planCompaction } from "../../../lib/vault/compaction-plan.ts";
import type { LogContents } from "../../../lib/vault/segment-index.ts";
import type { SegmentEntry } from "../../../lib/vault/segment-place.ts";

const LATE = new Date("2026-12-01T00:00:00.000Z");

/** `21T05:07` is the segment of that day and minute. */
function idAt(time: string): string {
  return `202611${time.replace(":", "")}00000Z-00000000`;
}

function entry(time: string, follows: string | null, sizeBytes = 1): SegmentEntry {
  return {
    id: idAt(time),
    follows: follows === null ? null : idAt(follows),
    start: follows === null ? { reason: "first", message: "" } : null,
    sizeBytes,
    firstCommitAt: null,
    lastCommitAt: null,
    caughtUpAt: null,
    transactions: 0,
    isComplete: true,
    plainBytes: 1,
    sha256: "",
    signingKeyId: "",
  };
}

function chain(...times: string[]): SegmentEntry[] {
  return times.map((time, index) => entry(time, times[index - 1] ?? null));
}

function contents(alone: SegmentEntry[], more: Partial<LogContents> = {}): LogContents {
  return { alone, damaged: [], merged: [], ...more };
}

function mergedOf(parts: SegmentEntry[], state: "valid" | "invalid" = "valid"): LogContents["merged"][number] {
  const lastId = parts.at(-1)?.id ?? "";
  const blob = { name: `log/${lastId}.x`, sizeBytes: 1, createdAt: LATE, lastId, mergedId: "x" };
  if (state === "invalid") return { state, blob, error: { code: "BLOB_DAMAGED", message: "" } };
  const source = { name: "shop", kind: "mysql" };
  const tool = { name: "resguardo", version: "0", commit: null };
  const common = { environment: "test", mergedAt: "", tool, policyHash: "" };
  const content = { format: "resguardo-merged-log", version: 1, id: "x", source, ...common, parts: [] } as const;
  return { state, blob, content: { ...content, parts: [] }, headBytes: 0, parts };
}

function plan(log: LogContents, before = LATE, limits = { segments: 100, bytes: 1000 }): string[] {
  return planCompaction(log, before, limits).map((group) => group.map(({ id }) => id.slice(6, 13)).join(" "));
}

describe("the plan of compaction", () => {
  it("merges what was shipped within an hour, and leaves the newest hour to the log's end", () => {
    const log = chain("21T05:01", "21T05:59", "21T06:00", "21T06:01", "21T07:00", "21T07:01");
    expect(plan(contents(log))).toEqual(["21T0501 21T0559", "21T0600 21T0601"]);
    expect(plan(contents(log.slice(0, 4)))).toEqual(["21T0501 21T0559"]);
    expect(plan(contents([]))).toEqual([]);
  });

  it("leaves an hour alone that is not wholly over by then", () => {
    const log = chain("21T05:01", "21T05:02", "21T06:00", "21T06:01", "21T07:00");
    expect(plan(contents(log), new Date("2026-11-21T05:59:59.999Z"))).toEqual([]);
    expect(plan(contents(log), new Date("2026-11-21T06:00:00.000Z"))).toEqual(["21T0501 21T0502"]);
  });

  it("leaves a segment alone that has no neighbour within its hour", () => {
    expect(plan(contents(chain("21T05:01", "21T06:01", "21T07:01")))).toEqual([]);
  });

  it("ends a blob at its limits of segments and bytes", () => {
    const times = Array.from({ length: 7 }, (_, minute) => `21T05:0${minute}`);
    const log = [...chain(...times), entry("21T06:00", "21T05:06")];
    expect(plan(contents(log), LATE, { segments: 3, bytes: 1000 })).toEqual([
      "21T0500 21T0501 21T0502",
      "21T0503 21T0504 21T0505",
    ]);
    const large = log.map((segment, index) => ({ ...segment, sizeBytes: index === 2 ? 2000 : 400 }));
    expect(plan(contents(large))).toEqual(["21T0500 21T0501", "21T0503 21T0504", "21T0505 21T0506"]);
  });

  it("merges nothing across a segment that is damaged or missing", () => {
    const log = chain("21T05:00", "21T05:01", "21T05:02", "21T05:03", "21T05:04", "21T06:00");
    const without = log.filter((_, index) => index !== 2);
    const groups = ["21T0500 21T0501", "21T0503 21T0504"];
    expect(plan(contents(without))).toEqual(groups);
    const damaged = [{ id: idAt("21T05:02"), error: { code: "BLOB_DAMAGED", message: "" } as const }];
    expect(plan(contents(without, { damaged }))).toEqual(groups);
  });

  it("keeps chains and branches that stand side by side together, for nothing is missing between them", () => {
    const log = [...chain("21T05:00", "21T05:01"), entry("21T05:02", null), entry("21T05:03", "21T05:00")];
    expect(plan(contents([...log, entry("21T06:00", "21T05:03")]))).toEqual(["21T0500 21T0501 21T0502 21T0503"]);
  });

  it("merges nothing twice, and again what lies in a merged blob that can't be believed", () => {
    const log = chain("21T05:00", "21T05:01", "21T05:02", "21T05:03", "21T06:00");
    expect(plan(contents(log, { merged: [mergedOf(log.slice(0, 2))] }))).toEqual(["21T0502 21T0503"]);
    expect(plan(contents(log, { merged: [mergedOf(log.slice(0, 4))] }))).toEqual([]);
    expect(plan(contents(log, { merged: [mergedOf(log.slice(0, 4), "invalid")] }))).toEqual([
      "21T0500 21T0501 21T0502 21T0503",
    ]);
  });

  it("sees no gap where the segment before lies in a merged blob", () => {
    const log = chain("21T05:00", "21T05:01", "21T06:00", "21T06:01", "21T07:00");
    expect(plan(contents(log.slice(2), { merged: [mergedOf(log.slice(0, 2))] }))).toEqual(["21T0600 21T0601"]);
  });

  it("takes the newest hour of what is damaged or merged for the newest as well", () => {
    const log = chain("21T05:00", "21T05:01");
    const damaged = [{ id: idAt("21T06:00"), error: { code: "BLOB_DAMAGED", message: "" } as const }];
    expect(plan(contents(log, { damaged }))).toEqual(["21T0500 21T0501"]);
    expect(plan(contents(log, { merged: [mergedOf([entry("21T06:00", "21T05:01")])] }))).toEqual(["21T0500 21T0501"]);
  });
});
