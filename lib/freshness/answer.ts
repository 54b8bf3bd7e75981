import { reportError, toAppError, type ErrorReport } from "../core/errors.ts";
import { findSource } from "../core/policy.ts";
import type { Context } from "../vault/context.ts";
import { readFreshness, type SourceFreshness } from "./read-freshness.ts";
import { isWithinRpo, worstState, type FreshnessState } from "./states.ts";

/** The body of `GET /api/freshness`. Its shape only grows. */
export interface FreshnessBody {
  state: FreshnessState;
  checkedAt: string;
  environment?: string;
  sources: SourceFreshness[];
  /** Why nothing could be judged at all. */
  error?: ErrorReport;
}

export interface FreshnessAnswer {
  /** 200 within the RPO; 503 breached or unknown, also when the policy is wrong; 404 for a source that is not in it. */
  status: 200 | 404 | 503;
  body: FreshnessBody;
}

/** Answers for one source, or for all of them. Never throws: what can't be judged is answered as unknown. */
export async function freshnessAnswer(open: () => Promise<Context>, sourceName?: string): Promise<FreshnessAnswer> {
  try {
    const context = await open();
    const { policy } = context;
    const wanted = sourceName === undefined ? policy.sources : [findSource(policy, sourceName)];
    const sources = await Promise.all(wanted.map((source) => readFreshness(context, source)));
    const state = worstState(sources.map((source) => source.state));
    const body = { state, checkedAt: context.clock().toISOString(), environment: policy.environment, sources };
    return { status: isWithinRpo(state) ? 200 : 503, body };
  } catch (error: unknown) {
    const body = {
      state: "unknown",
      checkedAt: new Date().toISOString(),
      sources: [],
      error: reportError(error),
    } as const;
    return { status: toAppError(error).code === "SOURCE_UNKNOWN" ? 404 : 503, body: { ...body, sources: [] } };
  }
}
