import { newId } from "../../lib/core/ids.ts";
import type { Context } from "../../lib/vault/context.ts";
import { openMemoryVault } from "../../lib/vault/storage/memory.ts";
import { type RunRecord, writeRunRecord } from "../../lib/vault/run-record.ts";
import { testPolicy } from "./policies.ts";
import { type MemoryTestVault, SOURCE, testKeys, TOOL } from "./vault-fixture.ts";

export const MINUTE_MS = 60_000;
export const DAY_MS = 86_400_000;

/** A vault in memory, a policy and a clock that tests set. */
export interface EvidenceWorld {
  context: Context;
  vault: MemoryTestVault;
  time: { now: Date };
  /** A run of `job` ends now, having begun so many seconds ago. Returns its id. */
  run(job: string, more?: Partial<RunRecord> & { seconds?: number }): Promise<string>;
  at(time: string): void;
}

export function evidenceWorld(source: Record<string, unknown> = {}, start = "2026-01-01T00:00:00.000Z"): EvidenceWorld {
  const time = { now: new Date(start) };
  const clock = () => time.now;
  const keys = testKeys(clock);
  const vault: MemoryTestVault = { name: "primary", storage: openMemoryVault("primary", clock) };
  const { policy, hash } = testPolicy({ vaults: ["primary"], ...source });
  const context: Context = {
    policy,
    policyHash: hash,
    tool: TOOL,
    clock,
    vaults: new Map([[vault.name, vault]]),
    resolve: () => Promise.reject(new Error("nothing is to be resolved")),
    recipients: async () => keys.recipients,
    decryptionKey: async () => keys.decryption,
    signer: async () => keys.signer,
    trustedKeys: async () => keys.trusted,
  };
  return {
    context,
    vault,
    time,
    at: (text) => void (time.now = new Date(text)),
    run: async (job, { seconds = 60, ...more } = {}) => {
      const startedAt = new Date(time.now.getTime() - seconds * 1000);
      const id = newId(startedAt);
      await writeRunRecord(
        {
          id,
          source: SOURCE,
          job,
          state: "done",
          startedAt: startedAt.toISOString(),
          finishedAt: time.now.toISOString(),
          environment: "test",
          tool: TOOL,
          policyHash: hash,
          details: { figures: {} },
          ...more,
        },
        { vaults: [vault], signer: keys.signer, clock },
      );
      return id;
    },
  };
}
