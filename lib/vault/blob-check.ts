import { createHash } from "node:crypto";
import { AppError } from "../core/errors.ts";
import { damagedBlob } from "./damaged-blob.ts";
import { openAnyEnvelope } from "./envelope.ts";
import { keyIdOf, type TrustedKeys } from "./keys/key.ts";
import { readSuccession } from "./keys/succession.ts";
import { mergedCheck } from "./merged-check.ts";
import {
  fullPlace,
  idOfRecord,
  idsInMergedName,
  keyName,
  KEYS_PREFIX,
  logPlace,
  type RecordPlace,
  revisionIn,
  runPlace,
  successionName,
  SUCCESSIONS,
} from "./names.ts";
import { MAX_RECORD_BYTES } from "./record.ts";
import { segmentCheck } from "./segment-check.ts";

/** The bytes of a blob, in short. */
export interface BlobContent {
  sizeBytes: number;
  /** Hex. */
  sha256: string;
}

/** Decides, while the bytes of a blob pass, whether they are what belongs under its name. For one pass. */
export interface BlobCheck {
  update(piece: Uint8Array): void;
  /** Throws a `verify` error for bytes that do not belong there. */
  finish(): BlobContent;
}

/** What a blob has to hold: what a manifest says of it, or whatever its own signature vouches for. */
export type Expected = BlobContent | "record";

export interface CheckRequest {
  /** Of the vault that is read, for messages. */
  vault: string;
  source: string;
  name: string;
  expected: Expected;
  trusted: TrustedKeys;
}

/** The check for a blob: against a manifest, or for a signed record or log segment against its own signature and place. */
export function checkFor(request: CheckRequest): BlobCheck {
  const { expected, source, name } = request;
  if (expected !== "record") return contentCheck(request, expected);
  const merged = idsInMergedName(source, name);
  if (merged !== undefined) return mergedCheck(request, merged);
  const segmentId = idOfRecord(logPlace(source), name);
  return segmentId === undefined ? recordCheck(request) : segmentCheck(request, segmentId);
}

/** The pieces of a stream, which ends with the check's error instead of its end where they are not what they should be. */
export async function* checked(
  bytes: AsyncIterable<Buffer>,
  check: BlobCheck,
  onContent: (content: BlobContent) => void = () => {},
): AsyncGenerator<Buffer, void, void> {
  for await (const piece of bytes) {
    check.update(piece);
    yield piece;
  }
  onContent(check.finish());
}

function contentCheck({ vault, name }: CheckRequest, expected: BlobContent): BlobCheck {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  return {
    update: (piece) => {
      hash.update(piece);
      sizeBytes += piece.length;
    },
    finish: () => {
      const found = { sizeBytes, sha256: hash.digest("hex") };
      for (const field of ["sizeBytes", "sha256"] as const) {
        if (found[field] !== expected[field])
          throw damagedBlob(vault, name, `${field} ${found[field]}`, `${expected[field]}`);
      }
      return found;
    },
  };
}

function recordCheck(request: CheckRequest): BlobCheck {
  const pieces: Uint8Array[] = [];
  let sizeBytes = 0;
  return {
    update: (piece) => {
      sizeBytes += piece.length;
      if (sizeBytes > MAX_RECORD_BYTES)
        throw misplaced(request.name, `more than ${MAX_RECORD_BYTES} bytes`, "a record");
      pieces.push(piece);
    },
    finish: () => {
      const bytes = Buffer.concat(pieces, sizeBytes);
      if (request.name.startsWith(SUCCESSIONS)) return checkSuccession(bytes, request.name);
      const { type, payload } = openAnyEnvelope(bytes, request.trusted, request.name);
      assertPlace(request, type, payload);
      return { sizeBytes, sha256: createHash("sha256").update(bytes).digest("hex") };
    },
  };
}

/** Who follows whom is signed by both keys, and by no session key. */
function checkSuccession(bytes: Buffer, name: string): BlobContent {
  const { predecessor } = readSuccession(bytes, name);
  if (name !== successionName(keyIdOf(predecessor)))
    throw misplaced(name, "another key's", "the succession of its name");
  return { sizeBytes: bytes.length, sha256: createHash("sha256").update(bytes).digest("hex") };
}

/** A true record in a wrong place stands for another one. Kinds that are not known here are held to the id in their name. */
function assertPlace({ source, name }: CheckRequest, type: string, payload: unknown): void {
  const { id, source: from, keyId, revision } = asObject(payload);
  if (name.startsWith(KEYS_PREFIX)) {
    if (type === "resguardo-key" && name === keyName(String(keyId))) return;
    throw misplaced(name, `${type} of key ${String(keyId)}`, "the key of its name");
  }
  const fromName = typeof from === "string" ? from : asObject(from)["name"];
  const place = PLACES.find(({ placeOf }) => idOfRecord(placeOf(source), name) !== undefined);
  const isHere = place
    ? place.type === type && place.placeOf(source).nameOf(String(id)) === name
    : name.includes(String(id)) && revisionIn(source, name)?.revision === revision;
  if (isHere && fromName === source) return;
  throw misplaced(name, `${type} ${String(id)} of ${String(fromName)}`, `a record of ${source} by its name`);
}

const PLACES: readonly { type: string; placeOf: (source: string) => RecordPlace }[] = [
  { type: "resguardo-manifest", placeOf: fullPlace },
  { type: "resguardo-run", placeOf: runPlace },
];

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? { ...value } : {};
}

function misplaced(name: string, found: string, expected: string): AppError {
  return new AppError("MANIFEST_INVALID", `${name}: found ${found}, expected ${expected}`, {
    hint: "Somebody put something else in its place; `resguardo verify` heals it from another vault.",
  });
}
