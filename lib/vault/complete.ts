import { AppError } from "../core/errors.ts";
import { assertUndamaged, type KnownDamage } from "./damage.ts";
import type { Manifest } from "./manifest.ts";
import { dataName } from "./names.ts";
import type { Vault } from "./vault.ts";

/**
 * Checks by one listing that every blob of a backup stands in the vault with its size, and that none is known to be bad. What the
 * bytes are is left to `verifySource`. Throws BLOB_MISSING, BLOB_DAMAGED, the code of what is known, and what the storage throws.
 */
export async function assertComplete(vault: Vault, manifest: Manifest, damage: KnownDamage): Promise<void> {
  const folder = dataName(manifest.source.name, manifest.id, "");
  const sizes = new Map<string, number>();
  for await (const { name, sizeBytes } of vault.storage.data.list(folder)) {
    sizes.set(name.slice(folder.length), sizeBytes);
  }
  for (const { name, sizeBytes } of manifest.blobs) {
    assertUndamaged(damage, `${folder}${name}`);
    const found = sizes.get(name);
    if (found === sizeBytes) continue;
    const hint = "Restore from another vault; `resguardo verify` shows everything that is damaged.";
    if (found === undefined) {
      throw new AppError("BLOB_MISSING", `vault ${vault.name}: ${folder}${name} is not there`, { hint });
    }
    throw new AppError(
      "BLOB_DAMAGED",
      `vault ${vault.name}: ${folder}${name} has ${found} bytes, expected ${sizeBytes}`,
      { hint },
    );
  }
}
