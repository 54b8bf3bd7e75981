import { z } from "zod";
import type { StateRecord, StateStore } from "../vault/storage/storage.ts";
import type { Run, WorkOutcome } from "./receipt.ts";

/*
 * Shipping runs each minute, and a million receipts in two years prove no more than the signed segments that it writes. A run
 * that has nothing special to tell is counted in the state (`tally/{source}/ship`), and the first receipt of the next hour, or
 * of a run that has something to tell, signs the count:
 *   receipt -> runs are counted -> receipt with the count of the runs since the last one
 * A crash between a receipt and the new count repeats that count under the same `from`; a count that was lost costs a receipt.
 */

const amount = z.number().nonnegative();
const tallySchema = z.object({
  /** End of the run whose receipt came before. */
  from: z.iso.datetime(),
  until: z.iso.datetime(),
  runs: z.int().nonnegative(),
  transactions: amount,
  segments: amount,
  plainBytes: amount,
  storedBytes: amount,
  seconds: amount,
});

/** Runs that a receipt counts, after the one before it. */
export type Tally = z.output<typeof tallySchema>;

export interface OpenTally {
  counted: Tally | undefined;
  /** Whether the run needs no receipt of its own. */
  takes(run: Run, outcome: WorkOutcome): boolean;
  add(outcome: WorkOutcome, finishedAt: Date): Promise<void>;
  /** After a receipt that told the count. */
  restart(finishedAt: Date): Promise<void>;
}

const COUNTED = ["transactions", "segments", "plainBytes", "storedBytes", "seconds"] as const;

/** The count of a source's ship runs. Only to be used under their lease. Throws what the store throws. */
export async function openTally(store: StateStore, source: string): Promise<OpenTally> {
  const key = `tally/${source}/ship`;
  const stored = await store.get(key);
  const counted = stored && parse(stored);
  const put = async (tally: Tally): Promise<void> => {
    await store.put(key, Buffer.from(JSON.stringify(tally)), stored ? { etag: stored.etag } : "absent");
  };
  return {
    counted,
    takes: (run, outcome) => counted !== undefined && isSameHour(counted.from, run.startedAt) && isQuiet(run, outcome),
    add: async ({ result }, finishedAt) => {
      if (counted === undefined) return;
      const sums = COUNTED.map((name) => [name, counted[name] + Number(result.figures[name] ?? 0)]);
      const until = finishedAt.toISOString();
      await put({ ...counted, ...Object.fromEntries(sums), runs: counted.runs + 1, until });
    },
    restart: async (finishedAt) => {
      const at = finishedAt.toISOString();
      const nothing = { transactions: 0, segments: 0, plainBytes: 0, storedBytes: 0, seconds: 0 };
      await put({ from: at, until: at, runs: 0, ...nothing });
    },
  };
}

/** A timer asked for it, it was done, and it found no gap, no vault behind and no broken connection. */
function isQuiet({ message, attempt }: Run, { state, result }: WorkOutcome): boolean {
  const { gaps, behind, reconnects } = result.figures;
  const isPlain = gaps === null && behind === null && reconnects === 0 && (result.followUps ?? []).length === 0;
  return message.dueAt !== undefined && attempt === 1 && state === "done" && isPlain;
}

function isSameHour(from: string, startedAt: Date): boolean {
  const hour = "2026-11-22T03".length;
  return from.slice(0, hour) === startedAt.toISOString().slice(0, hour);
}

function parse({ value }: StateRecord): Tally | undefined {
  try {
    return tallySchema.safeParse(JSON.parse(value.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
