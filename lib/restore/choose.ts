import { AppError } from "../core/errors.ts";

/** A backup that a vault could give back. */
export interface Candidate {
  vault: string;
  id: string;
  /** ISO 8601, UTC, with the microseconds of the source's clock. */
  consistentAt: string;
}

/** `latest`, an instant, or a backup by its id. */
export type RestorePoint = { kind: "latest" } | { kind: "time"; at: string } | { kind: "backup"; id: string };

const TIME = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?$/;

/** Reads `latest` or a time, UTC where it names no zone. Throws USAGE. */
export function parseRestorePoint(text: string): RestorePoint {
  if (text === "latest") return { kind: "latest" };
  if (!TIME.test(text) || Number.isNaN(Date.parse(withZone(text)))) {
    throw new AppError(
      "USAGE",
      `--to: found "${text}", expected "latest" or a time such as 2026-11-21T03:00:00.123456Z`,
    );
  }
  return { kind: "time", at: toMicros(withZone(text)) };
}

/**
 * The backup that brings that point back, from the first vault that has it (candidates come in the policy's order of
 * vaults). Throws NO_BACKUP, or TIME_OUTSIDE_WINDOW with the nearest instants that there are.
 */
export function chooseBackup<C extends Candidate>(source: string, candidates: readonly C[], point: RestorePoint): C {
  if (candidates.length === 0) {
    throw new AppError("NO_BACKUP", `${source}: no restorable backup in any vault that was asked`, {
      hint: `Run \`resguardo backup ${source}\`, or look with \`resguardo list ${source}\` at what is wrong with the ones there are.`,
    });
  }
  switch (point.kind) {
    case "latest":
      return candidates.reduce((best, one) => (toMicros(one.consistentAt) > toMicros(best.consistentAt) ? one : best));
    case "backup":
      return candidates.find(({ id }) => id === point.id) ?? unknownBackup(source, point.id);
    case "time":
      return (
        candidates.find(({ consistentAt }) => toMicros(consistentAt) === point.at) ??
        outside(source, candidates, point.at)
      );
  }
}

function unknownBackup(source: string, id: string): never {
  throw new AppError("NO_BACKUP", `${source}: no restorable backup "${id}" in any vault that was asked`, {
    hint: `\`resguardo list ${source}\` shows the ids.`,
  });
}

function outside(source: string, candidates: readonly Candidate[], at: string): never {
  const instants = [...new Set(candidates.map(({ consistentAt }) => toMicros(consistentAt)))].toSorted();
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
function toMicros(iso: string): string {
  const micros = (/\.(\d{1,6})/.exec(iso)?.[1] ?? "").padEnd(6, "0");
  const second = new Date(Math.floor(Date.parse(iso) / 1000) * 1000).toISOString().slice(0, 19);
  return `${second}.${micros}Z`;
}
