import { z } from "zod";
import { newId } from "../core/ids.ts";
import type { Clock } from "../core/time.ts";
import type { TrustedKeys } from "./keys/key.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import { linksSchema, parseVersioned, toolSchema } from "./manifest.ts";
import { holdPlace } from "./names.ts";
import { type VaultOutcome, VaultOutcomes } from "./outcome.ts";
import { listRecords, type RecordKind, type SignedRecord } from "./record.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";
import { writeRecord } from "./write-record.ts";

/*
 * A hold keeps a backup, whatever its age. Hold and release are both signed records that stay; of each backup the one that was
 * signed last counts. Nothing marks the backup itself: what stands in a vault is never changed.
 */

const VERSION = 1;
const instant = z.iso.datetime();

const holdSchema = z.object({
  format: z.literal("resguardo-hold"),
  version: z.literal(VERSION),
  id: z.string(),
  source: z.string(),
  /** Id of the full backup. */
  backup: z.string(),
  action: z.enum(["hold", "release"]),
  reason: z.string(),
  /** When a hold ends by itself; null for never. */
  until: instant.nullable(),
  environment: z.string(),
  tool: toolSchema,
  policyHash: z.string(),
  vaults: linksSchema,
});

export type HoldRecord = z.output<typeof holdSchema>;

const holdKind: RecordKind<HoldRecord> = {
  type: "resguardo-hold",
  placeOf: holdPlace,
  parse: (payload, name) => parseVersioned(payload, holdSchema, "resguardo-hold", VERSION, name),
};

export interface HoldToWrite extends Omit<HoldRecord, "format" | "version" | "id" | "vaults"> {
  vaults: readonly Vault[];
  signer: SessionSigner;
  clock: Clock;
}

/** Writes a hold, or its release, into these vaults. Throws when none took it. */
export async function writeHold(hold: HoldToWrite): Promise<{ record: HoldRecord; vaults: VaultOutcome[] }> {
  const { vaults, signer, clock, ...content } = hold;
  const outcomes = new VaultOutcomes(vaults);
  const head = { format: "resguardo-hold", version: VERSION, id: newId(clock()) } as const;
  const contentOf = (links: HoldRecord["vaults"]): HoldRecord => ({ ...head, ...content, vaults: links });
  const toWrite = { kind: holdKind, source: content.source, id: head.id, contentOf, signer, clock };
  const { content: record } = await writeRecord(toWrite, outcomes);
  return { record, vaults: outcomes.report() };
}

/** A backup that is held. */
export interface Hold {
  backup: string;
  reason: string;
  /** When it was signed. */
  since: string;
  until: string | null;
}

/** What the records of one vault, or of several, say. */
export interface HoldsFound {
  /** By the backups' ids. */
  held: ReadonlyMap<string, Hold>;
  /** Names of records that can't be believed: who deletes must not go on while there are any. */
  damaged: string[];
}

export interface HoldQuery extends CallOptions {
  vaults: readonly Vault[];
  source: string;
  trusted: TrustedKeys;
  now: Date;
}

/** What is held in any of these vaults: a hold that one of them missed holds there all the same. Throws what the storage throws. */
export async function readHolds({ vaults, now, ...query }: HoldQuery): Promise<HoldsFound> {
  const entries = new Map<string, SignedRecord<HoldRecord>>();
  for (const vault of vaults) {
    for await (const entry of listRecords({ ...query, vault, kind: holdKind })) {
      // A copy elsewhere makes up for a damaged one.
      if (entry.state === "valid" || !entries.has(entry.id)) entries.set(entry.id, entry);
    }
  }
  const found = [...entries.values()];
  const damaged = found.flatMap(({ state, name }) => (state === "invalid" ? [name] : []));
  return { held: heldBy(found, now), damaged };
}

/** Of each backup, the record that was signed last counts. */
function heldBy(entries: readonly SignedRecord<HoldRecord>[], now: Date): Map<string, Hold> {
  const valid = entries.filter((entry) => entry.state === "valid");
  const held = new Map<string, Hold>();
  for (const { content, signedAt } of valid.toSorted((a, b) => Date.parse(a.signedAt) - Date.parse(b.signedAt))) {
    const { backup, action, reason, until } = content;
    const isOver = until !== null && Date.parse(until) <= now.getTime();
    if (action === "hold" && !isOver) held.set(backup, { backup, reason, since: signedAt, until });
    else held.delete(backup);
  }
  return held;
}
