import { z } from "zod";
import { AppError, type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import { openEnvelope } from "./envelope.ts";
import type { Recipient, TrustedKeys } from "./keys/key.ts";
import { type Manifest, parseVersioned, recipientSchema, toolSchema } from "./manifest.ts";
import { revisionIn } from "./names.ts";
import { readWhole, type ValidRecord } from "./record.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/*
 * A revision of a manifest says for whom the backup's data key is wrapped now, and nothing else: it can't change what the backup
 * is. It lies beside the manifest, which it names by its hash, and the newest one is the one that counts; the older ones, and
 * the manifest's own recipients, stay named. Readers of before revisions existed do not see them.
 */

const VERSION = 1;
const MAX_REVISION_BYTES = 1024 * 1024;

const revisionSchema = z.object({
  format: z.literal("resguardo-revision"),
  version: z.literal(VERSION),
  /** Of the backup. */
  id: z.string(),
  source: z.string(),
  /** From 2 on: the manifest is the first. */
  revision: z.int().min(2),
  /** SHA-256 of the manifest's file. */
  manifest: z.string(),
  madeAt: z.iso.datetime(),
  tool: toolSchema,
  policyHash: z.string(),
  recipients: z.array(recipientSchema).min(1),
});

export type Revision = z.output<typeof revisionSchema>;

/** A revision that lies in a vault; one that can't be believed is shown, and opens nothing. */
export type StoredRevision =
  | { state: "valid"; name: string; sizeBytes: number; content: Revision; graceUntil?: string }
  | { state: "invalid"; name: string; sizeBytes: number; error: ErrorReport };

interface RevisionQuery extends CallOptions {
  vault: Vault;
  source: string;
  trusted: TrustedKeys;
}

/** Reads what was found beside a manifest, the newest first. Throws what the storage throws. */
export async function readRevisions(
  query: RevisionQuery,
  manifest: ValidRecord<Manifest>,
  names: readonly string[],
): Promise<StoredRevision[]> {
  const read: StoredRevision[] = [];
  for (const name of names.toSorted().toReversed()) read.push(await readRevision(query, manifest, name));
  return read;
}

async function readRevision(
  { vault, source, trusted, signal }: RevisionQuery,
  manifest: ValidRecord<Manifest>,
  name: string,
): Promise<StoredRevision> {
  let sizeBytes = 0;
  try {
    const bytes = await readWhole(vault, name, MAX_REVISION_BYTES, signal);
    sizeBytes = bytes.length;
    const { payload, graceUntil } = openEnvelope(bytes, "resguardo-revision", trusted, name);
    const content = parseVersioned(payload, revisionSchema, "resguardo-revision", VERSION, name);
    const place = revisionIn(source, name);
    if (content.source !== source || content.id !== place?.id || content.revision !== place.revision) {
      throw misplaced(name, `revision ${content.revision} of ${content.id} of ${content.source}`);
    }
    if (content.manifest !== manifest.sha256) throw misplaced(name, `a revision of the manifest ${content.manifest}`);
    return { state: "valid", name, sizeBytes, content, ...(graceUntil !== undefined && { graceUntil }) };
  } catch (error: unknown) {
    if (toAppError(error).kind !== "verify") throw error;
    return { state: "invalid", name, sizeBytes, error: reportError(error) };
  }
}

/** The manifest with everybody for whom its data key is wrapped, those of the newest revision first. */
export function withRecipients(manifest: Manifest, revisions: readonly StoredRevision[]): Manifest {
  const recipients = revisions.flatMap((revision) => (revision.state === "valid" ? revision.content.recipients : []));
  const { encryption } = manifest;
  return { ...manifest, encryption: { ...encryption, recipients: [...recipients, ...encryption.recipients] } };
}

/** Whether these recipients have each of the wanted keys among them. */
export function includesAll(
  recipients: readonly Recipient[],
  wanted: readonly Pick<Recipient, "role" | "keyId">[],
): boolean {
  return wanted.every(({ role, keyId }) => recipients.some((found) => found.role === role && found.keyId === keyId));
}

export function describeRevision(content: Omit<Revision, "format" | "version">): Revision {
  return { format: "resguardo-revision", version: VERSION, ...content };
}

function misplaced(name: string, found: string): AppError {
  return new AppError("MANIFEST_INVALID", `${name}: found ${found}, expected that of the manifest beside it`, {
    hint: "Somebody put another revision in its place; read it from another vault, or run `resguardo keys rotate` again.",
  });
}
