import { AppError } from "../lib/core/errors.ts";
import type { Progress } from "../lib/core/progress.ts";
import type { JobMessage } from "../lib/jobs/message.ts";
import type { Receipt } from "../lib/jobs/receipt.ts";
import { runJob } from "../lib/jobs/run-job.ts";
import { runDrill } from "../lib/restore/drill.ts";
import type { Context } from "../lib/vault/context.ts";
import { commandLogger, interruptSignal } from "./command.ts";

/** Runs a job for an operator and returns its receipt. Throws why it failed, with the receipt that says so in the hint. */
export async function runNow(message: JobMessage, context: Context, progress: Progress): Promise<Receipt> {
  const options = { attempt: 1, logger: commandLogger(), progress, signal: interruptSignal() };
  const outcome = await runJob(message, { drill: runDrill }, context, options);
  if (outcome.state === "covered") throw new AppError("INVARIANT", "a job without a due time is never covered");
  const { failure, receipt } = outcome;
  if (!failure) return receipt;
  const wrong = receipt.details.checks.filter(({ ok }) => !ok);
  const differences = wrong.map(({ name, expected, found }) => `${name}: expected ${expected}, found ${found}`);
  const hint = [...differences, ...(failure.hint ? [failure.hint] : []), `Receipt ${receipt.id}.`].join("\n");
  throw new AppError(failure.code, failure.message, { hint, cause: failure });
}
