import type { ErrorCode } from "../core/error-codes.ts";
import { toAppError } from "../core/errors.ts";
import { noProgress, type Progress } from "../core/progress.ts";

export interface VerifyProblem {
  vault: string;
  /** Name of the blob in the vault. */
  blob: string;
  code: ErrorCode;
  message: string;
}

/** Counts are of blobs, manifests and log segments among them. What was not looked at is never counted as proven. */
export interface VerifyReport {
  proven: number;
  failed: number;
  notLooked: number;
  /** Read from the storage. */
  bytes: number;
  mbPerSecond: number;
  problems: VerifyProblem[];
}

export interface TallyOptions {
  /** Name of the vault. */
  vault: string;
  /** No blob is started after so many bytes. */
  maxBytes: number | undefined;
  signal: AbortSignal | undefined;
  progress: Progress | undefined;
}

/** What a verification has found so far. */
export class VerifyTally {
  readonly report: VerifyReport = { proven: 0, failed: 0, notLooked: 0, bytes: 0, mbPerSecond: 0, problems: [] };
  /** Expected of the whole verification. */
  totalBytes = 0;
  readonly #options: TallyOptions;

  constructor(options: TallyOptions) {
    this.#options = options;
  }

  /** Nothing more is to be started. */
  get isOver(): boolean {
    const { signal, maxBytes = Infinity } = this.#options;
    return signal?.aborted === true || this.report.bytes >= maxBytes;
  }

  read(bytes: number): void {
    this.report.bytes += bytes;
    const { progress = noProgress } = this.#options;
    progress({ phase: "verifying", doneBytes: this.report.bytes, totalBytes: this.totalBytes });
  }

  fail(blob: string, code: ErrorCode, message: string): void {
    this.report.failed++;
    this.report.problems.push({ vault: this.#options.vault, blob, code, message });
  }

  /** Only what was seen to be wrong has failed; a storage that does not answer, or a missing key, proves nothing either way. */
  judge(blob: string, error: unknown): void {
    const { kind, code } = toAppError(error);
    if (kind === "verify" && code !== "KEY_NOT_RECIPIENT") this.report.failed++;
    else this.report.notLooked++;
    if (this.#options.signal?.aborted !== true) this.addProblem(blob, error);
  }

  addProblem(blob: string, error: unknown): void {
    const { code, message } = toAppError(error);
    this.report.problems.push({ vault: this.#options.vault, blob, code, message });
  }
}
