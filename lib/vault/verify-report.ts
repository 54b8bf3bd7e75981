import type { ErrorCode } from "../core/error-codes.ts";
import { type ErrorReport, toAppError } from "../core/errors.ts";

export interface VerifyProblem {
  vault: string;
  /** Name of the blob in the vault. */
  blob: string;
  code: ErrorCode;
  message: string;
}

/** What is known of all that stands in one vault, by this verification and those before it. Counts are of blobs. */
export interface VaultCoverage {
  source: string;
  vault: string;
  blobs: number;
  /** Proven, whenever that was. */
  proven: number;
  /** Seen to be wrong, or gone, and not proven since. */
  failed: number;
  /** Never proven as it is. */
  notLooked: number;
  /** Everything there was proven, or written, at this instant or later; null while there is nothing. */
  since: string | null;
}

/** What one vault lacks that another one has and nobody removed. */
export interface VaultBehind {
  source: string;
  vault: string;
  fulls: number;
  segments: number;
  runs: number;
}

/** Counts are of blobs: data, manifests, log segments and other records. What was not looked at is never counted as proven. */
export interface VerifyReport {
  /** By this verification. */
  proven: number;
  /** What is missing and must be there counts as failed. */
  failed: number;
  notLooked: number;
  /** Read from the storage. */
  bytes: number;
  mbPerSecond: number;
  /** Manifests of full backups that were signed in the grace of a session key that had expired. */
  inGrace: number;
  problems: VerifyProblem[];
  coverage: VaultCoverage[];
  behind: VaultBehind[];
  /** Vaults that could not be asked: nothing of theirs was looked at. */
  unreadable: { source: string; vault: string; error: ErrorReport }[];
}

/** How the look at one blob ended. */
export type Outcome = "proven" | "failed" | "unseen";

/** Counts what a verification finds. */
export class VerifyTally {
  proven = 0;
  failed = 0;
  notLooked = 0;
  readonly problems: VerifyProblem[] = [];
  readonly #told = new Set<string>();

  fail(vault: string, blob: string, { code, message }: Pick<ErrorReport, "code" | "message">): void {
    this.failed++;
    this.problems.push({ vault, blob, code, message });
  }

  /** Only what was seen to be wrong has failed; a storage that does not answer, or a missing key, proves nothing either way. */
  judge(vault: string, blob: string, error: unknown, signal: AbortSignal | undefined): Outcome {
    const { kind, code, message } = toAppError(error);
    if (kind === "verify" && code !== "KEY_NOT_RECIPIENT") {
      this.fail(vault, blob, { code, message });
      return "failed";
    }
    this.notLooked++;
    // What keeps many blobs from being looked at is told once.
    const told = `${vault} ${code} ${message}`;
    if (signal?.aborted !== true && !this.#told.has(told)) this.problems.push({ vault, blob, code, message });
    this.#told.add(told);
    return "unseen";
  }
}
