import { AppError } from "../core/errors.ts";
import { findSource } from "../core/policy.ts";
import type { ChangesQuery, ChangesReport } from "../sources/changes.ts";
import { engineOf } from "../sources/engines.ts";
import type { SourceEngine } from "../sources/engine.ts";
import { type Context, vaultsOf } from "../vault/context.ts";
import { logChains, startBefore } from "../vault/segment-chain.ts";
import { readSegment, type SegmentQuery } from "../vault/segment-head.ts";
import { assertValid, readValidSegments } from "../vault/segment-heads.ts";
import { listSegments } from "../vault/segment-index.ts";
import type { SegmentEntry } from "../vault/segment-place.ts";
import { SegmentReader } from "../vault/segment-reader.ts";

export interface ChangesRequest extends ChangesQuery {
  source: string;
  /** Default: the first vault of the source. */
  vault?: string | undefined;
}

export interface VaultChanges extends ChangesReport {
  source: string;
  vault: string;
}

const LARGEST = 10;

/** What the log in a vault says of a stretch of time, or of one transaction. Asks the source nothing. Throws NO_BACKUP, USAGE. */
export async function readChanges(context: Context, request: ChangesRequest): Promise<VaultChanges> {
  const source = findSource(context.policy, request.source);
  const [vault] = vaultsOf(context, source, request.vault);
  if (vault === undefined) throw new AppError("INVARIANT", `${source.name}: a source without a vault`);
  const engine = engineOf(source.kind);
  const query = { vault, source: source.name, trusted: await context.trustedKeys() };
  const chains = logChains((await listSegments(query)).entries);
  const reader = new SegmentReader(query, [await context.decryptionKey()]);
  const reports: ChangesReport[] = [];
  for (const { segments } of chains) {
    const chosen = await chooseSegments(query, engine, segments, request);
    const read = await Array.fromAsync(readValidSegments(query, chosen));
    reports.push(await engine.changes(request, read, (segment) => reader.read(segment)));
  }
  const whole = join(reports);
  if (request.at !== undefined && whole.transactions === 0) {
    throw new AppError("NO_BACKUP", `vault ${vault.name}: no change by ${request.at} is in the log of ${source.name}`, {
      hint: `\`resguardo changes ${source.name}\` shows the GTIDs that are there.`,
    });
  }
  return { source: source.name, vault: vault.name, ...whole };
}

/** The segments that may hold what is asked for, from the start of the first one's first transaction. */
async function chooseSegments(
  query: SegmentQuery,
  engine: SourceEngine,
  segments: readonly SegmentEntry[],
  { from, to, at }: ChangesRequest,
): Promise<SegmentEntry[]> {
  if (at !== undefined) {
    const index = await firstThatHolds(query, engine, segments, at);
    return index === segments.length ? [] : segments.slice(startBefore(segments, index), index + 1);
  }
  // Times are compared as instants of a millisecond, wide enough for what the engine then compares exactly.
  const [fromMs, toMs] = [from && Date.parse(from), to && Date.parse(to)];
  const first = segments.findIndex(
    ({ lastCommitAt }) => lastCommitAt !== null && (!fromMs || Date.parse(lastCommitAt) >= fromMs),
  );
  if (first === -1) return [];
  const last = segments.findLastIndex(
    ({ firstCommitAt }) => firstCommitAt !== null && (!toMs || Date.parse(firstCommitAt) <= toMs + 1),
  );
  return segments.slice(startBefore(segments, first), last + 1);
}

/** By halves: what a segment holds, all later ones of its chain hold. */
async function firstThatHolds(
  query: SegmentQuery,
  engine: SourceEngine,
  segments: readonly SegmentEntry[],
  gtid: string,
): Promise<number> {
  let [low, high] = [0, segments.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    const entry = segments[middle];
    if (entry === undefined) throw new AppError("INVARIANT", "a chain with a hole");
    const { content } = assertValid(await readSegment(query, entry));
    if (engine.holdsTransaction(content, gtid)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function join(reports: readonly ChangesReport[]): ChangesReport {
  return {
    transactions: reports.reduce((sum, { transactions }) => sum + transactions, 0),
    minutes: reports.flatMap(({ minutes }) => minutes),
    largest: reports
      .flatMap(({ largest }) => largest)
      .toSorted((a, b) => b.bytes - a.bytes)
      .slice(0, LARGEST),
  };
}
