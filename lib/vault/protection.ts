import { earlier } from "./data-folders.ts";
import { mapInOrder } from "./map-in-order.ts";
import { dataName, fullPlace } from "./names.ts";
import type { BlobStat, CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/** What the storage itself says about all blobs of a backup, manifest and data. */
export interface Protection {
  /** None of them can be removed before; undefined where one of them can. */
  immutableUntil: Date | undefined;
  /** All of them are under a legal hold. */
  legalHold: boolean;
}

/** Reads back how the storage protects a backup. Throws what the storage throws. */
export async function readProtection(
  vault: Vault,
  source: string,
  id: string,
  options: CallOptions = {},
): Promise<Protection> {
  const [first, ...others] = await blobsOf(vault, source, id, options);
  return {
    immutableUntil: others.reduce((until, blob) => earlier(until, blob.immutableUntil), first?.immutableUntil),
    legalHold: first !== undefined && [first, ...others].every(({ legalHold }) => legalHold === true),
  };
}

const HOLDS_IN_FLIGHT = 8;

/**
 * Sets or clears the storage's legal hold on every blob of a backup, and reads back whether all of them have it. Throws what the
 * storage throws, STORAGE_REFUSED where it knows no legal holds; false where it has none at all.
 */
export async function setLegalHold(vault: Vault, source: string, id: string, isHeld: boolean): Promise<boolean> {
  const { controls } = vault.storage.data;
  if (controls === undefined) return false;
  const blobs = await blobsOf(vault, source, id, {});
  await Array.fromAsync(mapInOrder(blobs, HOLDS_IN_FLIGHT, ({ name }) => controls.setLegalHold(name, isHeld)));
  return (await readProtection(vault, source, id)).legalHold;
}

async function blobsOf(vault: Vault, source: string, id: string, options: CallOptions): Promise<BlobStat[]> {
  const { data } = vault.storage;
  const folders = [`${fullPlace(source).prefix}${id}/`, dataName(source, id, "")];
  const lists = await Promise.all(folders.map((folder) => Array.fromAsync(data.list(folder, options))));
  return lists.flat();
}
