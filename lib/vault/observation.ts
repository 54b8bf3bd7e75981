import { z } from "zod";
import { newId } from "../core/ids.ts";
import type { Clock } from "../core/time.ts";
import type { StateStore } from "./storage/storage.ts";

/*
 * What the watch saw of a source, as stretches of time in which nothing changed. The open one lies in the state
 * (`observed/{source}`) and becomes a signed receipt when something changes and when its hour is over. A stretch ends with the
 * last look, so time in which nobody looked is in none of them: it is counted as not observed, never as good.
 */

/** Two looks further apart than this leave a hole: nobody knows what happened in between. */
const LONGEST_LOOK_MS = 5 * 60_000;

const stretchSchema = z.object({
  from: z.iso.datetime(),
  until: z.iso.datetime(),
  looks: z.int().positive(),
  /** What was seen: `vault:primary` is a state of freshness, `service` is `up` or `down`. */
  seen: z.record(z.string(), z.string()),
});

/** From the first look until the last one, or until the look that saw something else. */
export type Stretch = z.output<typeof stretchSchema>;

/**
 * The open stretch with one more look, and the one that this look closes, if any. A look that sees a change ends the stretch at
 * its own time: the state before it lasted at most until then. Pure.
 */
function addLook(
  open: Stretch | undefined,
  seen: Record<string, string>,
  now: Date,
): { open: Stretch; closed?: Stretch } {
  const at = now.toISOString();
  const begun = { from: at, until: at, looks: 1, seen };
  if (!open) return { open: begun };
  const gapMs = now.getTime() - Date.parse(open.until);
  // Also a clock that was set back ends it.
  if (gapMs > LONGEST_LOOK_MS || gapMs < 0) return { open: begun, closed: open };
  const longer = { ...open, until: at, looks: open.looks + 1 };
  if (!isSame(open.seen, seen)) return { open: begun, closed: longer };
  return hourOf(open.from) === hourOf(at) ? { open: longer } : { open: begun, closed: longer };
}

function isSame(one: Record<string, string>, other: Record<string, string>): boolean {
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => one[key] === other[key]);
}

function hourOf(time: string): string {
  return time.slice(0, "2026-11-22T03".length);
}

/**
 * Keeps a look, and has `record` write the stretch that it closed. The record comes first: a crash in between repeats it under the
 * same times, which readers count once. Throws STATE_CONFLICT when another watch was faster, and what `record` throws.
 */
export async function keepLook(
  store: StateStore,
  source: string,
  seen: Record<string, string>,
  clock: Clock,
  record: (id: string, stretch: Stretch) => Promise<void>,
): Promise<void> {
  const key = `observed/${source}`;
  const stored = await store.get(key);
  const now = clock();
  const { open, closed } = addLook(stored && parse(stored.value), seen, now);
  if (closed) await record(newId(now), closed);
  await store.put(key, Buffer.from(JSON.stringify(open)), stored ? { etag: stored.etag } : "absent");
}

function parse(value: Buffer): Stretch | undefined {
  try {
    return stretchSchema.safeParse(JSON.parse(value.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
