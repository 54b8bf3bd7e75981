import { z } from "zod";
import { toAppError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import type { TrustedKeys } from "./keys/key.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import { linksSchema, parseVersioned, toolSchema } from "./manifest.ts";
import { idOfRecord, idStart, proofsPlace } from "./names.ts";
import { type VaultOutcome, VaultOutcomes } from "./outcome.ts";
import { listRecords, readRecord, type RecordKind, type SignedRecord, type ValidRecord } from "./record.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";
import { writeRecord } from "./write-record.ts";

/*
 * The ledger of proofs: what a verification knows, after it looked, of every vault of a source. Each record is whole, so the
 * newest one that can be believed is all that is to be read; older ones only prove what was known when.
 */

const VERSION = 1;
const count = z.int().nonnegative();
const text = z.string();
const instant = z.iso.datetime();
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const fullProof = z.object({
  id: text,
  /** Of the manifest's file. */
  sha256,
  /** No blob of it was last proven before this; null while not all of them were. */
  at: instant.nullable(),
  /** As `at`, for what the private key shows: every chunk opened, rows and fingerprints recomputed. */
  deepAt: instant.optional(),
  /** A verification that a budget ended: its first so many blobs were proven at `at` or later. */
  begun: z.object({ blobs: count, at: instant }).optional(),
});

/** Blobs of one place that were proven together: all those with names from `from` to `to`. */
const rangeProof = z.object({
  from: text,
  to: text,
  count,
  /** Of the lines `name size LF` of all of them, in order; names without the place's prefix. */
  sha256,
  at: instant,
  deepAt: instant.optional(),
});

const failure = z.object({
  /** Name of the blob in the vault. */
  blob: text,
  code: text,
  /** When it was first seen. */
  at: instant,
});

const vaultProofs = z.object({
  vault: text,
  /** All that stood there, proven or not. */
  fulls: z.array(fullProof),
  /** By the place: `log`, `runs`, … */
  places: z.record(text, z.object({ newest: text.nullable(), ranges: z.array(rangeProof) })),
  /** What was seen to be wrong and has not been proven since. */
  failed: z.array(failure),
  /** All that stands there was proven, or written, at this instant or later; null while there is nothing. */
  since: instant.nullable(),
});

const proofsSchema = z.object({
  format: z.literal("resguardo-proofs"),
  version: z.literal(VERSION),
  /** Of the run that looked. */
  id: text,
  source: text,
  startedAt: instant,
  finishedAt: instant,
  environment: text,
  tool: toolSchema,
  policyHash: text,
  /** What was read on that day (UTC) so far, of the budget of a day. */
  spent: z.object({ day: text, bytes: count, seconds: z.number().nonnegative() }),
  states: z.array(vaultProofs),
  vaults: linksSchema,
});

export type FullProof = z.output<typeof fullProof>;
export type RangeProof = z.output<typeof rangeProof>;
export type VaultProofs = z.output<typeof vaultProofs>;
export type ProofsRecord = z.output<typeof proofsSchema>;

const proofsKind: RecordKind<ProofsRecord> = {
  type: "resguardo-proofs",
  placeOf: proofsPlace,
  parse: (payload, name) => parseVersioned(payload, proofsSchema, "resguardo-proofs", VERSION, name),
};

/** Signs what a verification knows and writes it into all vaults. Throws when none took it. */
export async function writeProofs(
  proofs: Omit<ProofsRecord, "format" | "version" | "vaults">,
  to: { vaults: readonly Vault[]; signer: SessionSigner; clock: Clock },
): Promise<VaultOutcome[]> {
  const outcomes = new VaultOutcomes(to.vaults);
  await writeRecord(
    {
      kind: proofsKind,
      source: proofs.source,
      id: proofs.id,
      contentOf: (links): ProofsRecord => ({ format: "resguardo-proofs", version: VERSION, ...proofs, vaults: links }),
      signer: to.signer,
      clock: to.clock,
    },
    outcomes,
  );
  return outcomes.report();
}

export interface ProofQuery extends CallOptions {
  vault: Vault;
  /** Name of the source. */
  source: string;
  trusted: TrustedKeys;
  /** Only to look at the newest names first. */
  now: Date;
}

/** The ledgers, with `before` those whose ids sort before it, oldest first, each verified. Throws what the storage throws. */
export function listProofRecords(
  query: Omit<ProofQuery, "now"> & { before?: string },
): Promise<SignedRecord<ProofsRecord>[]> {
  return Array.fromAsync(listRecords({ ...query, kind: proofsKind }));
}

const DAY_MS = 86_400_000;
const LOOK_BACK_DAYS = [2, 40];

/** The newest ledger in a vault that can be believed; undefined where there is none. Throws what the storage throws. */
export async function readNewestProofs(query: ProofQuery): Promise<ValidRecord<ProofsRecord> | undefined> {
  const starts = LOOK_BACK_DAYS.map((days) => idStart(new Date(query.now.getTime() - days * DAY_MS)));
  for (const after of [...starts, ""]) {
    for (const id of (await idsAfter(query, after)).toReversed()) {
      const record = await readRecord(id, { ...query, kind: proofsKind });
      if (record?.state === "valid") return record;
    }
  }
  return undefined;
}

async function idsAfter({ vault, source, signal }: ProofQuery, after: string): Promise<string[]> {
  const place = proofsPlace(source);
  const options = { after: `${place.prefix}${after}`, ...(signal && { signal }) };
  const ids: string[] = [];
  for await (const { name } of vault.storage.data.list(place.prefix, options)) {
    const id = idOfRecord(place, name);
    if (id !== undefined) ids.push(id);
  }
  return ids;
}

/**
 * The newest ledger that any of the vaults has: what stood in a vault is best told by another one. A vault that can't be asked
 * is left out. Undefined where there is none.
 */
export async function readKnownProofs({
  vaults,
  ...query
}: Omit<ProofQuery, "vault"> & { vaults: readonly Vault[] }): Promise<ProofsRecord | undefined> {
  const found = await Promise.all(
    vaults.map(async (vault) => {
      try {
        return await readNewestProofs({ ...query, vault });
      } catch (error: unknown) {
        if (toAppError(error).kind !== "storage") throw error;
        return undefined;
      }
    }),
  );
  const records = found.flatMap((record) => record ?? []);
  return records.toSorted((a, b) => (a.id < b.id ? -1 : 1)).at(-1)?.content;
}
