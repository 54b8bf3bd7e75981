export interface BudgetLimits {
  /** No blob is started after so many bytes. */
  maxBytes?: number | undefined;
  /** No blob is started after so much time. */
  maxMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** How much a verification may still read, in all vaults together. */
export class VerifyBudget {
  readBytes = 0;
  readonly #startedAt = performance.now();
  readonly #limits: BudgetLimits;

  constructor(limits: BudgetLimits) {
    this.#limits = limits;
  }

  get elapsedMs(): number {
    return performance.now() - this.#startedAt;
  }

  /** Nothing more is to be started. */
  get isOver(): boolean {
    const { signal, maxBytes = Infinity, maxMs = Infinity } = this.#limits;
    return signal?.aborted === true || this.readBytes >= maxBytes || this.elapsedMs >= maxMs;
  }
}
