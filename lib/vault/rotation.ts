import { AppError, type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import type { Tool } from "../core/tool.ts";
import { unwrapDataKey, wrapDataKey } from "./keys/data-key.ts";
import type { DecryptionKey, Recipient, TrustedKeys } from "./keys/key.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import type { VaultOutcomes } from "./outcome.ts";
import type { Recipients } from "./segment-writer.ts";
import type { Vault } from "./vault.ts";

/*
 * A rotation wraps the data keys of everything that lives for the keys that the policy names now, and changes no data. It has no
 * state of its own: what is wrapped already is seen in the vaults, so the same call goes on wherever the last one ended.
 */

export interface Rotation {
  source: string;
  /** Of the run. */
  runId: string;
  environment: string;
  policyHash: string;
  tool: Tool;
  trusted: TrustedKeys;
  /** Open what is there. */
  keys: readonly DecryptionKey[];
  /** For whom it is wrapped. */
  recipients: Recipients;
  signer: SessionSigner;
  clock: Clock;
  vaults: VaultOutcomes;
  signal: AbortSignal;
  /** Told the stored bytes whose data key was looked at. */
  onDone: (bytes: number) => void;
}

/** Something whose data key is not wrapped for the new keys: nobody can say it was not lost until somebody looks. */
export interface RotationProblem {
  /** Name of a blob. */
  blob: string;
  error: ErrorReport;
}

/** The keys that everything is to be wrapped for. */
export function wantedKeys({ recipients }: Pick<Rotation, "recipients">): Pick<Recipient, "role" | "keyId">[] {
  return [
    { role: "vault", keyId: recipients.vault.keyId },
    { role: "break-glass", keyId: recipients.breakGlass.keyId },
  ];
}

/**
 * The data key behind these recipients, wrapped for the new ones; undefined, and told, where no key at hand opens it. Throws what
 * a key service throws that does not answer.
 */
export async function rewrap(
  { keys, recipients }: Rotation,
  wrapped: readonly Recipient[],
  onProblem: (error: ErrorReport) => void,
): Promise<Recipient[] | undefined> {
  try {
    const dataKey = await unwrapDataKey(wrapped, keys);
    return [
      wrapDataKey(dataKey, "vault", recipients.vault),
      wrapDataKey(dataKey, "break-glass", recipients.breakGlass),
    ];
  } catch (error: unknown) {
    if (toAppError(error).code !== "KEY_NOT_RECIPIENT") throw error;
    onProblem(reportError(error));
    return undefined;
  }
}

/** Runs `work` for each vault that is left; one whose storage fails is left behind. Throws when none is left. */
export async function inEach(
  vaults: VaultOutcomes,
  among: readonly Vault[],
  work: (vault: Vault) => Promise<void>,
): Promise<void> {
  const live = new Set(vaults.live);
  for (const vault of among.filter((candidate) => live.has(candidate))) {
    try {
      await work(vault);
    } catch (error: unknown) {
      if (toAppError(error).kind !== "storage") throw error;
      vaults.fail(vault, error);
    }
  }
  vaults.assertAnyLeft();
}

/** What is told of everything that could not be wrapped. */
export function incomplete(source: string, problems: readonly RotationProblem[]): AppError | undefined {
  const [first] = problems;
  if (first === undefined) return undefined;
  const { code, message } = first.error;
  return new AppError(
    code,
    `${source}: ${problems.length} data keys were not wrapped anew; ${first.blob}: ${message}`,
    {
      hint: "Give the private key that opens them in the policy's `keys.previous`, or with --open-with; then run it again.",
    },
  );
}
