import { BlobClient } from "@azure/storage-blob";
import { AppError } from "../../core/errors.ts";
import { openAccount } from "./azure-account.ts";
import { call, DEFAULT_TUNING } from "./azure-call.ts";

const MAX_BYTES = 1024 * 1024;

/**
 * The text of one small blob by its URL (managed identity, or the SAS in the URL). Throws STORAGE_UNAVAILABLE,
 * STORAGE_REFUSED, and POLICY_UNREADABLE for what is no blob's URL or larger than 1 MiB.
 */
export async function readBlobText(blobUrl: string): Promise<string> {
  const { containerName, name } = new BlobClient(blobUrl);
  if (containerName === "" || name === "") {
    throw new AppError("POLICY_UNREADABLE", "the policy's URL names no blob: expected https://ACCOUNT/CONTAINER/BLOB");
  }
  const url = new URL(blobUrl);
  // Azurite has the account in the path, Azure in the host.
  url.pathname = url.pathname.slice(0, url.pathname.indexOf(`/${containerName}/`) + 1);
  const account = await openAccount("policy", { url: url.href }, DEFAULT_TUNING);
  const blob = account.getContainerClient(containerName).getBlobClient(name);
  const request = { label: "policy", action: "read the policy", name };
  return call(request, DEFAULT_TUNING, async (abortSignal) => {
    const { contentLength = 0 } = await blob.getProperties({ abortSignal });
    if (contentLength > MAX_BYTES) {
      throw new AppError("POLICY_UNREADABLE", `the policy has ${contentLength} bytes, expected ${MAX_BYTES} at most`);
    }
    return (await blob.downloadToBuffer(0, undefined, { abortSignal })).toString("utf8");
  });
}
