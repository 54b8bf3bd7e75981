import type { SourcePolicy } from "../core/policy-schema.ts";
import { listBackups, type ValidBackup } from "../vault/catalogue.ts";
import { type DataFolder, later, listDataFolders } from "../vault/data-folders.ts";
import type { HoldsFound } from "../vault/hold.ts";
import { mapInOrder } from "../vault/map-in-order.ts";
import { idStart, logPlace } from "../vault/names.ts";
import { type Proof, readProofs } from "../vault/proofs.ts";
import { listProofRecords, type ProofsRecord } from "../vault/proofs-record.ts";
import type { FullFact, Protection, RecordFact, RetentionView, SegmentFact } from "../vault/retention/view.ts";
import type { SignedRecord } from "../vault/record.ts";
import { listRunRecords, type RunRecord } from "../vault/run-record.ts";
import type { SegmentQuery } from "../vault/segment-head.ts";
import { readLogContents } from "../vault/segment-index.ts";
import type { SegmentEntry } from "../vault/segment-place.ts";
import type { LogChain } from "../vault/segment-chain.ts";
import { findFirstSegment } from "./log-plan.ts";
import { readRecoveryWindows, type RecoveryWindows } from "./log-windows.ts";

export interface RetentionViewQuery extends SegmentQuery {
  kind: SourcePolicy["kind"];
  now: Date;
  holds: HoldsFound;
  /** Run records that may be older than this are looked at; younger ones are not even read. */
  receiptsBefore: Date;
}

const STARTS_IN_FLIGHT = 4;

/** Reads and verifies what retention has to know of one vault. Throws what the storage throws: unknown is not none. */
export async function readRetentionView(query: RetentionViewQuery): Promise<RetentionView> {
  // Before the manifests: a backup that is committed meanwhile is no orphan.
  const folders = await listDataFolders(query.vault, query.source, query);
  const backups = await listBackups(query);
  const valid = backups.filter((backup) => backup.state === "valid");
  const positions = valid.map(({ id, content: { consistentAt, position } }) => ({ id, consistentAt, position }));
  const windows = await readRecoveryWindows(query, query.kind, positions);
  const proofs = await readProofs(query);
  const times = timesInChain(valid);
  const toFact = async (backup: ValidBackup): Promise<FullFact> => ({
    ...(await logOf(query, backup, windows)),
    ...factOf(backup, folders.get(backup.id), proofs.get(backup.id)),
    time: times.get(backup.id) ?? 0,
    hold: query.holds.held.get(backup.id)?.reason,
  });
  const fulls = await Array.fromAsync(mapInOrder(valid, STARTS_IN_FLIGHT, toFact));
  const orphans = new Map(folders);
  for (const { id } of backups) orphans.delete(id);
  return {
    fulls,
    damaged: backups.flatMap(({ id, state, createdAt }) =>
      state === "invalid" ? [{ id, writtenAt: createdAt.getTime() }] : [],
    ),
    ...(await logFacts(query, windows.log)),
    orphans: Array.from(orphans.values(), (folder) => ({
      id: folder.id,
      sizeBytes: folder.sizeBytes,
      newestAt: folder.newestAt.getTime(),
      ...protectionOf({ ...folder, immutableUntil: folder.removableFrom }),
    })),
    records: await oldRecords(query),
    damagedHolds: query.holds.damaged,
    hasTiers: [...folders.values()].some(({ tiers }) => tiers.size > 0),
  };
}

function factOf(backup: ValidBackup, folder: DataFolder | undefined, proof: Proof | undefined) {
  const { id, sha256, sizeBytes, content } = backup;
  const immutableUntil = later(backup.immutableUntil, folder?.removableFrom);
  const legalHold = backup.legalHold === true || folder?.legalHold === true;
  return {
    id,
    sha256,
    sizeBytes: sizeBytes + (folder?.sizeBytes ?? 0),
    consistentAt: toMs(content.consistentAt),
    tiers: folder?.tiers,
    isProven: proof !== undefined && proof.sha256 === sha256,
    ...protectionOf({ immutableUntil, legalHold }),
  };
}

/**
 * The latest of a backup's signed times and the storage's own, and no earlier than those of the backup before it in the chain: a
 * clock that was set back makes nothing older.
 */
function timesInChain(backups: readonly ValidBackup[]): Map<string, number> {
  const byHash = new Map(backups.map((backup) => [backup.sha256, backup]));
  const times = new Map<string, number>();
  const timeOf = (backup: ValidBackup): number => {
    const before = backup.content.vaults.flatMap(({ previous }) => byHash.get(previous ?? "") ?? []);
    const time = times.get(backup.id) ?? Math.max(ownTime(backup), ...before.map(timeOf));
    times.set(backup.id, time);
    return time;
  };
  for (const backup of backups) timeOf(backup);
  return times;
}

