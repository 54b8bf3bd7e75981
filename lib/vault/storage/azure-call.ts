import { RestError } from "@azure/storage-blob";
import { AppError } from "../../core/errors.ts";
import { blobMissing } from "./outcomes.ts";

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
 * errors, BLOB_MISSING for a blob that is not there.
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
      if (attempt < tuning.attempts) continue;
      throw unavailable(request, `no answer within ${tuning.deadlineMs / 1000} s`, new AzureFailure(error));
    } finally {
      clearTimeout(timer);
    }
  }
}

/** What Azure answered, without the request: its headers and URL hold the token or the SAS. */
export class AzureFailure extends Error {
  /** Azure's own code, such as "BlobNotFound", or that of the network. */
  readonly code: string;
  /** Undefined where no answer came. */
  readonly status: number | undefined;

  constructor(error: unknown) {
    const known = error instanceof RestError ? error : undefined;
    const headers = known?.response?.headers;
    // The answer to a HEAD request has no body, and its code only in a header.
    const code = headers?.get("x-ms-error-code") ?? known?.code ?? (error instanceof Error ? error.name : "failed");
    super(`${code}, request ${headers?.get("x-ms-request-id") ?? "without an answer"}`);
    this.name = "AzureFailure";
    this.code = code;
    this.status = known?.statusCode;
  }
}

/** What Azure answered to the request that `call` threw this error for. */
export function azureFailureOf(error: unknown): AzureFailure | undefined {
  return error instanceof AppError && error.cause instanceof AzureFailure ? error.cause : undefined;
}

function translate(request: AzureRequest, error: unknown): AppError {
  if (error instanceof AppError) return error;
  const failure = new AzureFailure(error);
  const { code, status } = failure;
  if (request.name !== undefined && code === "BlobNotFound") return blobMissing(request.label, request.name, failure);
  if (code === "BlobArchived") {
    const hint =
      "Bring it back to an online tier first (`az storage blob set-tier --tier Hot`), which takes up to 15 hours.";
    return new AppError("BLOB_ARCHIVED", messageOf(request, code), { hint, cause: failure });
  }
  if (isRefusedIdentity(error)) return refused(request, "no identity to log in with", failure, IDENTITY_HINT);
  if (status === undefined) return unavailable(request, code, failure);
  const problem = `${code} (${status})`;
  if ((status >= 500 && status !== NOT_IMPLEMENTED) || TRANSIENT.has(status) || code === "Md5Mismatch")
    return unavailable(request, problem, failure);
  return refused(request, problem, failure, HINTS[code]);
}

/** A feature that this storage does not have, and will not have at the next try. */
const NOT_IMPLEMENTED = 501;

const TRANSIENT = new Set([408, 429]);

const IDENTITY_HINT = "Assign the app its managed identity and set AZURE_CLIENT_ID, or log in with `az login`.";

const HINTS: Readonly<Record<string, string>> = {
  ContainerNotFound: "Check the container's name in the policy; `resguardo check` makes it where the rights allow.",
  AuthenticationFailed: "Check the account key, the SAS and its dates, and this machine's clock.",
  AuthorizationFailure: "Check the account key, what the SAS or the identity may do, and the account's firewall.",
  AuthorizationPermissionMismatch:
    "Give the identity the role Storage Blob Data Contributor, or the vault's own role, on the container.",
  BlockCountExceedsLimit: "A blob takes 50,000 blocks, 390 GiB; the source must be cut into more blobs.",
  BlobImmutableDueToPolicy: "The immutability policy keeps it until its time is over; this is what it is for.",
};

function refused(request: AzureRequest, problem: string, cause: AzureFailure, hint?: string): AppError {
  return new AppError("STORAGE_REFUSED", messageOf(request, problem), {
    hint: hint ?? "Check the account's URL, the identity and its roles, the key or SAS, and the account's firewall.",
    cause,
  });
}

function unavailable(request: AzureRequest, problem: string, cause: AzureFailure): AppError {
  return new AppError("STORAGE_UNAVAILABLE", messageOf(request, problem), {
    hint: "Check the account's name, the network and Azure's status; the next run tries again.",
    cause,
  });
}

function messageOf({ label, action, name }: AzureRequest, problem: string): string {
  return `vault ${label}: can't ${action}${name === undefined ? "" : ` ${JSON.stringify(name)}`}: ${problem}`;
}

/** No identity at all, or one that is not accepted; a login service that is down is not meant. */
function isRefusedIdentity(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  if (error.name === "CredentialUnavailableError" || error.name === "AggregateAuthenticationError") return true;
  return error.name === "AuthenticationError" && "statusCode" in error && Number(error.statusCode) < 500;
}
