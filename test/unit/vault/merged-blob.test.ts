import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { signEnvelope } from "../../../lib/vault/envelope.ts";
import { trust } from "../../../lib/vault/keys/key.ts";
import { localSigningKey } from "../../../lib/vault/keys/local-keys.ts";
import { openSessionSigner } from "../../../lib/vault/keys/session-key.ts";
import { findLogHead } from "../../../lib/vault/log-head.ts";
import { encodeMergedHead, readMerged, type ValidMerged } from "../../../lib/vault/merged-blob.ts";
import { mergeSegments } from "../../../lib/vault/merge-segments.ts";
import { logPlace } from "../../../lib/vault/names.ts";
import { removeRecorded } from "../../../lib/vault/removal.ts";
import { listSegmentBlobs } from "../../../lib/vault/segment-blobs.ts";
import { logChains } from "../../../lib/vault/segment-chain.ts";
import { readSegments, readValidSegments } from "../../../lib/vault/segment-heads.ts";
import { listSegments } from "../../../lib/vault/segment-index.ts";
import type { SegmentEntry } from "../../../lib/vault/segment-place.ts";
import { SegmentReader } from "../../../lib/vault/segment-reader.ts";
import { announce } from "../../support/announce.ts";
import { change, shipped } from "../../support/memory-log.ts";
import { merge, mergeOptions, segmentQuery } from "../../support/merge.ts";
import { collect, type MemoryTestVault, SOURCE, testKeys, tickingClock } from "../../support/vault-fixture.ts";
import { verifyOne } from "../../support/verify.ts";

const { trusted, decryption } = testKeys();
const place = logPlace(SOURCE);

async function textsIn(vault: MemoryTestVault, entries: readonly SegmentEntry[]): Promise<string[]> {
  const query = segmentQuery(vault);
  const reader = new SegmentReader(query, [decryption]);
  const segments = await Array.fromAsync(readValidSegments(query, entries));
  return Array.fromAsync(segments, async (segment) => (await collect(reader.read(segment))).toString());
}

function withoutPlace({ merged: _merged, ...entry }: SegmentEntry): SegmentEntry {
  return entry;
}

function removeOriginals(vault: MemoryTestVault, { parts }: ValidMerged): void {
  for (const { id } of parts) vault.storage.blobs.delete(place.nameOf(id));
}

