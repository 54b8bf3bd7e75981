import type { ErrorReport } from "../core/errors.ts";
import type { Logger } from "../core/log.ts";
import type { SourcePolicy } from "../core/policy-schema.ts";
import type { Progress } from "../core/progress.ts";
import type { Context } from "../vault/context.ts";
import type { VerifyReport } from "../vault/verify-report.ts";
import type { Check } from "./engine.ts";

/** What one run of a job gets. */
export interface WorkContext {
  context: Context;
  source: SourcePolicy;
  runId: string;
  logger: Logger;
  progress: Progress;
  /** Aborts when the lease is lost or the process is asked to stop. */
  signal: AbortSignal;
}

/** A signed record that a run made or used. */
export interface Artefact {
  kind: "full" | "removal";
  id: string;
  /** Hex, of the record's file. */
  sha256: string;
}

/** What a verification found, and what of it was put right. */
export interface VerificationResult extends VerifyReport {
  healed: { vault: string; blob: string; from: string; quarantine?: string }[];
}

/** What one run of a job leaves in its receipt. */
export interface WorkResult {
  /** Figures with their units in the names: `rows`, `plainBytes`, `rtoSeconds`. */
  figures: Record<string, number | string | null>;
  checks?: Check[];
  /** Signed records that the run wrote or read, by their hashes. */
  artefacts?: Artefact[];
  /** Of a verification. */
  verification?: VerificationResult;
  /** Work that this run found to be necessary; it is put on the queue after the receipt is written. */
  followUps?: ("backup" | "copy")[];
  /** The work came to its end and found that something is wrong: the run counts as failed. */
  error?: ErrorReport;
}

/** One kind of job, done for one source. Throws AppError. */
export type Work = (work: WorkContext) => Promise<WorkResult>;
