import { AppError } from "../../lib/core/errors.ts";
import type { Storage } from "../../lib/vault/storage/storage.ts";
import type { Vault } from "../../lib/vault/vault.ts";

export interface FailurePlan {
  /** The first operation that fails, from 1; all later ones fail as well, as for a process that was killed. */
  failAt: number;
  /** Whether the operation at which it happens still takes effect: its confirmation is what gets lost. */
  tookEffect?: boolean;
  /** Only these count; reads then fail once one of them has. */
  counts?: "writes";
}

/** A vault whose storage breaks at a chosen operation. `operations` counts what was asked. */
export function failingVault(vault: Vault, plan: FailurePlan): Vault & { readonly operations: number } {
  let operations = 0;
  const { data } = vault.storage;
  const step = (kind: "read" | "write" = "read"): boolean => {
    if (plan.counts !== "writes" || kind === "write" || operations >= plan.failAt) operations++;
    if (operations > plan.failAt || (operations === plan.failAt && !plan.tookEffect)) throw broken();
    return operations === plan.failAt;
  };
  const failing: Storage = {
    label: data.label,
    async create(name, bytes, options) {
      const isLast = step("write");
      const created = await data.create(name, bytes, options);
      if (isLast) throw broken();
      return created;
    },
    async stat(name) {
      step();
      return data.stat(name);
    },
    async *read(name, range, options) {
      step();
      yield* data.read(name, range, options);
    },
    async *list(prefix, options) {
      step();
      yield* data.list(prefix, options);
    },
    async remove(name) {
      step("write");
      await data.remove(name);
    },
  };
  return {
    name: vault.name,
    storage: { ...vault.storage, data: failing },
    get operations() {
      return operations;
    },
  };
}

function broken(): AppError {
  return new AppError("STORAGE_UNAVAILABLE", "the storage broke");
}