describe("a merged blob", () => {
  it("shows its segments as they were shown before, and gives the same bytes", async () => {
    const { vault, ids } = await shipped(["one", "", "three", "four"]);
    const before = (await listSegments(segmentQuery(vault))).entries;
    const merged = await merge(vault, ids.slice(0, 3));
    const [entries, damaged] = Object.values(await listSegments(segmentQuery(vault)));
    expect([entries, damaged]).toEqual([before, []]);
    removeOriginals(vault, merged);
    const after = (await listSegments(segmentQuery(vault))).entries;
    expect(after.map(withoutPlace)).toEqual(before);
    expect(after.map((entry) => entry.merged?.blob)).toEqual([...Array(3).fill(merged.blob.name), undefined]);
    expect(await textsIn(vault, after)).toEqual(["one", "", "three", "four"]);
    expect(logChains(after)).toHaveLength(1);
  });

  it("is found by a listing that starts after any of its segments", async () => {
    const { vault, ids } = await shipped(["one", "two", "three", "four"]);
    removeOriginals(vault, await merge(vault, ids.slice(0, 3)));
    for (const [index, id] of ids.entries()) {
      const { entries } = await listSegments(segmentQuery(vault), id);
      expect(entries.map((entry) => entry.id)).toEqual(ids.slice(index + 1));
    }
    expect(await Array.fromAsync(listSegmentBlobs(segmentQuery(vault)))).toMatchObject([
      { lastId: ids[2], mergedId: expect.any(String) },
      { lastId: ids[3], mergedId: undefined },
    ]);
  });

  it("holds the end of the log where nothing came after it", async () => {
    const { vault, ids } = await shipped(["one", "two"]);
    removeOriginals(vault, await merge(vault));
    const { segment, newestId } = await findLogHead(segmentQuery(vault));
    expect([segment?.id, newestId]).toEqual([ids[1], ids[1]]);
  });

  it("is what a reader finds whose plan named a blob that has gone since", async () => {
    const { vault } = await shipped(["one", "two", "three"]);
    const planned = (await listSegments(segmentQuery(vault))).entries;
    const heads = await Array.fromAsync(readValidSegments(segmentQuery(vault), planned));
    removeOriginals(vault, await merge(vault));
    expect(await textsIn(vault, planned)).toEqual(["one", "two", "three"]);
    const reader = new SegmentReader(segmentQuery(vault), [decryption]);
    const texts = await Array.fromAsync(heads, async (segment) => (await collect(reader.read(segment))).toString());
    expect(texts).toEqual(["one", "two", "three"]);
  });

  it("is read by few reads, not by one for each segment", async () => {
    const { vault } = await shipped(Array.from({ length: 60 }, (_, index) => `segment ${index}`));
    removeOriginals(vault, await merge(vault));
    let reads = 0;
    const { data } = vault.storage;
    const counted = {
      ...data,
      read: (...args: Parameters<typeof data.read>) => {
        reads++;
        return data.read(...args);
      },
    };
    const counting = { ...vault, storage: { ...vault.storage, data: counted } };
    const { entries } = await listSegments(segmentQuery(counting));
    expect(await textsIn(counting, entries)).toHaveLength(60);
    expect(reads).toBe(3);
  });

  it("is not made of a segment that is not what its manifest says", async () => {
    for (const [at, code] of [
      [-1, "BLOB_DAMAGED"],
      [0, "BLOB_DAMAGED"],
      [100, "SIGNATURE_INVALID"],
    ] as const) {
      const { vault, ids, names } = await shipped(["one", "two", "three"]);
      const { entries } = await listSegments(segmentQuery(vault));
      change(vault, names[1] ?? "", at);
      const stood = [...vault.storage.blobs.keys()];
      const outcome = await mergeSegments(mergeOptions(vault), entries);
      expect(outcome).toMatchObject({ state: "damaged", segments: [{ id: ids[1] }] });
      if (outcome.state === "damaged" && at <= 0) expect(outcome.segments[0]?.error.code).toBe(code);
      expect([...vault.storage.blobs.keys()]).toEqual(stood);
    }
  });

  it("counts as one proven blob, with private keys too, and its segments leave no gap", async () => {
    const { vault, ids } = await shipped(["one", "", "three", "four"]);
    removeOriginals(vault, await merge(vault, ids.slice(0, 3)));
    const stored = Array.from(vault.storage.blobs).filter(([name]) => !name.startsWith("keys/"));
    const bytes = stored.reduce((total, [, blob]) => total + blob.bytes.length, 0);
    for (const deep of [undefined, [decryption]]) {
      const report = await verifyOne(vault, deep && { deep });
      expect(report).toMatchObject({ proven: 2, failed: 0, notLooked: 0, bytes, problems: [] });
    }
  });

  it("is found damaged wherever a bit of it is flipped, and no sound segment of it is lost by that", async () => {
    const texts = ["one", "two", "three"];
    const { vault } = await shipped(texts);
    const merged = await merge(vault);
    removeOriginals(vault, merged);
    const { name, sizeBytes } = merged.blob;
    const places = [0, 5, 40, merged.headBytes - 20, ...merged.parts.flatMap(regionsOf), sizeBytes - 1];
    for (const at of places) {
      change(vault, name, at);
      const report = await verifyOne(vault);
      expect([at, report.proven, report.failed, report.problems[0]?.blob]).toEqual([at, 0, 1, name]);
      const { entries, damaged } = await listSegments(segmentQuery(vault));
      if (at < merged.headBytes) expect(damaged.map(({ id }) => id)).toEqual([merged.blob.lastId]);
      else {
        const states = await Array.fromAsync(readSegments(segmentQuery(vault), entries), ({ state }) => state);
        expect(states.filter((state) => state === "valid").length).toBeGreaterThanOrEqual(2);
      }
      change(vault, name, at);
    }
    expect(await verifyOne(vault)).toMatchObject({ proven: 1, failed: 0 });
  });

  it("is refused when it is cut, in another place, of another source, or says other facts than a manifest", async () => {
    const { vault } = await shipped(["one", "two"]);
    const { blob } = await merge(vault);
    const query = segmentQuery(vault);
    const bytes = vault.storage.blobs.get(blob.name);
    if (bytes === undefined) throw new Error("no blob");
    const other = {
      ...blob,
      name: `${blob.name.slice(0, -8)}00000000`,
      mergedId: `${blob.mergedId?.slice(0, -8)}00000000`,
    };
    vault.storage.blobs.set(other.name, bytes);
    const outcomes = await Promise.all([
      readMerged(query, other),
      readMerged(query, { ...blob, sizeBytes: blob.sizeBytes - 1 }),
      readMerged({ ...query, source: "other" }, blob),
    ]);
    const message: unknown = expect.stringContaining(SOURCE);
    const refused = { state: "invalid", error: { code: "BLOB_DAMAGED", message } };
    expect(outcomes).toMatchObject([refused, refused, refused]);
  });

  it("does not show a segment as sound whose signing key is not trusted any more", async () => {
    const { vault, ids } = await shipped(["one", "two"]);
    const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const clock = tickingClock();
    const signer = openSessionSigner({ signingKey: localSigningKey(privateKey), clock });
    const { entries: alone } = await listSegments(segmentQuery(vault));
    const both = new Map([...trusted, ...trust([publicKey])]);
    const outcome = await mergeSegments({ ...mergeOptions(vault, clock), signer, trusted: both }, alone);
    expect(outcome.state).toBe("merged");
    for (const { id } of alone) vault.storage.blobs.delete(place.nameOf(id));
    expect((await listSegments({ ...segmentQuery(vault), trusted: both })).entries).toHaveLength(2);
    const { entries, damaged } = await listSegments({ ...segmentQuery(vault), trusted: trust([publicKey]) });
    expect([entries, damaged.map(({ id, error }) => [id, error.code])]).toEqual([
      [],
      ids.map((id) => [id, "SIGNATURE_INVALID"]),
    ]);
    expect((await listSegments(segmentQuery(vault))).damaged).toMatchObject([{ id: ids[1] }]);
  });

  it("is not proven when its index says other facts than a manifest in it", async () => {
    const { vault } = await shipped(["one", "two"]);
    const merged = await merge(vault);
    removeOriginals(vault, merged);
    const bytes = vault.storage.blobs.get(merged.blob.name);
    if (bytes === undefined) throw new Error("no blob");
    const [first, ...others] = merged.content.parts;
    const content = { ...merged.content, parts: [{ ...first, caughtUpAt: "2026-11-25T00:00:00.000Z" }, ...others] };
    const { signer, clock } = mergeOptions(vault);
    const head = encodeMergedHead(await signEnvelope("resguardo-merged-log", content, signer, clock));
    const forged = Buffer.concat([head, bytes.bytes.subarray(merged.headBytes)]);
    vault.storage.blobs.set(merged.blob.name, { ...bytes, bytes: forged });
    const report = await verifyOne(vault);
    expect(report).toMatchObject({
      proven: 0,
      failed: 1,
      problems: [{ blob: merged.blob.name, code: "BLOB_DAMAGED" }],
    });
  });

  it("leaves a gap when it goes, though its segments were announced as merged", async () => {
    const { vault, ids, names } = await shipped(["one", "two", "three"]);
    const merged = await merge(vault, ids.slice(0, 2));
    const items = merged.parts.map(({ id, sha256, sizeBytes }) => {
      return { kind: "segment" as const, id, sha256, sizeBytes, replacedBy: merged.content.id };
    });
    const record = await announce(vault, items, { reason: "compaction" });
    await removeRecorded(vault, record);
    expect(await verifyOne(vault)).toMatchObject({ proven: 3, failed: 0 });
    vault.storage.blobs.delete(merged.blob.name);
    const report = await verifyOne(vault);
    expect(report).toMatchObject({ proven: 2, failed: 1, problems: [{ blob: names[1], code: "LOG_GAP" }] });
  });
});

function regionsOf({ merged, sizeBytes }: SegmentEntry): number[] {
  if (merged === undefined) return [];
  const dataBytes = sizeBytes - 8 - merged.manifestBytes;
  return [
    merged.manifestOffset + 30,
    merged.manifestOffset + merged.manifestBytes - 30,
    merged.dataOffset + dataBytes / 2,
  ].map(Math.floor);
}
