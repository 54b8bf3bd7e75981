import {
  type BlobClient,
  BlobSASPermissions,
  type BlobServiceClient,
  SASProtocol,
  StorageSharedKeyCredential,
  type UserDelegationKey,
} from "@azure/storage-blob";
import { type AzureTuning, call } from "./azure-call.ts";

/** How long one URL can be read: longer than a blob takes to be copied. */
const URL_HOURS = 6;
const KEY_HOURS = 24;
const HOUR_MS = 3_600_000;
/** The service's clock may be behind this one. */
const BACKDATED_MS = 15 * 60_000;

/**
 * What makes URLs by which another account's service reads a blob: signed by the account's key where the vault is opened by a
 * connection string, with the vault's own SAS where it has one, and by a user delegation key of the identity otherwise, which
 * needs the role Storage Blob Delegator on the account. Throws STORAGE_UNAVAILABLE, STORAGE_REFUSED.
 */
export function readUrls(
  label: string,
  account: BlobServiceClient,
  tuning: AzureTuning,
  now: () => number = Date.now,
): (blob: BlobClient) => Promise<string> {
  const delegated = delegationKeys(label, account, tuning, now);
  const hasSas = new URL(account.url).searchParams.has("sig");
  const hasKey = account.credential instanceof StorageSharedKeyCredential;
  return async (blob) => {
    if (hasSas) return blob.url;
    const settings = {
      permissions: BlobSASPermissions.from({ read: true }),
      expiresOn: new Date(now() + URL_HOURS * HOUR_MS),
      protocol: blob.url.startsWith("https:") ? SASProtocol.Https : SASProtocol.HttpsAndHttp,
    };
    return hasKey ? blob.generateSasUrl(settings) : blob.generateUserDelegationSasUrl(settings, await delegated());
  };
}

/** One key serves all URLs until it would end before them. */
function delegationKeys(
  label: string,
  account: BlobServiceClient,
  tuning: AzureTuning,
  now: () => number,
): () => Promise<UserDelegationKey> {
  let known: { key: Promise<UserDelegationKey>; expiresAt: number } | undefined;
  return () => {
    if (known && known.expiresAt - now() > URL_HOURS * HOUR_MS) return known.key;
    const expiresAt = now() + KEY_HOURS * HOUR_MS;
    const request = { label, action: "get a user delegation key" };
    const key = call(request, tuning, (abortSignal) =>
      account.getUserDelegationKey(new Date(now() - BACKDATED_MS), new Date(expiresAt), { abortSignal }),
    );
    known = { key, expiresAt };
    key.catch(() => (known = undefined));
    return key;
  };
}
