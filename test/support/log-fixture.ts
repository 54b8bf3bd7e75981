import { newId } from "../../lib/core/ids.ts";
import { silentLogger } from "../../lib/core/log.ts";
import { systemClock } from "../../lib/core/time.ts";
import type { FullPosition } from "../../lib/sources/mysql/binlog/log-audit.ts";
import { logPositionSchema } from "../../lib/sources/mysql/binlog/log-position.ts";
import type { ShipReport } from "../../lib/sources/engine.ts";
import { type ShipOptions, shipLog } from "../../lib/sources/mysql/ship.ts";
import { parseMysqlUrl } from "../../lib/sources/mysql/url.ts";
import { findLogHead } from "../../lib/vault/log-head.ts";
import type { SegmentQuery, ValidSegment } from "../../lib/vault/segment-head.ts";
import { readSegment } from "../../lib/vault/segment-head.ts";
import { listSegments } from "../../lib/vault/segment-index.ts";
import { SegmentReader } from "../../lib/vault/segment-reader.ts";
import { SegmentStore } from "../../lib/vault/segment-store.ts";
import { logKey, OpenSegment } from "../../lib/vault/segment-writer.ts";
import type { Vault } from "../../lib/vault/vault.ts";
import { SOURCE, testKeys, TOOL } from "./vault-fixture.ts";

const keys = testKeys(systemClock);

export function logQuery(vault: Vault): SegmentQuery {
  return { vault, source: SOURCE, trusted: keys.trusted };
}

/** Ships the server's log into the vault from where it ends there; with the defaults, until it has caught up with now. */
export async function shipInto(
  vault: Vault,
  url: string,
  options: Partial<ShipOptions> & { fullPositions?: FullPosition[] } = {},
): Promise<ShipReport> {
  const head = await findLogHead(logQuery(vault));
  const signal = options.signal ?? new AbortController().signal;
  const previous = new Map(head.segment ? [[vault.name, head.segment.sha256]] : []);
  const { signer, recipients } = keys;
  const clock = systemClock;
  const store = new SegmentStore({ vaults: [vault], source: SOURCE, signer, recipients, clock, previous, signal });
  return shipLog({
    target: parseMysqlUrl(url),
    identity: "test/shop",
    segmentMs: 1000,
    until: new Date(),
    fulls: async () => options.fullPositions ?? [],
    clock,
    signal,
    logger: silentLogger,
    previous: head.segment && {
      id: head.segment.id,
      position: logPositionSchema.parse(head.segment.content.position),
    },
    sink: {
      open: () =>
        new OpenSegment({
          id: newId(clock()),
          source: { name: SOURCE, kind: "mysql" },
          environment: "test",
          policyHash: "0".repeat(64),
          tool: TOOL,
          key: logKey(recipients, clock()),
          clock,
        }),
      store: async (segment) => {
        await store.store(segment);
      },
    },
    ...options,
  });
}

/** Every segment of the vault, verified, in order. */
export async function segmentsOf(vault: Vault): Promise<ValidSegment[]> {
  const { entries } = await listSegments(logQuery(vault));
  const segments = await Promise.all(entries.map((entry) => readSegment(logQuery(vault), entry)));
  return segments.map((segment) => {
    if (segment.state === "valid") return segment;
    throw new Error(`${segment.id}: ${segment.error.message}`);
  });
}

export function logReader(vault: Vault): SegmentReader {
  return new SegmentReader(logQuery(vault), [keys.decryption]);
}

async function dataOf(vault: Vault, segment: ValidSegment): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(logReader(vault).read(segment)));
}

/** The binlog files that the segments hold, put together by offset. Throws where a file has a hole. */
export async function filesIn(vault: Vault): Promise<Map<string, Buffer>> {
  const files = new Map<string, { end: number; parts: Buffer[] }>();
  for (const segment of await segmentsOf(vault)) {
    const data = await dataOf(vault, segment);
    let offset = 0;
    const position = logPositionSchema.parse(segment.content.position);
    for (const { file, from, to } of position.runs) {
      const known = files.get(file) ?? { end: 4, parts: [Buffer.from("fe62696e", "hex")] };
      if (from !== known.end) throw new Error(`${file}: a run starts at ${from}, the last one ended at ${known.end}`);
      known.parts.push(data.subarray(offset, (offset += to - from)));
      known.end = to;
      files.set(file, known);
    }
    if (offset !== data.length)
      throw new Error(`${segment.id}: its runs have ${offset} bytes, its data ${data.length}`);
  }
  return new Map(Array.from(files, ([file, { parts }]) => [file, Buffer.concat(parts)]));
}
