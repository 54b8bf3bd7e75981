import { z } from "zod";
import { toAppError } from "../core/errors.ts";
import { retry } from "../core/retry.ts";
import { listRunRecords, type RunQuery } from "../vault/run-record.ts";
import type { StateRecord } from "../vault/storage/storage.ts";
import { encodeNamePart } from "../vault/storage/blob-name.ts";

/*
 * What the newest drills of a source measured, in `measured-restores/{source}` of a vault's state: a cache over their run
 * records. Where it is absent or damaged it is made again from them, so losing it costs a listing and no truth.
 */

const amount = z.number().nonnegative();
const measuredSchema = z.object({
  /** Id of the run. */
  run: z.string(),
  /** Of the full backup. */
  plainBytes: amount,
  /** From the first statement to the end of the comparison. */
  loadSeconds: amount,
  logBytes: amount,
  transactions: amount,
  replaySeconds: amount,
});
const documentSchema = z.array(measuredSchema);
const figuresSchema = z.object({
  plainBytes: amount,
  rtoSeconds: amount,
  logBytes: amount.nullable(),
  transactions: amount.nullable(),
  replaySeconds: amount.default(0),
});

export type MeasuredRestore = z.output<typeof measuredSchema>;

const KEPT = 5;

/** What the receipt of a drill says of its time; undefined for the figures of anything else. */
export function measuredBy(run: string, figures: unknown): MeasuredRestore | undefined {
  const { data } = figuresSchema.safeParse(figures);
  if (data === undefined) return undefined;
  const { rtoSeconds, plainBytes, logBytes, transactions, replaySeconds } = data;
  const loadSeconds = Math.max(0, rtoSeconds - replaySeconds);
  return { run, plainBytes, loadSeconds, logBytes: logBytes ?? 0, transactions: transactions ?? 0, replaySeconds };
}

/** The newest measured restores of a source, newest last. */
export async function readMeasured(query: RunQuery): Promise<MeasuredRestore[]> {
  const record = await query.vault.storage.state.get(keyOf(query));
  const known = parse(record);
  if (known !== undefined) return known;
  const rebuilt = await rebuild(query);
  try {
    await put(query, rebuilt, record);
  } catch (error: unknown) {
    // A reader without the right to write state, or one that another was faster than, has its answer all the same.
    if (toAppError(error).kind !== "storage") throw error;
  }
  return rebuilt;
}

/** Adds what a drill measured. */
export async function rememberMeasured(query: RunQuery, measured: MeasuredRestore): Promise<void> {
  await retry(
    async () => {
      const record = await query.vault.storage.state.get(keyOf(query));
      const before = parse(record) ?? (await rebuild(query));
      const others = before.filter(({ run }) => run !== measured.run);
      await put(query, newest([...others, measured]), record);
    },
    { deadlineMs: 20_000 },
  );
}

async function rebuild(query: RunQuery): Promise<MeasuredRestore[]> {
  const found: MeasuredRestore[] = [];
  for (const run of await listRunRecords(query)) {
    if (run.state !== "valid" || !run.content.job.startsWith("drill")) continue;
    const { figures, checks } = run.content.details;
    const measured = isPassed(checks) ? measuredBy(run.id, figures) : undefined;
    if (measured !== undefined) found.push(measured);
  }
  return newest(found);
}

const checksSchema = z.array(z.object({ ok: z.boolean() })).nonempty();

/** What differed was not replayed to its end. */
function isPassed(checks: unknown): boolean {
  return checksSchema.safeParse(checks).data?.every(({ ok }) => ok) ?? false;
}

/** Ids start with the time of their run. */
function newest(measured: readonly MeasuredRestore[]): MeasuredRestore[] {
  return measured.toSorted((a, b) => (a.run < b.run ? -1 : 1)).slice(-KEPT);
}

function parse(record: StateRecord | undefined): MeasuredRestore[] | undefined {
  if (record === undefined) return undefined;
  try {
    return documentSchema.safeParse(JSON.parse(record.value.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}

async function put({ vault, source }: RunQuery, measured: MeasuredRestore[], record?: StateRecord): Promise<void> {
  const value = Buffer.from(JSON.stringify(measured));
  await vault.storage.state.put(keyOf({ source }), value, record ? { etag: record.etag } : "absent");
}

function keyOf({ source }: Pick<RunQuery, "source">): string {
  return `measured-restores/${encodeNamePart(source)}`;
}
