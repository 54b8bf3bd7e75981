import { createHash } from "node:crypto";
import { type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import { readBlobBytes } from "./blob-bytes.ts";
import { type BlobContent, checkFor, type Expected } from "./blob-check.ts";
import type { TrustedKeys } from "./keys/key.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

export interface InspectRequest extends CallOptions {
  vault: Vault;
  source: string;
  /** Of the blob. */
  name: string;
  expected: Expected;
  trusted: TrustedKeys;
}

/** What lies under a name. `content` is that of the bytes that were found. */
export type Inspection =
  | { state: "good"; content: BlobContent }
  | { state: "bad"; content: BlobContent; error: ErrorReport }
  | { state: "missing"; error: ErrorReport };

/**
 * Reads a blob whole, or a segment where it lies in a merged one, and judges it. Throws what the storage throws, and MANIFEST_VERSION: a record of a newer version is not
 * judged by an older one.
 */
export async function inspectBlob(request: InspectRequest): Promise<Inspection> {
  const { vault, name } = request;
  const check = checkFor({ ...request, vault: vault.name });
  const hash = createHash("sha256");
  let sizeBytes = 0;
  let wrong: unknown;
  try {
    for await (const piece of readBlobBytes(request, name)) {
      hash.update(piece);
      sizeBytes += piece.length;
      // What is wrong may be seen early; the rest is read for the hash of what was found.
      if (wrong === undefined) wrong = problemOf(() => check.update(piece));
    }
  } catch (error: unknown) {
    if (toAppError(error).code !== "BLOB_MISSING") throw error;
    return { state: "missing", error: reportError(error) };
  }
  const content = { sizeBytes, sha256: hash.digest("hex") };
  wrong ??= problemOf(() => check.finish());
  return wrong === undefined ? { state: "good", content } : { state: "bad", content, error: reportError(wrong) };
}

function problemOf(step: () => unknown): unknown {
  try {
    step();
    return undefined;
  } catch (error: unknown) {
    const { kind, code } = toAppError(error);
    if (kind !== "verify" || code === "MANIFEST_VERSION") throw error;
    return error;
  }
}
