import { createHash } from "node:crypto";
import { AppError, type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import { type EnvelopeType, openEnvelope } from "./envelope.ts";
import type { TrustedKeys } from "./keys/key.ts";
import { mapInOrder } from "./map-in-order.ts";
import { idOfRecord, type RecordPlace } from "./names.ts";
import type { BlobStat, CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/** A signed record that names itself and its place. */
export interface Placed {
  id: string;
  source: string | { name: string };
}

/** A kind of signed JSON record: manifests, run records. */
export interface RecordKind<Content extends Placed> {
  type: EnvelopeType;
  placeOf(source: string): RecordPlace;
  /** Checks the shape. Throws MANIFEST_INVALID or MANIFEST_VERSION. */
  parse(payload: unknown, name: string): Content;
  /** Each record also names what others wrote at the same moment, or late: see join.ts. */
  joins?: true;
}

/** What is known of a record without believing it. */
interface Found {
  id: string;
  /** Of its blob. */
  name: string;
  sizeBytes: number;
  /** By the storage's clock. */
  createdAt: Date;
  /** As in `BlobStat`. */
  immutableUntil?: Date;
  legalHold?: boolean;
}

export interface ValidRecord<Content> extends Found {
  state: "valid";
  content: Content;
  /** Hex, of the record's file: what its successor names as `previous`. */
  sha256: string;
  signedAt: string;
  signingKeyId: string;
  /** As in `OpenedEnvelope`. */
  graceUntil?: string;
}

/** A record that lies there and can't be believed. It is shown, never left out. */
export interface InvalidRecord extends Found {
  state: "invalid";
  error: ErrorReport;
  /** Absent where the file could not be read whole. */
  sha256?: string;
}

export type SignedRecord<Content> = ValidRecord<Content> | InvalidRecord;

/** Where to look for records, and whom to believe. */
export interface RecordQuery<Content extends Placed> extends CallOptions {
  vault: Vault;
  source: string;
  kind: RecordKind<Content>;
  trusted: TrustedKeys;
  /** Only records of ids that sort after this one (or after this beginning of an id). */
  after?: string;
  /** Only records of ids that sort before this one (or before this beginning of an id). */
  before?: string;
  /** Told the names of blobs in that place that are no records of it. */
  onOther?: (name: string) => void;
}

/** Longer than any record can be. */
export const MAX_RECORD_BYTES = 256 * 1024 * 1024;
const READS_IN_FLIGHT = 8;

/** The records of a source, oldest first, each read and verified. Throws what the storage throws: unknown is not none. */
export async function* listRecords<Content extends Placed>(
  query: RecordQuery<Content>,
): AsyncGenerator<SignedRecord<Content>, void, void> {
  yield* mapInOrder(statRecords(query), READS_IN_FLIGHT, (found) => readFound(found, query));
}

/** One record; undefined where there is none of that id. */
export async function readRecord<Content extends Placed>(
  id: string,
  query: RecordQuery<Content>,
): Promise<SignedRecord<Content> | undefined> {
  const stat = await query.vault.storage.data.stat(query.kind.placeOf(query.source).nameOf(id));
  return stat && (await readFound({ ...stat, id }, query));
}

async function* statRecords<Content extends Placed>(query: RecordQuery<Content>): AsyncGenerator<BlobStat & Found> {
  const { vault, source, kind, after, before, onOther, signal } = query;
  const place = kind.placeOf(source);
  const options = { ...(after && { after: `${place.prefix}${after}` }), ...(signal && { signal }) };
  for await (const stat of vault.storage.data.list(place.prefix, options)) {
    const id = idOfRecord(place, stat.name);
    if (id === undefined) onOther?.(stat.name);
    else if (before !== undefined && id >= before) return;
    else yield { ...stat, id };
  }
}

async function readFound<Content extends Placed>(
  { id, name, sizeBytes, createdAt, immutableUntil, legalHold }: Found,
  { vault, source, kind, trusted, signal }: RecordQuery<Content>,
): Promise<SignedRecord<Content>> {
  const protection = { ...(immutableUntil && { immutableUntil }), ...(legalHold && { legalHold }) };
  const found = { id, name, sizeBytes, createdAt, ...protection };
  let sha256: string | undefined;
  try {
    const bytes = await readWhole(vault, name, MAX_RECORD_BYTES, signal);
    sha256 = createHash("sha256").update(bytes).digest("hex");
    const { payload, ...signed } = openEnvelope(bytes, kind.type, trusted, name);
    const content = kind.parse(payload, name);
    assertPlace(content, source, id, name);
    return { ...found, state: "valid", content, sha256, ...signed };
  } catch (error: unknown) {
    // What the storage could not tell is not the record's fault: it must not turn into "no such backup".
    if (toAppError(error).kind !== "verify") throw error;
    return { ...found, state: "invalid", error: reportError(error), ...(sha256 !== undefined && { sha256 }) };
  }
}

/** A true record in a wrong place stands for another one that was removed or is to be hidden. */
function assertPlace(content: Placed, source: string, id: string, name: string): void {
  const foundSource = typeof content.source === "string" ? content.source : content.source.name;
  if (content.id === id && foundSource === source) return;
  throw new AppError(
    "MANIFEST_INVALID",
    `${name}: found the record ${content.id} of ${foundSource}, expected ${id} of ${source}`,
    {
      hint: "Somebody put another record in its place; read it from another vault.",
    },
  );
}

/** A small blob as a whole. Throws MANIFEST_INVALID for one that is longer than any record. */
export async function readWhole(vault: Vault, name: string, maxBytes: number, signal?: AbortSignal): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let sizeBytes = 0;
  for await (const piece of vault.storage.data.read(name, undefined, signal ? { signal } : {})) {
    sizeBytes += piece.length;
    if (sizeBytes > maxBytes) throw new AppError("MANIFEST_INVALID", `${name}: longer than ${maxBytes} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces, sizeBytes);
}
