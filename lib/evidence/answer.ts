import { type ErrorReport, reportError, toAppError, AppError } from "../core/errors.ts";
import type { Context } from "../vault/context.ts";
import { collectEvidence, type EvidenceReport } from "./report.ts";

export interface EvidenceAnswer {
  /** 200 whole and proven; 206 incomplete, or a chain that can't be proven; 400 no period; 503 it could not be read. */
  status: 200 | 206 | 400 | 503;
  body: EvidenceReport | { error: ErrorReport };
}

/** Answers `GET /api/evidence?from=…&to=…`; without them, the last 31 days. Never throws. */
export async function evidenceAnswer(
  open: () => Promise<Context>,
  { from, to }: { from?: string | undefined; to?: string | undefined },
): Promise<EvidenceAnswer> {
  try {
    const context = await open();
    const now = context.clock();
    const end = to === undefined ? now : instantOf(to, "to");
    const start = from === undefined ? new Date(end.getTime() - 31 * 86_400_000) : instantOf(from, "from");
    const { report } = await collectEvidence(context, { from: start, to: end });
    const isWhole = report.chain.ok && report.invalid.length + report.unreadable.length === 0;
    return { status: isWhole ? 200 : 206, body: report };
  } catch (error: unknown) {
    return { status: toAppError(error).kind === "usage" ? 400 : 503, body: { error: reportError(error) } };
  }
}

function instantOf(text: string, name: string): Date {
  const at = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?$/.test(text) ? new Date(text) : new Date(Number.NaN);
  if (!Number.isNaN(at.getTime())) return at;
  throw new AppError("USAGE", `${name}: expected 2026-11-01 or 2026-11-01T03:00:00Z`);
}
