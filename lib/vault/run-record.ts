import { z } from "zod";
import type { ErrorCode } from "../core/error-codes.ts";
import type { Clock } from "../core/time.ts";
import type { TrustedKeys } from "./keys/key.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import { linksSchema, parseVersioned, toolSchema } from "./manifest.ts";
import { runPlace } from "./names.ts";
import { type VaultOutcome, VaultOutcomes } from "./outcome.ts";
import { listRecords, MAX_RECORD_BYTES, readRecord, readWhole, type RecordKind, type SignedRecord } from "./record.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";
import { writeRecord } from "./write-record.ts";

// The receipt of one run: a signed record, written once, when the run ends, chained like the manifests.

const VERSION = 1;
const instant = z.iso.datetime();

const runSchema = z.object({
  format: z.literal("resguardo-run"),
  version: z.literal(VERSION),
  id: z.string(),
  source: z.string(),
  /** What ran: "backup", "verify", "drill", … */
  job: z.string(),
  /** `interrupted`: the worker died or was stopped, and this was found or said afterwards. */
  state: z.enum(["done", "failed", "interrupted"]),
  startedAt: instant,
  finishedAt: instant,
  environment: z.string(),
  tool: toolSchema,
  policyHash: z.string(),
  error: z
    .object({
      code: z.custom<ErrorCode>((code) => typeof code === "string"),
      message: z.string(),
      hint: z.string().optional(),
    })
    .optional(),
  /** Figures with units in their names, checks, ids: whatever the kind of job has to tell. No secret, no row data. */
  details: z.record(z.string(), z.unknown()),
  vaults: linksSchema,
});

export type RunRecord = z.output<typeof runSchema>;
export type RunRecordEntry = SignedRecord<RunRecord>;

const runKind: RecordKind<RunRecord> = {
  type: "resguardo-run",
  placeOf: runPlace,
  joins: true,
  parse: (payload, name) => parseVersioned(payload, runSchema, "resguardo-run", VERSION, name),
};

/** Signs the record of a run that has ended and writes it into all vaults. Throws when none took it. */
export async function writeRunRecord(
  run: Omit<RunRecord, "format" | "version" | "vaults">,
  to: { vaults: readonly Vault[]; signer: SessionSigner; clock: Clock },
): Promise<{ record: RunRecord; sha256: string; vaults: VaultOutcome[] }> {
  const vaults = new VaultOutcomes(to.vaults);
  const { content, sha256 } = await writeRecord(
    {
      kind: runKind,
      source: run.source,
      id: run.id,
      contentOf: (links): RunRecord => ({ format: "resguardo-run", version: VERSION, ...run, vaults: links }),
      signer: to.signer,
      clock: to.clock,
    },
    vaults,
  );
  return { record: content, sha256, vaults: vaults.report() };
}

export interface RunQuery extends CallOptions {
  vault: Vault;
  /** Name of the source. */
  source: string;
  trusted: TrustedKeys;
  /** Only runs whose id, which starts with the time of their start, sorts after this: an id, or what `idStart` makes. */
  after?: string;
  /** Only runs whose id sorts before this. */
  before?: string;
}

/** The run records of a source in one vault, oldest first, each verified. Throws what the storage throws. */
export function listRunRecords(query: RunQuery): Promise<RunRecordEntry[]> {
  return Array.fromAsync(listRecords({ ...query, kind: runKind }));
}

/** One run record; undefined where there is none: the run has not ended, or its worker died. */
export function readRunRecord(
  query: Omit<RunQuery, "after" | "before">,
  id: string,
): Promise<RunRecordEntry | undefined> {
  return readRecord(id, { ...query, kind: runKind });
}

/** The signed record of a run as it lies in a vault. Throws BLOB_MISSING, and what the storage throws. */
export function readRunRecordBytes(vault: Vault, source: string, id: string): Promise<Buffer> {
  return readWhole(vault, runPlace(source).nameOf(id), MAX_RECORD_BYTES);
}
