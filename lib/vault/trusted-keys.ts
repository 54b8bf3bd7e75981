import { createHash, type KeyObject } from "node:crypto";
import { AppError, type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import { keyIdOf, type TrustedKeys } from "./keys/key.ts";
import { followSuccessions, readSuccession, type Succession } from "./keys/succession.ts";
import { SUCCESSIONS, successionName } from "./names.ts";
import { readWhole } from "./record.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/** A succession that lies in a vault; one that can't be believed leads nowhere, and is shown. */
export type StoredSuccession =
  | { state: "valid"; name: string; sha256: string; succession: Succession }
  | { state: "invalid"; name: string; error: ErrorReport };

const MAX_SUCCESSION_BYTES = 64 * 1024;
/** A vault that is down must not hold up every job; what it says was known before, or is known to the others. */
const PATIENCE_MS = 5000;
/** A key that another process has begun to sign with is believed after this time at the latest. */
const MAX_AGE_MS = 30_000;

/** Every succession in a vault. Throws what the storage throws. */
export async function readSuccessions(vault: Vault, options: CallOptions = {}): Promise<StoredSuccession[]> {
  const found: StoredSuccession[] = [];
  for await (const { name } of vault.storage.data.list(SUCCESSIONS, options))
    found.push(await readOne(vault, name, options));
  return found;
}

async function readOne(vault: Vault, name: string, { signal }: CallOptions): Promise<StoredSuccession> {
  try {
    const bytes = await readWhole(vault, name, MAX_SUCCESSION_BYTES, signal);
    const succession = readSuccession(bytes, name);
    if (name !== successionName(keyIdOf(succession.predecessor))) throw misplaced(name);
    return { state: "valid", name, sha256: createHash("sha256").update(bytes).digest("hex"), succession };
  } catch (error: unknown) {
    if (toAppError(error).kind !== "verify") throw error;
    return { state: "invalid", name, error: reportError(error) };
  }
}

function misplaced(name: string): AppError {
  return new AppError("MANIFEST_INVALID", `${name}: found the succession of another key`, {
    hint: "Somebody put it there in place of the right one; restore that from another vault.",
  });
}

/**
 * What reads the signing keys that count: the roots, which the policy names, and all that successions in the vaults lead to from
 * them. Read anew after half a minute; what is known stays known when a vault does not answer, and the same answer is the same
 * object. Throws what `roots` throws.
 */
export function openTrust(
  vaults: readonly Vault[],
  roots: () => Promise<readonly KeyObject[]>,
  clock: Clock,
): () => Promise<TrustedKeys> {
  const known = new Map<string, Succession>();
  let trusted: TrustedKeys | undefined;
  let readAt = -Infinity;
  return async () => {
    const age = clock().getTime() - readAt;
    if (trusted && age >= 0 && age < MAX_AGE_MS) return trusted;
    const before = known.size;
    const [keys] = await Promise.all([roots(), ...vaults.map((vault) => learn(vault, known))]);
    readAt = clock().getTime();
    if (!trusted || known.size !== before) trusted = followSuccessions(keys, [...known.values()]);
    return trusted;
  };
}

async function learn(vault: Vault, known: Map<string, Succession>): Promise<void> {
  const signal = AbortSignal.timeout(PATIENCE_MS);
  try {
    for (const found of await readSuccessions(vault, { signal })) {
      if (found.state === "valid") known.set(found.sha256, found.succession);
    }
  } catch (error: unknown) {
    // Whoever can't read this in a vault can't read its records either; for those of the others, theirs counts.
    if (!signal.aborted && toAppError(error).kind !== "storage") throw error;
  }
}
