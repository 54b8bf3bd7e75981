import { AppError, type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import type { Vault } from "./vault.ts";

/** Whether one vault has what was to be written. One that is behind lacks it, and the others have it. */
export type VaultOutcome = { vault: string; state: "done" } | { vault: string; state: "behind"; error: ErrorReport };

/** Which vaults still take part in a piece of work. A vault that failed once is out of it. */
export class VaultOutcomes {
  readonly #vaults: readonly Vault[];
  readonly #failures = new Map<Vault, unknown>();

  constructor(vaults: readonly Vault[]) {
    this.#vaults = vaults;
  }

  get live(): Vault[] {
    return this.#vaults.filter((vault) => !this.#failures.has(vault));
  }

  /** The first failure counts. */
  fail(vault: Vault, error: unknown): void {
    if (!this.#failures.has(vault)) this.#failures.set(vault, error);
  }

  /** Runs `work` for each vault that is left, and takes those out for which it fails. Throws when none is left. */
  async forEach<Result>(work: (vault: Vault) => Promise<Result>): Promise<{ vault: Vault; result: Result }[]> {
    const done = await Promise.all(
      this.live.map(async (vault) => {
        try {
          return [{ vault, result: await work(vault) }];
        } catch (error: unknown) {
          this.fail(vault, error);
          return [];
        }
      }),
    );
    this.assertAnyLeft();
    return done.flat();
  }

  /** Throws when all vaults failed: the one error, or one that tells them all. */
  assertAnyLeft(): void {
    if (this.live.length > 0) return;
    const errors = Array.from(this.#failures, ([vault, error]) => ({ vault: vault.name, error: toAppError(error) }));
    const [first] = errors;
    if (!first) throw new AppError("INVARIANT", "nothing can be written: no vault was given");
    if (errors.length === 1) throw first.error;
    // A retry is worth it as soon as it is for one of them.
    const leading = errors.find(({ error }) => error.retryable)?.error ?? first.error;
    const all = errors.map(({ vault, error }) => `${vault}: ${error.message}`).join("; ");
    throw new AppError(leading.code, `all ${errors.length} vaults failed: ${all}`, {
      ...(leading.hint !== undefined && { hint: leading.hint }),
      cause: new AggregateError(errors.map(({ error }) => error)),
      retryable: leading.retryable,
    });
  }

  /** In the order of the vaults. */
  report(): VaultOutcome[] {
    return this.#vaults.map((vault) =>
      this.#failures.has(vault)
        ? { vault: vault.name, state: "behind", error: reportError(this.#failures.get(vault)) }
        : { vault: vault.name, state: "done" },
    );
  }
}
