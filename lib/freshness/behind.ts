import type { SourcePolicy } from "../core/policy-schema.ts";
import { vaultsOf, type Context } from "../vault/context.ts";
import { findLackOfBackups } from "../vault/lack.ts";
import { fullPlace, idOfRecord } from "../vault/names.ts";
import type { Vault } from "../vault/vault.ts";
import type { Behind } from "./evaluate.ts";

/** What is younger may be on its way into this vault at this moment. */
const GRACE_MS = 60_000;

/**
 * What a vault lacks and another one of the source holds: all full backups, and log segments whose ids sort after `after`. Undefined
 * where it lacks nothing. Throws what its own storage throws.
 */
export async function readBehind(
  context: Context,
  vault: Vault,
  source: SourcePolicy,
  after: string,
): Promise<Behind | undefined> {
  const others = vaultsOf(context, source).filter((other) => other !== vault);
  if (others.length === 0) return undefined;
  const trusted = await context.trustedKeys();
  const { blobs } = await findLackOfBackups({ to: vault, others, source: source.name, trusted }, after);
  const until = context.clock().getTime() - GRACE_MS;
  const missing = blobs.filter(({ createdAt }) => createdAt.getTime() < until);
  const [first] = missing.map(({ createdAt }) => createdAt).toSorted((a, b) => a.getTime() - b.getTime());
  if (first === undefined) return undefined;
  const backups = missing.flatMap(({ name }) => idOfRecord(fullPlace(source.name), name) ?? []);
  return { backups, segments: missing.length - backups.length, since: first.toISOString() };
}
