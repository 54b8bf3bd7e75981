import type { ValidBackup } from "../catalogue.ts";
import { mapInOrder } from "../map-in-order.ts";
import { dataName, dataPrefix } from "../names.ts";
import type { BlobStat, CallOptions, Tier } from "../storage/storage.ts";
import type { Vault } from "../vault.ts";

export interface TierRules {
  /** Milliseconds; absent for never. */
  coolAfterMs?: number | undefined;
  archiveAfterMs?: number | undefined;
}

const WARMTH: Readonly<Record<Tier, number>> = { hot: 3, cool: 2, cold: 1, archive: 0 };
const MOVES_IN_FLIGHT = 8;

/**
 * Moves the rows of backups that are older than the rules say to a cheaper tier, never to a dearer one. What a restore has to read
 * before it can plan (manifest, schema) stays where it is. `now` is the storage's. Returns the bytes that were moved.
 */
export async function moveTiers(
  vault: Vault,
  source: string,
  backups: readonly ValidBackup[],
  rules: TierRules,
  now: Date,
  options: CallOptions = {},
): Promise<number> {
  const { controls } = vault.storage.data;
  if (controls === undefined || (rules.coolAfterMs === undefined && rules.archiveAfterMs === undefined)) return 0;
  const rows = new Set(backups.flatMap((backup) => rowsOf(source, backup)));
  const moves: { blob: BlobStat; tier: Tier }[] = [];
  for await (const blob of vault.storage.data.list(dataPrefix(source), options)) {
    const tier = tierFor(blob, rules, now);
    if (rows.has(blob.name) && blob.tier !== undefined && WARMTH[tier] < WARMTH[blob.tier]) moves.push({ blob, tier });
  }
  await Array.fromAsync(mapInOrder(moves, MOVES_IN_FLIGHT, ({ blob, tier }) => controls.setTier(blob.name, tier)));
  return moves.reduce((bytes, { blob }) => bytes + blob.sizeBytes, 0);
}

function rowsOf(source: string, { id, content }: ValidBackup): string[] {
  return content.blobs.flatMap(({ role, name }) => (role === "rows" ? [dataName(source, id, name)] : []));
}

function tierFor({ createdAt }: BlobStat, { coolAfterMs, archiveAfterMs }: TierRules, now: Date): Tier {
  const ageMs = now.getTime() - createdAt.getTime();
  if (archiveAfterMs !== undefined && ageMs >= archiveAfterMs) return "archive";
  return coolAfterMs !== undefined && ageMs >= coolAfterMs ? "cool" : "hot";
}
