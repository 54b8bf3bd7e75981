import { z } from "zod";
import type { ErrorCode } from "../core/error-codes.ts";
import { AppError } from "../core/errors.ts";
import { newId } from "../core/ids.ts";
import type { Clock } from "../core/time.ts";
import type { TrustedKeys } from "./keys/key.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import { linksSchema, parseVersioned } from "./manifest.ts";
import { damagePlace } from "./names.ts";
import { type VaultOutcome, VaultOutcomes } from "./outcome.ts";
import { listRecords, type RecordKind } from "./record.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";
import { writeRecord } from "./write-record.ts";

/*
 * What is known to be wrong in a vault is said there in signed statements, of which the newest about a blob counts:
 *   bad (nothing that needs the blob is offered any more) -> healed (the good bytes stand in its place, and were read back)
 *                                                            -> removed (on purpose: nothing needs it any more)
 */

const VERSION = 1;

const damageSchema = z.object({
  format: z.literal("resguardo-damage"),
  version: z.literal(VERSION),
  id: z.string(),
  source: z.string(),
  /** Name of the blob. */
  blob: z.string(),
  state: z.enum(["bad", "healed", "removed"]),
  /** The vaults of which this is said. */
  where: z.array(z.string()).min(1),
  /** What was wrong. */
  reason: z.object({ code: z.custom<ErrorCode>((code) => typeof code === "string"), message: z.string() }),
  /** Why it could not be healed; absent where no vault has it any better. */
  unhealed: z.object({ code: z.string(), message: z.string() }).optional(),
  /** The vault that the good bytes came from; absent where they were good already. */
  from: z.string().optional(),
  /** Where the bytes lie that were in its place; absent where there were none. */
  quarantine: z.string().optional(),
  at: z.iso.datetime(),
  vaults: linksSchema,
});

export type DamageRecord = z.output<typeof damageSchema>;

const damageKind: RecordKind<DamageRecord> = {
  type: "resguardo-damage",
  placeOf: damagePlace,
  parse: (payload, name) => parseVersioned(payload, damageSchema, "resguardo-damage", VERSION, name),
};

export interface DamageQuery extends CallOptions {
  vault: Vault;
  source: string;
  trusted: TrustedKeys;
}

/** What is known to be bad in one vault, by the name of the blob. */
export type KnownDamage = ReadonlyMap<string, DamageRecord>;

/** What is known to be bad in this vault, by what the vault itself holds. Throws what the storage throws. */
export async function readDamage(query: DamageQuery): Promise<KnownDamage> {
  const known = new Map<string, DamageRecord>();
  for await (const record of listRecords({ ...query, kind: damageKind })) {
    if (record.state === "invalid" || !record.content.where.includes(query.vault.name)) continue;
    const { blob, state } = record.content;
    if (state === "bad") known.set(blob, record.content);
    else known.delete(blob);
  }
  return known;
}

/** The statements about this vault after the one of that id, oldest first. Throws what the storage throws. */
export async function listDamage(query: DamageQuery, after: string): Promise<DamageRecord[]> {
  const records = await Array.fromAsync(listRecords({ ...query, kind: damageKind, after: `${after}.json` }));
  return records.flatMap((record) => {
    const isHere = record.state === "valid" && record.content.where.includes(query.vault.name);
    return isHere ? [record.content] : [];
  });
}

/** Throws the reason when a blob is known to be bad. */
export function assertUndamaged(known: KnownDamage, name: string): void {
  const record = known.get(name);
  if (record === undefined) return;
  const { reason, at } = record;
  throw new AppError(reason.code, `known to be bad since ${at}: ${reason.message}`, {
    hint: "It was found by reading it, and could not be healed; `resguardo verify` tries again once a vault has it whole.",
  });
}

export type DamageStatement = Pick<DamageRecord, "source" | "blob" | "state" | "where" | "reason"> &
  Partial<Pick<DamageRecord, "unhealed" | "from" | "quarantine">>;

/** Signs a statement and writes it into all given vaults. Throws when none took it. */
export async function writeDamage(
  statement: DamageStatement,
  to: { vaults: readonly Vault[]; signer: SessionSigner; clock: Clock },
): Promise<VaultOutcome[]> {
  const { signer, clock } = to;
  const now = clock();
  const id = newId(now);
  const outcomes = new VaultOutcomes(to.vaults);
  const { source } = statement;
  const contentOf = (links: DamageRecord["vaults"]): DamageRecord => ({
    format: "resguardo-damage",
    version: VERSION,
    id,
    at: now.toISOString(),
    ...statement,
    vaults: links,
  });
  await writeRecord({ kind: damageKind, source, id, contentOf, signer, clock }, outcomes);
  return outcomes.report();
}
