import { AppError } from "../core/errors.ts";
import type { Finding, LogObstacle, LogSurvey } from "../sources/engine.ts";

const SHOWN = 5;

/** Throws RESTORE_FAILED for what of a log can't be replayed, and TARGET_UNSUITABLE or SOURCE_GRANT_MISSING for what it lacks. */
export function assertReplayable(survey: LogSurvey, leavesOut: boolean): void {
  const left = stopping(survey.obstacles, leavesOut);
  if (left.length > 0) throw new AppError("RESTORE_FAILED", listObstacles(survey, left), { hint: hintFor(left) });
  const unmet = survey.findings.filter(({ ok, level }) => ok === false && level === "required");
  if (unmet.length === 0) return;
  const list = unmet.map(({ setting, found, required }) => `${setting} is ${found}, required ${required}`);
  const changes = unmet.flatMap(({ change }) => change ?? []);
  throw new AppError(codeOf(unmet), `the target can't take the log: ${list.join("; ")}`, {
    hint: `Run on the target: ${changes.join("; ")}.`,
  });
}

/** What a replay would stop at. */
export function stopping(obstacles: readonly LogObstacle[], leavesOut: boolean): LogObstacle[] {
  return obstacles.filter(({ canBeLeftOut }) => !leavesOut || !canBeLeftOut);
}

function listObstacles({ obstacles, obstacleCount }: LogSurvey, left: readonly LogObstacle[]): string {
  const shown = left.slice(0, SHOWN).map(({ transaction, reason }) => `${transaction}: ${reason}`);
  const count = left.length + (obstacleCount - obstacles.length);
  const more = count - shown.length;
  return `${count} logged statements can't be replayed: ${shown.join("; ")}${more > 0 ? `; and ${more} more` : ""}`;
}

function hintFor(left: readonly LogObstacle[]): string {
  return left.every(({ canBeLeftOut }) => canBeLeftOut)
    ? "`--dry-run` lists them all. Restore without renaming, restore up to before the first of them, or leave them out with --leave-out."
    : "`--dry-run` lists them all. Restore up to before the first of them, or from another full backup with --backup and --to.";
}

function codeOf(unmet: readonly Finding[]): "SOURCE_GRANT_MISSING" | "TARGET_UNSUITABLE" {
  return unmet.every(({ code }) => code === "SOURCE_GRANT_MISSING") ? "SOURCE_GRANT_MISSING" : "TARGET_UNSUITABLE";
}
