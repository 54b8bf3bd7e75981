import type { ContainerClient } from "@azure/storage-blob";
import { type AzureTuning, call } from "./azure-call.ts";
import { toAccessTier } from "./azure-stat.ts";
import { assertBlobName } from "./blob-name.ts";
import type { StorageControls } from "./storage.ts";

/** Tiers and legal holds. An emulator or an account that lacks them refuses, and the error says so. */
export function azureControls(label: string, container: ContainerClient, tuning: AzureTuning): StorageControls {
  return {
    async setTier(name, tier) {
      assertBlobName(name);
      const request = { label, action: `move to the ${tier} tier the blob`, name };
      await call(request, tuning, (abortSignal) =>
        container.getBlobClient(name).setAccessTier(toAccessTier(tier), { abortSignal }),
      );
    },
    async setLegalHold(name, isHeld) {
      assertBlobName(name);
      const request = { label, action: `${isHeld ? "set" : "clear"} the legal hold of blob`, name };
      await call(request, tuning, (abortSignal) => container.getBlobClient(name).setLegalHold(isHeld, { abortSignal }));
    },
  };
}
