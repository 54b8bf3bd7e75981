import { BlobServiceClient, type StoragePipelineOptions } from "@azure/storage-blob";
import { AppError } from "../../core/errors.ts";
import type { AzureBlobEndpoint } from "./config.ts";
import type { AzureTuning } from "./azure-call.ts";

const LOOPBACK = new Set(["localhost", "127.0.0.1", "[::1]"]);

/**
 * A client of the storage account, without a request yet: a connection string as it says, a URL with a SAS by the SAS, any
 * other by managed identity (or a developer's own login). Throws STORAGE_PATH_INVALID, never with the text it was given.
 */
export async function openAccount(
  label: string,
  endpoint: AzureBlobEndpoint,
  tuning: AzureTuning,
): Promise<BlobServiceClient> {
  const { maxTries, retryDelayMs } = tuning;
  const options: StoragePipelineOptions = {
    retryOptions: { maxTries, retryDelayInMs: retryDelayMs, maxRetryDelayInMs: retryDelayMs * 16 },
  };
  if ("connectionString" in endpoint) return fromConnectionString(label, endpoint.connectionString, options);
  const url = parseAccountUrl(label, endpoint.url);
  if (url.searchParams.has("sig")) return new BlobServiceClient(url.href, undefined, options);
  if (url.protocol !== "https:") {
    throw invalid(
      label,
      "a URL without a SAS must be https, since the identity's token goes with it",
      "For Azurite, use its connection string.",
    );
  }
  // Loaded when needed: a connection string or a SAS does without it.
  const { DefaultAzureCredential } = await import("@azure/identity");
  return new BlobServiceClient(url.href, new DefaultAzureCredential(), options);
}

function fromConnectionString(label: string, text: string, options: StoragePipelineOptions): BlobServiceClient {
  try {
    return BlobServiceClient.fromConnectionString(text, options);
  } catch {
    // No cause: the client's message may quote the text, which holds the account's key.
    throw invalid(label, "the connection string is malformed", "Copy it from the storage account's access keys.");
  }
}

function parseAccountUrl(label: string, text: string): URL {
  const hint = "Use the account's blob endpoint: https://NAME.blob.core.windows.net";
  const url = URL.parse(text);
  if (url === null) throw invalid(label, "the URL can't be parsed", hint);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && LOOPBACK.has(url.hostname))) {
    throw invalid(label, `the URL begins with ${url.protocol}, expected https:`, hint);
  }
  if (url.username !== "" || url.password !== "") throw invalid(label, "the URL has a user name or password", hint);
  return url;
}

function invalid(label: string, problem: string, hint: string): AppError {
  return new AppError("STORAGE_PATH_INVALID", `vault ${label}: ${problem}`, { hint });
}
