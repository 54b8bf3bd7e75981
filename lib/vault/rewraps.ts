import { createHash } from "node:crypto";
import { z } from "zod";
import type { Recipient } from "./keys/key.ts";
import { linksSchema, parseVersioned, recipientSchema, toolSchema } from "./manifest.ts";
import { rewrapPlace } from "./names.ts";
import { listRecords, type RecordKind, type RecordQuery, type SignedRecord } from "./record.ts";

/*
 * A log segment is one blob and is never rewritten, and many segments share a data key. So what a rotation wraps anew for the log
 * lies in records of its own, `{source}/rewraps/{id}.json`, which name a data key by the hash of the copies that the segments
 * carry. The last record of a rotation also names the full backups that were brought to the same keys: that
 * one of their revisions was taken away later is seen by it.
 */

const VERSION = 1;
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const rewrapSchema = z.object({
  format: z.literal("resguardo-rewrap"),
  version: z.literal(VERSION),
  id: z.string(),
  source: z.string(),
  /** Of the run that wrote it. */
  run: z.string(),
  madeAt: z.iso.datetime(),
  environment: z.string(),
  tool: toolSchema,
  policyHash: z.string(),
  /** The keys for which the rotation wraps. */
  for: z.array(recipientSchema.pick({ role: true, keyId: true })).min(1),
  dataKeys: z.array(
    z.object({
      /** SHA-256 of each wrapped copy that segments carry, as bytes. */
      copies: z.array(sha256).min(1),
      recipients: z.array(recipientSchema).min(1),
    }),
  ),
  /** In the last record of a rotation: the full backups whose data keys are wrapped for these keys since. */
  fulls: z.array(z.string()).optional(),
  vaults: linksSchema,
});

export type Rewrap = z.output<typeof rewrapSchema>;

/** Rewraps as signed records. `parse` throws MANIFEST_INVALID or MANIFEST_VERSION. */
export const rewrapKind: RecordKind<Rewrap> = {
  type: "resguardo-rewrap",
  placeOf: rewrapPlace,
  parse: (payload, name) => parseVersioned(payload, rewrapSchema, "resguardo-rewrap", VERSION, name),
};

export function describeRewrap(content: Omit<Rewrap, "format" | "version">): Rewrap {
  return { format: "resguardo-rewrap", version: VERSION, ...content };
}

/** What rotations wrapped anew for the log of a source, oldest first, each record verified. Throws what the storage throws. */
export function listRewraps(query: Omit<RecordQuery<Rewrap>, "kind">): Promise<SignedRecord<Rewrap>[]> {
  return Array.fromAsync(listRecords({ ...query, kind: rewrapKind }));
}

/** Finds for whom a segment's data key is wrapped besides those that the segment names. */
export class WrappedCopies {
  readonly #recipients = new Map<string, Recipient[]>();

  constructor(rewraps: readonly SignedRecord<Rewrap>[]) {
    for (const rewrap of rewraps) {
      if (rewrap.state !== "valid") continue;
      for (const { copies, recipients } of rewrap.content.dataKeys) {
        for (const copy of copies) this.#recipients.set(copy, [...recipients, ...(this.#recipients.get(copy) ?? [])]);
      }
    }
  }

  /** All of them, those of the newest rotation first. */
  with(recipients: readonly Recipient[]): Recipient[] {
    const added = copiesOf(recipients).flatMap((copy) => this.#recipients.get(copy) ?? []);
    return [...new Set(added), ...recipients];
  }
}

/** What a data key is called by: the hash of each of its wrapped copies. */
export function copiesOf(recipients: readonly Recipient[]): string[] {
  return recipients.map(({ wrappedKey }) =>
    createHash("sha256").update(Buffer.from(wrappedKey, "base64")).digest("hex"),
  );
}
