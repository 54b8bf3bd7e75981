import { newId } from "../../lib/core/ids.ts";
import type { FullBackup } from "../../lib/sources/log-windows.ts";
import { readRecoveryWindows } from "../../lib/sources/log-windows.ts";
import { reportError } from "../../lib/core/errors.ts";
import { logPlace } from "../../lib/vault/names.ts";
import { logChains } from "../../lib/vault/segment-chain.ts";
import { readSegments } from "../../lib/vault/segment-heads.ts";
import { listSegments } from "../../lib/vault/segment-index.ts";
import type { SegmentContent } from "../../lib/vault/segment-manifest.ts";
import { SegmentReader } from "../../lib/vault/segment-reader.ts";
import { SegmentStore } from "../../lib/vault/segment-store.ts";
import { logKey, OpenSegment } from "../../lib/vault/segment-writer.ts";
import type { Vault } from "../../lib/vault/vault.ts";
import { change } from "./memory-log.ts";
import { segmentQuery } from "./merge.ts";
import { collect, type MemoryTestVault, SOURCE, testKeys, TOOL } from "./vault-fixture.ts";

const UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const { recipients, decryption } = testKeys();
const START_MS = Date.parse("2026-11-21T05:00:00.000Z");
const MINUTE_MS = 60_000;

export interface RandomLog {
  /** Of every segment that was written, also of those that were taken away or damaged. */
  ids: string[];
  fulls: FullBackup[];
}

interface Written {
  id: string;
  /** The newest transaction that it or a segment before it holds. */
  last: number;
}

/** Writes a log over some hours: chains that start anew, branches that were given up, holes, and segments that were damaged. */
export async function writeRandomLog(
  vaults: readonly MemoryTestVault[],
  random: () => number,
  segments = 40,
): Promise<RandomLog> {
  let time = START_MS;
  const clock = () => new Date(time);
  const { signer } = testKeys(clock);
  const signal = new AbortController().signal;
  const store = new SegmentStore({ vaults, source: SOURCE, signer, recipients, clock, previous: new Map(), signal });
  const log: RandomLog = { ids: [], fulls: [] };
  const written: Written[] = [];
  for (let number = 0; number < segments; number++) {
    time += Math.ceil(random() * 15 * MINUTE_MS);
    const back = random() < 0.1 ? 2 : 1;
    const before = random() < 0.07 ? undefined : written.at(-back);
    const from = before?.last ?? (written.at(-1)?.last ?? 0) + Math.floor(random() * 2);
    const last = from + Math.floor(random() * 4);
    const segment = new OpenSegment({
      id: newId(clock()),
      source: { name: SOURCE, kind: "mysql" },
      environment: "test",
      policyHash: "0".repeat(64),
      tool: TOOL,
      key: logKey(recipients, clock()),
      clock,
    });
    if (last > from) await segment.write(Buffer.alloc(Math.ceil(random() * 5000), `segment ${number} `));
    await store.store(await segment.close(contentOf(before?.id, from, last, clock())));
    written.push({ id: segment.id, last });
    if (random() < 0.15) log.fulls.push(fullAt(last, clock()));
  }
  log.ids = written.map(({ id }) => id);
  for (const vault of vaults) for (const id of log.ids) if (random() < 0.15) spoil(vault, id, random());
  return log;
}

function contentOf(before: string | undefined, from: number, last: number, now: Date): SegmentContent {
  const instant = now.toISOString().replace("Z", "000Z");
  const isEmpty = last === from;
  return {
    server: { kind: "mysql", version: "9.7.4" },
    follows:
      before === undefined
        ? { kind: "start", reason: "purged", message: "the server purged its log" }
        : { kind: "segment", id: before },
    firstCommitAt: isEmpty ? null : instant,
    lastCommitAt: isEmpty ? null : instant,
    caughtUpAt: isEmpty ? instant : null,
    transactions: last - from,
    isComplete: true,
    position: {
      serverUuid: UUID,
      gtidMode: "ON",
      before: gtidsTo(from),
      added: isEmpty ? "" : `${UUID}:${from + 1}-${last}`,
      runs: [],
      formatDescription: null,
      resumesTransaction: false,
      unfinishedBytes: 0,
      boundary: null,
      end: null,
    },
  };
}

function gtidsTo(last: number): string {
  return last === 0 ? "" : `${UUID}:1-${last}`;
}

function fullAt(last: number, now: Date): FullBackup {
  const position = { gtidSet: gtidsTo(last), serverUuid: UUID, file: "binlog.000001", offset: 4 };
  return { id: newId(now), consistentAt: now.toISOString(), position };
}

/** Takes a segment away, cuts it, or flips a bit of its manifest or its data. */
function spoil(vault: MemoryTestVault, id: string, how: number): void {
  const name = logPlace(SOURCE).nameOf(id);
  const blob = vault.storage.blobs.get(name);
  if (blob === undefined) return;
  if (how < 0.25) vault.storage.blobs.delete(name);
  else if (how < 0.5) vault.storage.blobs.set(name, { ...blob, bytes: blob.bytes.subarray(0, -3) });
  else change(vault, name, how < 0.75 ? 200 : -1);
}

/** All that readers see of a log: chains, windows, facts, and the bytes of each segment or why it can't be read. */
export async function viewOf(vault: Vault, fulls: readonly FullBackup[]): Promise<object> {
  const query = segmentQuery(vault);
  const { entries, damaged } = await listSegments(query);
  const { windows, gaps, unusable } = await readRecoveryWindows(query, "mysql", fulls);
  const reader = new SegmentReader(query, [decryption]);
  const bytes = await Array.fromAsync(readSegments(query, entries), async (segment) => {
    if (segment.state === "invalid") return segment.error.code;
    try {
      return (await collect(reader.read(segment))).toString();
    } catch (error: unknown) {
      return reportError(error).code;
    }
  });
  return {
    entries: entries.map(({ merged: _merged, ...entry }) => entry),
    damaged,
    chains: logChains(entries).map(({ segments, start }) => [segments.map(({ id }) => id), start]),
    windows: windows.map(({ chain, ...window }) => ({ ...window, log: chain?.segments.map(({ id }) => id) })),
    gaps,
    unusable,
    bytes,
  };
}

/** Another vault with the same blobs. */
export function copyOf(vault: MemoryTestVault, copy: MemoryTestVault): MemoryTestVault {
  for (const [name, blob] of vault.storage.blobs)
    copy.storage.blobs.set(name, { ...blob, bytes: Buffer.from(blob.bytes) });
  return copy;
}
