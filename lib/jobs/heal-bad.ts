import type { ErrorReport } from "../core/errors.ts";
import type { VerificationResult, WorkContext } from "../sources/work.ts";
import { vaultsOf } from "../vault/context.ts";
import { writeDamage } from "../vault/damage.ts";
import { type HealOutcome, healBlob } from "../vault/heal.ts";
import type { Verification } from "../vault/verify.ts";
import type { BadBlob } from "../vault/verify-items.ts";
import type { Vault } from "../vault/vault.ts";

export interface Healing {
  healed: VerificationResult["healed"];
  /** Bad or missing in every vault. */
  lost: number;
  /** What another vault may still have, or that nobody may replace here. */
  unhealed: number;
}

/**
 * Replaces what was found bad in one vault by what another one has. What can't be replaced is said to be bad by a signed
 * statement, so that nothing which needs it is offered any more; what was said to be and is good again is taken back.
 */
export async function healBad(work: WorkContext, { bad, recovered }: Verification, mayHeal: boolean): Promise<Healing> {
  const healing: Healing = { healed: [], lost: 0, unhealed: 0 };
  for (const blob of bad) {
    work.signal.throwIfAborted();
    if (mayHeal) note(work, blob, await heal(work, blob), healing);
    else {
      await say(work, blob.vault, blob.blob, "bad", blob.reason);
      healing.unhealed++;
    }
  }
  for (const { vault, blob } of recovered) await say(work, vault, blob, "healed", RECOVERED);
  return healing;
}

const RECOVERED: Pick<ErrorReport, "code" | "message"> = {
  code: "BLOB_DAMAGED",
  message: "it was said to be bad, and a later verification proved it",
};

async function heal({ context, source, signal }: WorkContext, bad: BadBlob): Promise<HealOutcome> {
  const { vault, blob, expected, reason } = bad;
  return healBlob({
    vault,
    others: vaultsOf(context, source).filter((other) => other !== vault),
    source: source.name,
    name: blob,
    expected,
    reason,
    trusted: await context.trustedKeys(),
    signer: await context.signer(),
    clock: context.clock,
    signal,
  });
}

function note({ logger }: WorkContext, { vault, blob, healed }: BadBlob, outcome: HealOutcome, healing: Healing): void {
  const where = { vault: vault.name, blob };
  switch (outcome.state) {
    case "healed": {
      const { state: _state, ...how } = outcome;
      healed();
      healing.healed.push({ ...where, ...how });
      logger.warn("blob-healed", { ...where, ...how });
      return;
    }
    case "good":
    case "removed":
      healed();
      return;
    case "lost":
      healing.lost++;
      logger.error("blob-lost", { ...where, ...outcome.error });
      return;
    case "unhealed":
      healing.unhealed++;
      logger.error("blob-not-healed", { ...where, ...outcome.error });
  }
}

async function say(
  { context, source }: WorkContext,
  vault: Vault,
  blob: string,
  state: "bad" | "healed",
  { code, message }: Pick<ErrorReport, "code" | "message">,
): Promise<void> {
  const to = { vaults: vaultsOf(context, source), signer: await context.signer(), clock: context.clock };
  await writeDamage({ source: source.name, blob, state, where: [vault.name], reason: { code, message } }, to);
}
