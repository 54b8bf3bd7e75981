import { describe, expect, it } from "vitest";
import { chainEnd, logChains, startBefore } from "../../../lib/vault/segment-chain.ts";
import type { SegmentEntry } from "../../../lib/vault/segment-place.ts";

const FIRST = { reason: "first", message: "the first segment" };

function entry(id: string, follows: string | null, changes: Partial<SegmentEntry> = {}): SegmentEntry {
  return {
    id,
    follows,
    start: follows === null ? FIRST : null,
    sizeBytes: 1,
    firstCommitAt: null,
    lastCommitAt: null,
    caughtUpAt: null,
    transactions: 0,
    isComplete: true,
    plainBytes: 1,
    sha256: "",
    signingKeyId: "",
    ...changes,
  };
}

function shapes(entries: SegmentEntry[]): [string, string][] {
  return logChains(entries).map(({ segments, start }) => [segments.map(({ id }) => id).join(""), start.reason]);
}

describe("the chains of a log", () => {
  it("are one where each segment follows the one before", () => {
    expect(shapes([entry("a", null), entry("b", "a"), entry("c", "b")])).toEqual([["abc", "first"]]);
    expect(shapes([])).toEqual([]);
  });

  it("are split by a segment that starts anew, with its reason", () => {
    const restart = entry("c", null, { start: { reason: "purged", message: "" } });
    expect(shapes([entry("a", null), entry("b", "a"), restart, entry("d", "c")])).toEqual([
      ["ab", "first"],
      ["cd", "purged"],
    ]);
  });

  it("are split where a segment is missing", () => {
    expect(shapes([entry("a", null), entry("c", "b"), entry("d", "c")])).toEqual([
      ["a", "first"],
      ["cd", "missing"],
    ]);
  });

  it("leave out a branch that was given up", () => {
    expect(shapes([entry("a", null), entry("b", "a"), entry("c", "a"), entry("d", "c")])).toEqual([["acd", "first"]]);
  });

  it("reach to the latest commit or the latest time at which nothing was left", () => {
    const [chain] = logChains([
      entry("a", null, { lastCommitAt: "2026-11-21T23:00:05.000000Z" }),
      entry("b", "a", { lastCommitAt: "2026-11-21T23:00:04.000000Z", caughtUpAt: "2026-11-21T23:00:09.000001Z" }),
    ]);
    expect(chain && chainEnd(chain)).toBe("2026-11-21T23:00:09.000001Z");
    const [empty] = logChains([entry("a", null)]);
    expect(empty && chainEnd(empty)).toBeUndefined();
  });
});

describe("a transaction that is cut over several segments", () => {
  const cut = { isComplete: false };
  const segments = [entry("a", null), entry("b", "a", cut), entry("c", "b", cut), entry("d", "c"), entry("e", "d")];

  it.each([
    ["a", 0, "a"],
    ["b", 1, "b"],
    ["d", 3, "b"],
    ["e", 4, "e"],
  ])("is read from its beginning where %s would be the first segment", (_, index, expected) => {
    expect(segments[startBefore(segments, index)]?.id).toBe(expected);
  });
});
