import { RestError } from "@azure/storage-blob";
import { AppError } from "../../core/errors.ts";
import { blobChanged, blobMissing } from "./outcomes.ts";

/** How much is done at once and how long anything is waited for. */
export interface AzureTuning {
  /** Size of an uploaded block and of a downloaded range. Azure takes 50,000 blocks a blob, so 8 MiB allow 390 GiB. */
  blockBytes: number;
  /** Blocks or ranges under way for one blob; one more block is being filled. */
  parallel: number;
  /** One request with its retries may take this long; a connection gone silent is given up, not waited for. */
  deadlineMs: number;
  /** Requests given up at the deadline are tried this often in all. */
  attempts: number;
  /** The client's own tries of a failed request, with a delay that doubles. */
  maxTries: number;
  retryDelayMs: number;
}

export const DEFAULT_TUNING: AzureTuning = {
  blockBytes: 8 * 1024 * 1024,
  parallel: 4,
  deadlineMs: 120_000,
  attempts: 2,
  maxTries: 5,
  retryDelayMs: 500,
};

/** What a request is about, for the message of its error. */
export interface AzureRequest {
  label: string;
  /** "write blob", "list the state". */
  action: string;
  /** The blob or state record; left out where the request is about a container. */
  name?: string;
  signal?: AbortSignal | undefined;
}

/**
 * Makes a request that is safe to repeat, under the deadline. Throws the signal's reason when that fires, otherwise coded
 * errors: BLOB_MISSING for a blob that is not there, BLOB_DAMAGED for one that is not the expected version any more.
 */
export async function call<T>(
  request: AzureRequest,
  tuning: AzureTuning,
  send: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    request.signal?.throwIfAborted();
    const deadline = new AbortController();
    const timer = setTimeout(() => deadline.abort(), tuning.deadlineMs);
    try {
      return await send(request.signal ? AbortSignal.any([request.signal, deadline.signal]) : deadline.signal);
    } catch (error: unknown) {
      request.signal?.throwIfAborted();
      if (!deadline.signal.aborted) throw translate(request, error);
      if (attempt >= tuning.attempts)
        throw unavailable(request, `no answer within ${tuning.deadlineMs / 1000} s`, error);
    } finally {
      clearTimeout(timer);
    }
  }
}

/** Azure's own code of an error, such as "BlobNotFound"; undefined for errors that are no answer of Azure's. */
export function azureCodeOf(error: unknown): string | undefined {
  if (!(error instanceof RestError)) return undefined;
  // The answer to a HEAD request has no body, and its code only in a header.
  return error.response?.headers.get("x-ms-error-code") ?? error.code;
}

/** The status of Azure's answer that an AppError of `call` came from. */
export function statusOf(error: unknown): number | undefined {
  const cause = error instanceof AppError ? error.cause : error;
  return cause instanceof RestError ? cause.statusCode : undefined;
}

function translate(request: AzureRequest, error: unknown): AppError {
  if (error instanceof AppError) return error;
  const { label, name } = request;
  const code = azureCodeOf(error);
  const status = statusOf(error);
  if (name !== undefined && code === "BlobNotFound") return blobMissing(label, name, error);
  if (name !== undefined && status === 412) return blobChanged(label, name, error);
  if (isIdentityError(error)) return refused(request, "no identity to log in with", error);
  if (error instanceof RestError && status !== undefined && status < 500 && status !== 408 && status !== 429) {
    return refused(request, `${code ?? "refused"} (${status})`, error, HINTS[code ?? ""]);
  }
  return unavailable(
    request,
    `${code ?? (error instanceof Error ? error.name : "failed")}${status === undefined ? "" : ` (${status})`}`,
    error,
  );
}

const HINTS: Readonly<Record<string, string>> = {
  ContainerNotFound: "Check the container's name in the policy; `resguardo check` makes it where the rights allow.",
  AuthenticationFailed: "Check the account key, the SAS and its dates, and this machine's clock.",
  AuthorizationFailure: "Check the account's firewall, and that the SAS or identity may do this.",
  AuthorizationPermissionMismatch:
    "Give the identity the role Storage Blob Data Contributor, or the vault's own role, on the container.",
  BlobArchived: "Rehydrate the blob to an online tier first; that takes hours.",
  BlobImmutableDueToPolicy: "The immutability policy keeps it until its time is over; this is what it is for.",
};

function refused(request: AzureRequest, problem: string, cause: unknown, hint?: string): AppError {
  return new AppError("STORAGE_REFUSED", messageOf(request, problem), {
    hint: hint ?? "Check the account's URL, the identity and its roles, the key or SAS, and the account's firewall.",
    cause,
  });
}

function unavailable(request: AzureRequest, problem: string, cause: unknown): AppError {
  return new AppError("STORAGE_UNAVAILABLE", messageOf(request, problem), {
    hint: "Check the account's name, the network and Azure's status; the next run tries again.",
    cause,
  });
}

function messageOf({ label, action, name }: AzureRequest, problem: string): string {
  return `vault ${label}: can't ${action}${name === undefined ? "" : ` ${JSON.stringify(name)}`}: ${problem}`;
}

function isIdentityError(error: unknown): boolean {
  return (
    error instanceof Error && /^(?:CredentialUnavailable|Authentication|AggregateAuthentication)Error$/.test(error.name)
  );
}
