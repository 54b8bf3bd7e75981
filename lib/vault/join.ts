import { createHash } from "node:crypto";
import { z } from "zod";
import { toAppError } from "../core/errors.ts";
import { joinSchema } from "./manifest.ts";
import { mapInOrder } from "./map-in-order.ts";
import { idOfRecord, idStart, type RecordPlace } from "./names.ts";
import { MAX_RECORD_BYTES, readWhole } from "./record.ts";
import type { BlobStat } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/*
 * Jobs of one source end at the same moment, and a long run's record sorts before those of short ones that ended earlier. By
 * "the newest one before it" alone such a record is named by nobody, and could be removed unseen. So each record names all
 * heads of the chain. Whoever writes looks at the record that appeared last: what appeared before the instant it gives is named
 * by it or by what it names; all the rest is named now. Mostly that is one or two records.
 */

/** How far back a record that was written late may sort. */
const LOOK_BACK_MS = 40 * 86_400_000;
/** Many appear at once where a vault was away and got copies: the next records name the rest, `seenUntil` says how far it got. */
const MAX_NAMED = 64;
const READS_IN_FLIGHT = 8;

export type Join = z.output<typeof joinSchema>;

/** What a record that is written now has to say of a vault. Empty for the first one. */
export async function findJoin(vault: Vault, place: RecordPlace, now: Date): Promise<Join> {
  const after = `${place.prefix}${idStart(new Date(now.getTime() - LOOK_BACK_MS))}`;
  const stats = await Array.fromAsync(vault.storage.data.list(place.prefix, { after }));
  const appeared = stats
    .filter(({ name }) => idOfRecord(place, name) !== undefined)
    .toSorted((a, b) => a.createdAt.getTime() - b.createdAt.getTime());
  const last = appeared.at(-1);
  if (last === undefined) return {};
  const seenUntil = await seenBy(vault, last);
  const unnamed = appeared.filter(({ createdAt }) => createdAt.getTime() >= seenUntil);
  const named = unnamed.slice(0, MAX_NAMED);
  const hashes = await Array.fromAsync(mapInOrder(named, READS_IN_FLIGHT, ({ name }) => hashOf(vault, name)));
  const until = (named.at(-1) ?? last).createdAt;
  return { also: hashes.filter((hash) => hash !== undefined), seenUntil: until.toISOString() };
}

async function hashOf(vault: Vault, name: string): Promise<string | undefined> {
  try {
    return createHash("sha256")
      .update(await readWhole(vault, name, MAX_RECORD_BYTES))
      .digest("hex");
  } catch (error: unknown) {
    // Retention removes old ones meanwhile, and what is too long is no record: both are told by whoever verifies.
    if (toAppError(error).kind !== "verify") throw error;
    return undefined;
  }
}

/** Milliseconds since 1970. A record can't have seen what came after it, whatever somebody wrote there. */
async function seenBy(vault: Vault, { name, createdAt }: BlobStat): Promise<number> {
  const said = claimIn(await readWhole(vault, name, MAX_RECORD_BYTES), vault.name);
  return said === undefined ? -Infinity : Math.min(Date.parse(said), createdAt.getTime());
}

const claimSchema = z.object({ vaults: z.array(joinSchema.extend({ name: z.string() })) });

/** Not verified here: a false claim leaves heads unnamed, which a verification tells. */
function claimIn(bytes: Buffer, vaultName: string): string | undefined {
  try {
    const { payload } = Object(JSON.parse(bytes.toString("utf8")));
    const claim = claimSchema.parse(JSON.parse(Buffer.from(String(payload), "base64url").toString("utf8")));
    return claim.vaults.find(({ name }) => name === vaultName)?.seenUntil;
  } catch {
    return undefined;
  }
}
