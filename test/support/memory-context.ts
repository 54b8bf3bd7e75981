import { AppError } from "../../lib/core/errors.ts";
import { parsePolicy } from "../../lib/core/policy.ts";
import { silentLogger } from "../../lib/core/log.ts";
import type { JobMessage } from "../../lib/jobs/message.ts";
import { runJob } from "../../lib/jobs/run-job.ts";
import type { VerificationResult } from "../../lib/sources/work.ts";
import type { Context } from "../../lib/vault/context.ts";
import type { Vault } from "../../lib/vault/vault.ts";
import { policyDocument } from "./policies.ts";
import { testKeys, TOOL } from "./vault-fixture.ts";

/** A clock that stands still until it is set; each look moves it by a millisecond, as a real one would have moved. */
export class SetClock {
  at: Date;

  constructor(at: string) {
    this.at = new Date(at);
  }

  readonly now = (): Date => (this.at = new Date(this.at.getTime() + 1));

  pass(hours: number): void {
    this.at = new Date(this.at.getTime() + hours * 3_600_000);
  }
}

/** The test policy over vaults in memory, with the golden keys. */
export function memoryContext(
  vaults: readonly Vault[],
  clock: SetClock,
  source: Record<string, unknown> = {},
): Context {
  const { policy, hash } = parsePolicy(JSON.stringify(policyDocument(source)), "/");
  const { recipients, signer, trusted, decryption } = testKeys(clock.now);
  return {
    policy,
    policyHash: hash,
    tool: TOOL,
    clock: clock.now,
    resolve: () => Promise.reject(new AppError("SETTING_MISSING", "no source here")),
    vaults: new Map(vaults.map((vault) => [vault.name, vault])),
    recipients: async () => recipients,
    decryptionKey: async () => decryption,
    signer: async () => signer,
    trustedKeys: async () => trusted,
  };
}

const other = { drill: () => () => Promise.reject(new Error("no drill here")) };

/** Runs the timer's verification, or the one of `message`. */
export async function runVerify(context: Context, message: Partial<JobMessage> = {}) {
  const dueAt = context.clock().toISOString();
  const due = { v: 1, job: "verify", source: "shop", requestedBy: "timer", dueAt } as const;
  const outcome = await runJob({ ...due, ...message } as JobMessage, other, context, {
    attempt: 1,
    logger: silentLogger,
  });
  if (outcome.state === "covered") throw new Error("the verification is covered");
  const { receipt, failure } = outcome;
  const { verification } = receipt.details;
  if (verification === undefined) throw failure ?? new Error("no verification");
  return { receipt, failure, verification: verification satisfies VerificationResult };
}
