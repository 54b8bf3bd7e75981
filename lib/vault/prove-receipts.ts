import { checkChain, type ChainReport } from "./chain.ts";
import type { TrustedKeys } from "./keys/key.ts";
import { readNewestProofs } from "./proofs-record.ts";
import { followRuns, type RunChain } from "./run-chain.ts";
import { listRunRecords, type RunRecordEntry } from "./run-record.ts";
import { listRemovalRecords, listRemovals } from "./removal.ts";
import type { CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

export interface ReceiptsQuery extends CallOptions {
  vaults: readonly Vault[];
  /** Names of the sources; those that a vault holds nothing of are reported as empty. */
  sources: readonly string[];
  trusted: TrustedKeys;
  now: Date;
}

/** What can be said of the receipts of one source in one vault. */
export interface ProvenReceipts extends RunChain {
  source: string;
  vault: string;
  /** Start of the newest record, by its id; null where there is none. */
  newest: string | null;
  /** Removal records whose predecessor is gone or different: what they announced can't be looked up any more. */
  brokenRemovals: ChainReport["broken"];
  /** The newest run that the newest ledger of proofs saw, where it is neither there nor announced as removed. */
  lostSinceProof: string | null;
  /** Ids that another of the given vaults holds, and this one neither holds nor announced as removed. */
  absent: string[];
}

export interface ReceiptsProof {
  /** Nothing was found to be removed, changed, inserted or absent. */
  ok: boolean;
  receipts: ProvenReceipts[];
}

/** Ids that were written this recently may still be on their way into the other vaults. */
const ON_THE_WAY_MS = 10 * 60_000;

/**
 * Proves the chains of all run records with public keys alone, and compares the vaults with each other. Problems are data; throws
 * what the storage throws.
 */
export async function proveReceipts(query: ReceiptsQuery): Promise<ReceiptsProof> {
  const receipts: ProvenReceipts[] = [];
  for (const source of query.sources) receipts.push(...(await proveSource(query, source)));
  return { ok: receipts.every(isWhole), receipts };
}

function isWhole({ problems, brokenRemovals, lostSinceProof, absent }: ProvenReceipts): boolean {
  return problems.length + brokenRemovals.length + absent.length === 0 && lostSinceProof === null;
}

async function proveSource(query: ReceiptsQuery, source: string): Promise<ProvenReceipts[]> {
  const read = await Promise.all(
    query.vaults.map(async (vault) => ({ vault, entries: await listRunRecords({ ...query, vault, source }) })),
  );
  const proven: ProvenReceipts[] = [];
  for (const { vault, entries } of read) {
    const others = read.filter((other) => other.vault !== vault);
    proven.push(
      await proveVault(
        { ...query, vault, source },
        entries,
        others.flatMap((other) => other.entries),
      ),
    );
  }
  return withoutCopies(proven);
}

interface VaultQuery extends ReceiptsQuery {
  vault: Vault;
  source: string;
}

async function proveVault(
  query: VaultQuery,
  entries: readonly RunRecordEntry[],
  elsewhere: readonly RunRecordEntry[],
): Promise<ProvenReceipts> {
  const { vault, source, now } = query;
  const chain = await followRuns(entries, query);
  const removals = await listRemovalRecords(query);
  const present = new Set(entries.map(({ id }) => id));
  const settled = elsewhere.filter(
    (entry) => entry.state === "valid" && now.getTime() - Date.parse(entry.signedAt) > ON_THE_WAY_MS,
  );
  const missing = new Set(settled.flatMap(({ id }) => (present.has(id) ? [] : [id])));
  const lost = await findLost(query, present);
  const wanted = [...missing, ...(lost === null ? [] : [lost])];
  const announced = await listRemovals({ ...query, wanted });
  return {
    source,
    vault: vault.name,
    newest: entries.at(-1)?.id ?? null,
    ...chain,
    brokenRemovals: checkChain(removals, vault.name).broken,
    lostSinceProof: lost !== null && announced.has(lost) ? null : lost,
    absent: [...missing].filter((id) => !announced.has(id)).toSorted(),
  };
}

/** A ledger of proofs names the newest run that it saw: its removal shows although no later run names it. */
async function findLost(query: VaultQuery, present: ReadonlySet<string>): Promise<string | null> {
  const ledger = await readNewestProofs(query);
  const state = ledger?.content.states.find(({ vault }) => vault === query.vault.name);
  const run = state?.places["runs"]?.newest ?? null;
  return run !== null && !present.has(run) ? run : null;
}

/** What came late into one vault and stands in order in another one was copied, not put there. */
function withoutCopies(proven: readonly ProvenReceipts[]): ProvenReceipts[] {
  return proven.map((receipts) => {
    const isInOrderElsewhere = (id: string) =>
      proven.some(
        (other) =>
          other !== receipts &&
          other.records > 0 &&
          !other.absent.includes(id) &&
          !other.problems.some((problem) => problem.id === id),
      );
    const isCopy = ({ fault, id }: RunChain["problems"][number]) => fault === "late" && isInOrderElsewhere(id);
    const copies = receipts.problems.filter(isCopy).length;
    return {
      ...receipts,
      copied: receipts.copied + copies,
      problems: receipts.problems.filter((problem) => !isCopy(problem)),
    };
  });
}

/** The sources that a vault holds something of, in their order. Throws what the storage throws. */
export async function sourcesIn(vault: Vault): Promise<string[]> {
  const found: string[] = [];
  let after = "";
  for (;;) {
    const next = await firstName(vault, after);
    if (next === undefined) return found.filter((name) => name !== "keys" && name !== "quarantine");
    const [folder = ""] = next.split("/");
    found.push(folder);
    // No allowed character sorts after "~".
    after = `${folder}/~`;
  }
}

async function firstName(vault: Vault, after: string): Promise<string | undefined> {
  for await (const { name } of vault.storage.data.list("", { after })) return name;
  return undefined;
}
