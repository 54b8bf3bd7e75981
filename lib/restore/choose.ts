import { AppError } from "../core/errors.ts";
import type { PlaceOfTransaction } from "../sources/engine.ts";

/** A full backup that a vault could give back. */
export interface Candidate {
  vault: string;
  id: string;
  /** ISO 8601, UTC, with the microseconds of the source's clock. */
  consistentAt: string;
}

/** An interval of one vault in which every instant can be restored. */
export interface CandidateWindow<C extends Candidate = Candidate> {
  from: string;
  until: string;
  /** Oldest first. */
  fulls: readonly C[];
}

/** `latest`, an instant, the edge of a transaction, or a full backup alone by its id. */
export type RestorePoint =
  | { kind: "latest" }
  | { kind: "time"; at: string }
  | { kind: "before" | "after"; transaction: string }
  | { kind: "backup"; id: string };

/** What brings a point back: a full backup, and the window whose log leads on from it. */
export interface Choice<C extends Candidate, W extends CandidateWindow<C>> {
  full: C;
  window: W;
}

const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?$/;

/** Reads `latest`, a time, UTC where it names no zone, or `before:` and `after:` with a transaction. Throws USAGE. */
export function parseRestorePoint(text: string): RestorePoint {
  if (text === "latest") return { kind: "latest" };
  const [, kind, transaction] = /^(before|after):(.+)$/s.exec(text) ?? [];
  if ((kind === "before" || kind === "after") && transaction !== undefined) return { kind, transaction };
  if (!TIME.test(text) || Number.isNaN(Date.parse(withZone(text)))) {
    throw new AppError(
      "USAGE",
      `--to: found "${text}", expected "latest", a time such as 2026-11-21T03:00:00.123456Z, before:GTID or after:GTID`,
    );
  }
  return { kind: "time", at: toMicros(withZone(text)) };
}

/** The text that `parseRestorePoint` reads, in its one form; `backup:ID` for a full backup alone. */
export function formatRestorePoint(point: RestorePoint): string {
  if (point.kind === "latest") return "latest";
  if (point.kind === "time") return point.at;
  return `${point.kind}:${point.kind === "backup" ? point.id : point.transaction}`;
}

/**
 * The newest full backup from which that point is reached, from the first vault that reaches it (windows come in the policy's
 * order of vaults). Throws NO_BACKUP, or TIME_OUTSIDE_WINDOW with the nearest instants that there are.
 */
export function choosePoint<C extends Candidate, W extends CandidateWindow<C>>(
  source: string,
  windows: readonly W[],
  point: RestorePoint,
  placeOf: (transaction: string, full: C, window: W) => PlaceOfTransaction,
): Choice<C, W> {
  const choices = windows.flatMap((window) => window.fulls.toReversed().map((full) => ({ full, window })));
  const [first] = choices;
  if (first === undefined) {
    throw new AppError("NO_BACKUP", `${source}: no restorable backup in any vault that was asked`, {
      hint: `Run \`resguardo backup ${source}\`, or look with \`resguardo list ${source}\` at what is wrong with the ones there are.`,
    });
  }
  switch (point.kind) {
    case "latest":
      return choices.reduce((best, one) => (isBetterEnd(one, best) ? one : best), first);
    case "backup":
      return choices.find(({ full }) => full.id === point.id) ?? unknownBackup(source, point.id);
    case "time":
      return choices.find((choice) => reaches(choice, point.at)) ?? outside(source, windows, point.at);
    case "before":
    case "after":
      return chooseTransaction(source, choices, point.transaction, placeOf);
  }
}

function isBetterEnd(one: Choice<Candidate, CandidateWindow>, best: Choice<Candidate, CandidateWindow>): boolean {
  return toMicros(one.window.until) > toMicros(best.window.until);
}

function reaches({ full, window }: Choice<Candidate, CandidateWindow>, at: string): boolean {
  return toMicros(full.consistentAt) <= at && at <= toMicros(window.until);
}

function chooseTransaction<C extends Candidate, W extends CandidateWindow<C>>(
  source: string,
  choices: readonly Choice<C, W>[],
  transaction: string,
  placeOf: (transaction: string, full: C, window: W) => PlaceOfTransaction,
): Choice<C, W> {
  const places = choices.map((choice) => ({ choice, place: placeOf(transaction, choice.full, choice.window) }));
  const found = places.find(({ place }) => place === "log");
  if (found !== undefined) return found.choice;
  const reason = places.some(({ place }) => place === "full")
    ? "is in the oldest full backup already, and no log leads to it"
    : "is in none of the logs";
  throw new AppError("TIME_OUTSIDE_WINDOW", `${source}: transaction ${transaction} ${reason}`, {
    hint: `\`resguardo window ${source}\` shows what can be restored.`,
  });
}

function unknownBackup(source: string, id: string): never {
  throw new AppError("NO_BACKUP", `${source}: no restorable backup "${id}" in any vault that was asked`, {
    hint: `\`resguardo list ${source}\` shows the ids.`,
  });
}

function outside(source: string, windows: readonly CandidateWindow[], at: string): never {
  const instants = [...new Set(windows.flatMap(({ from, until }) => [toMicros(from), toMicros(until)]))].toSorted();
  const before = instants.findLast((instant) => instant < at);
  const after = instants.find((instant) => instant > at);
  const nearest = [before, after].filter((instant) => instant !== undefined).join(" and ");
  throw new AppError("TIME_OUTSIDE_WINDOW", `${source}: ${at} lies outside every recovery window`, {
    hint: `The nearest instants that can be restored: ${nearest}. \`resguardo window ${source}\` shows all of them.`,
  });
}

function withZone(text: string): string {
  const iso = text.replace(" ", "T");
  return /(?:Z|[+-]\d\d:\d\d)$/.test(iso) ? iso : `${iso}Z`;
}

/** ISO 8601 in UTC with six decimals: text of equal length, so that comparing texts compares instants. */
export function toMicros(iso: string): string {
  const micros = (/\.(\d{1,6})/.exec(iso)?.[1] ?? "").padEnd(6, "0");
  const second = new Date(Math.floor(Date.parse(iso) / 1000) * 1000).toISOString().slice(0, 19);
  return `${second}.${micros}Z`;
}
