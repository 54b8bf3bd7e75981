import { type ErrorReport, toAppError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import { type BlobContent, checked, checkFor, type Expected } from "./blob-check.ts";
import { compareBlob } from "./compare-blob.ts";
import { signEnvelope } from "./envelope.ts";
import type { TrustedKeys } from "./keys/key.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import { quarantineName } from "./names.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

export interface QuarantineRequest extends CallOptions {
  vault: Vault;
  source: string;
  name: string;
  /** The bytes that were found there. */
  found: BlobContent;
  expected: Expected;
  reason: ErrorReport;
  trusted: TrustedKeys;
  signer: SessionSigner;
  clock: Clock;
}

/**
 * Takes a bad blob out of its place: its bytes are kept aside and read back, a signed note beside them says what and why, and
 * only then is it removed. Repeated after any interruption, it does what is left. Returns where the bytes lie. Throws BLOB_DAMAGED
 * when the blob changes meanwhile, and what the storage throws: STORAGE_REFUSED where the right to remove is missing.
 */
export async function quarantineBlob(request: QuarantineRequest): Promise<string> {
  const { vault, source, name, found, trusted, signal } = request;
  const { data } = vault.storage;
  const options = signal ? { signal } : {};
  const aside = quarantineName(name, found.sha256);
  const check = checkFor({ vault: vault.name, source, name, expected: found, trusted });
  await ifAbsent(() => data.create(aside, checked(data.read(name, undefined, options), check), options));
  await compareBlob({ vault, name: aside, offset: 0 }, found, { signal, onRead: () => {} });
  const note = await signNote(request);
  await ifAbsent(() => data.create(`${aside}.json`, note, options));
  await data.remove(name);
  return aside;
}

function signNote({ vault, source, name, found, expected, reason, signer, clock }: QuarantineRequest): Promise<Buffer> {
  const content = {
    format: "resguardo-quarantine",
    version: 1,
    source,
    blob: name,
    vault: vault.name,
    found,
    expected,
    reason,
    at: clock().toISOString(),
  };
  return signEnvelope("resguardo-quarantine", content, signer, clock);
}

async function ifAbsent(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error: unknown) {
    if (toAppError(error).code !== "BLOB_EXISTS") throw error;
  }
}
