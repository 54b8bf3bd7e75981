import { type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import type { Expected } from "./blob-check.ts";
import { copyBlob } from "./copy-blob.ts";
import { type DamageStatement, readDamage, writeDamage } from "./damage.ts";
import { type Inspection, inspectBlob } from "./inspect.ts";
import type { TrustedKeys } from "./keys/key.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import { idOfBlob } from "./names.ts";
import { quarantineBlob } from "./quarantine.ts";
import { rebuildMerged, type Rebuilt, writeRebuilt } from "./rebuild-merged.ts";
import { isGoneForGood, listRemovals } from "./removal.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/*
 * bad -> a good copy is found in another vault, or for merged log in parts -> kept aside with a note -> removed -> created again, read back -> said: healed
 *     -> none is found, or the storage refuses -> said: bad, and nothing that needs the blob is offered any more
 * Nothing is removed before a good copy was read whole. Killed at any step, the blob is bad or missing, and the next look heals it.
 */

export interface HealRequest extends CallOptions {
  vault: Vault;
  /** The other vaults of the source. */
  others: readonly Vault[];
  source: string;
  /** Of the blob. */
  name: string;
  /** What a valid manifest says of a data blob; `record` for what carries its own signature: any JSON record, a log segment. */
  expected: Expected;
  /** What whoever asks has found wrong. */
  reason: ErrorReport;
  trusted: TrustedKeys;
  signer: SessionSigner;
  clock: Clock;
}

export type HealOutcome =
  /** It is what it should be by now. */
  | { state: "good" }
  /** It was removed on purpose, by a signed announcement in that vault: nothing is brought back. */
  | { state: "removed" }
  /** Replaced by the copy of the vault `from` (or put together from the vaults that are named there), and read back. `quarantine` is where the bad bytes lie, if there were any. */
  | { state: "healed"; from: string; quarantine?: string }
  /** It could be good again: another vault can't be asked, or this one refuses. Not offered until then. */
  | { state: "unhealed"; error: ErrorReport }
  /** Bad or missing in every vault: only a new backup brings back what it was for. */
  | { state: "lost"; error: ErrorReport };

/**
 * Makes one blob of one vault what it should be, from another vault, and leaves signed records of what was found and done.
 * Where it can't, that is the outcome, and is said in the vaults. Throws what this vault's storage throws on being read, the
 * signal's reason, and where no vault takes the record.
 */
export async function healBlob(request: HealRequest): Promise<HealOutcome> {
  const found = await inspectBlob(request);
  if (found.state === "good") {
    await takeBack(request, "healed");
    return { state: "good" };
  }
  if (await wasRemoved(request)) {
    await takeBack(request, "removed");
    return { state: "removed" };
  }
  const search = await findGood(request);
  const good = search.good ?? (await rebuildMerged(request));
  if (good === undefined) return giveUp(request, search);
  try {
    return await replace(request, found, good);
  } catch (error: unknown) {
    request.signal?.throwIfAborted();
    if (!["storage", "verify"].includes(toAppError(error).kind)) throw error;
    return giveUp(request, { badIn: [], error });
  }
}

async function wasRemoved(request: HealRequest): Promise<boolean> {
  const id = idOfBlob(request.source, request.name);
  return id !== undefined && isGoneForGood((await listRemovals({ ...request, wanted: [id] })).get(id));
}

async function replace(request: HealRequest, found: Inspection, good: Vault | Rebuilt): Promise<HealOutcome> {
  const { vault } = request;
  const quarantine = found.state === "bad" ? await quarantineBlob({ ...request, found: found.content }) : undefined;
  let from: string;
  if ("storage" in good) {
    await copyBlob({ ...request, from: good, to: vault });
    from = good.name;
  } else from = await writeRebuilt(request);
  const how = { from, ...(quarantine !== undefined && { quarantine }) };
  await say(request, { state: "healed", where: [vault.name], ...how });
  return { state: "healed", ...how };
}

interface Search {
  good?: Vault;
  /** The other vaults in which it is bad or missing as well. */
  badIn: string[];
  /** Why one of them could not be asked. */
  error?: unknown;
}

async function findGood(request: HealRequest): Promise<Search> {
  const search: Search = { badIn: [] };
  for (const vault of request.others) {
    try {
      const { state } = await inspectBlob({ ...request, vault });
      if (state === "good") return { ...search, good: vault };
      if (!(await wasRemoved({ ...request, vault }))) search.badIn.push(vault.name);
    } catch (error: unknown) {
      request.signal?.throwIfAborted();
      if (toAppError(error).kind !== "storage") throw error;
      search.error = error;
    }
  }
  return search;
}

async function giveUp(request: HealRequest, { badIn, error }: Search): Promise<HealOutcome> {
  const where = [request.vault.name, ...badIn];
  const unhealed = error === undefined ? undefined : reportError(error);
  const known = (await readDamage(request)).get(request.name);
  const isSaid = known !== undefined && where.every((vault) => known.where.includes(vault));
  if (!isSaid) await say(request, { state: "bad", where, ...(unhealed && { unhealed: pick(unhealed) }) });
  return unhealed ? { state: "unhealed", error: unhealed } : { state: "lost", error: request.reason };
}

/** What was said to be bad and is not, or not any more. */
async function takeBack(request: HealRequest, state: "healed" | "removed"): Promise<void> {
  if (!(await readDamage(request)).has(request.name)) return;
  await say(request, { state, where: [request.vault.name] });
}

async function say(
  { vault, others, source, name, reason, signer, clock }: HealRequest,
  statement: Pick<DamageStatement, "state" | "where" | "unhealed" | "from" | "quarantine">,
): Promise<void> {
  const vaults = [vault, ...others];
  await writeDamage({ source, blob: name, reason: pick(reason), ...statement }, { vaults, signer, clock });
}

function pick({ code, message }: ErrorReport): Pick<ErrorReport, "code" | "message"> {
  return { code, message };
}