function ownTime({ content, signedAt, createdAt }: ValidBackup): number {
  return Math.max(toMs(content.consistentAt), toMs(content.finishedAt), toMs(signedAt), createdAt.getTime());
}

async function logOf(query: RetentionViewQuery, backup: ValidBackup, windows: RecoveryWindows) {
  const window = windows.windows.find(({ backups }) => backups.includes(backup.id));
  if (window?.chain === undefined) return {};
  const request = { kind: query.kind, chain: window.chain, full: backup.content.position };
  return { log: { chain: windows.log.chains.indexOf(window.chain), start: await findFirstSegment(query, request) } };
}

async function logFacts(query: RetentionViewQuery, { entries, chains }: RecoveryWindows["log"]) {
  const protections = await logProtections(query);
  const holders = await blobsOfSegments(query);
  const toFact = ({ id, sha256, sizeBytes }: SegmentEntry, end: number | undefined): SegmentFact => {
    const blobs = holders.get(id) ?? [logPlace(query.source).nameOf(id)];
    return { id, sha256, sizeBytes, blobs, end, ...strongest(blobs.map((blob) => protections.get(blob) ?? {})) };
  };
  const chained = new Set(chains.flatMap(({ segments }) => segments));
  return {
    chains: chains.map((chain) => ({ segments: withEnds(chain, toFact) })),
    strays: entries.filter((entry) => !chained.has(entry)).map((entry) => toFact(entry, endOf(entry))),
  };
}

/** Names of the blobs that a segment lies in: its own, or merged ones, or both. */
async function blobsOfSegments(query: RetentionViewQuery): Promise<Map<string, string[]>> {
  const { alone, merged } = await readLogContents(query);
  const holders = new Map(alone.map(({ id }) => [id, [logPlace(query.source).nameOf(id)]]));
  for (const shared of merged) {
    if (shared.state === "invalid") continue;
    for (const { id } of shared.parts) holders.set(id, [...(holders.get(id) ?? []), shared.blob.name]);
  }
  return holders;
}

function strongest(protections: readonly Protection[]): Protection {
  const until = protections.flatMap(({ immutableUntil }) => immutableUntil ?? []);
  return {
    immutableUntil: until.length === 0 ? undefined : Math.max(...until),
    legalHold: protections.some(({ legalHold }) => legalHold === true),
  };
}

/** A segment in which nothing was committed ends when the one before it did. */
function withEnds({ segments }: LogChain, toFact: (entry: SegmentEntry, end: number | undefined) => SegmentFact) {
  let end: number | undefined;
  return segments.map((entry) => {
    const own = endOf(entry);
    end = own === undefined ? end : Math.max(own, end ?? own);
    return toFact(entry, end);
  });
}

function endOf({ lastCommitAt, caughtUpAt }: SegmentEntry): number | undefined {
  const ends = [lastCommitAt, caughtUpAt].filter((instant) => instant !== null);
  return ends.length === 0 ? undefined : Math.max(...ends.map(toMs));
}

async function logProtections({ vault, source, signal }: RetentionViewQuery): Promise<Map<string, Protection>> {
  const protections = new Map<string, Protection>();
  for await (const stat of vault.storage.data.list(logPlace(source).prefix, signal ? { signal } : {})) {
    const protection = protectionOf(stat);
    if (protection.immutableUntil !== undefined || protection.legalHold) protections.set(stat.name, protection);
  }
  return protections;
}

/** Names only choose what is read: the time that counts is in the records. */
async function oldRecords(query: RetentionViewQuery): Promise<RecordFact[]> {
  const old = { ...query, before: idStart(query.receiptsBefore) };
  const toFacts = (kind: RecordFact["kind"], records: readonly SignedRecord<RunRecord | ProofsRecord>[]) =>
    records.flatMap((record): RecordFact[] => {
      if (record.state !== "valid") return [];
      const { id, sha256, sizeBytes, content, signedAt } = record;
      const time = Math.max(toMs(content.finishedAt), toMs(signedAt));
      return [{ kind, id, sha256, sizeBytes, time, ...protectionOf(record) }];
    });
  return [...toFacts("run", await listRunRecords(old)), ...toFacts("proofs", await listProofRecords(old))];
}

function protectionOf(stat: { immutableUntil?: Date | undefined; legalHold?: boolean | undefined }): Protection {
  return { immutableUntil: stat.immutableUntil?.getTime(), legalHold: stat.legalHold ?? false };
}

/** Rounded up to a millisecond: what has microseconds must not look older than it is. */
function toMs(iso: string): number {
  return Date.parse(iso) + (/\.\d{3}\d*[1-9]/.test(iso) ? 1 : 0);
}
