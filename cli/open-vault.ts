import { basename, resolve } from "node:path";
import { AppError } from "../lib/core/errors.ts";
import { systemClock } from "../lib/core/time.ts";
import type { TrustedKeys } from "../lib/vault/keys/key.ts";
import { readPublicKey } from "../lib/vault/keys/file-keys.ts";
import { openVaultStorage } from "../lib/vault/storage/open.ts";
import { openTrust } from "../lib/vault/trusted-keys.ts";
import type { Vault } from "../lib/vault/vault.ts";
import { openCommandContext, type CommonOptions } from "./command.ts";

export interface OfflineOptions extends CommonOptions {
  vault?: string;
  key?: string;
  /** Of a directory: the vault's name in the policy, by which its records call it. */
  name?: string;
}

const DIRECTORY = "dir:";

/**
 * The vaults that `--vault` names, all of the policy without it, and the keys to believe: those of `--key` (PEM) and what follows
 * them, or the policy's. With `dir:PATH` and `--key` no policy is read. Throws USAGE and what opening them throws.
 */
export async function openOffline(options: OfflineOptions): Promise<{ vaults: Vault[]; trusted: TrustedKeys }> {
  const { vault: wanted, key } = options;
  if (wanted?.startsWith(DIRECTORY)) {
    const path = resolve(wanted.slice(DIRECTORY.length));
    const vault = {
      name: options.name ?? basename(path),
      storage: await openVaultStorage(wanted, { kind: "directory", path }),
    };
    return { vaults: [vault], trusted: await trustedFor(options, [vault]) };
  }
  const context = await openCommandContext(options);
  const known = [...context.vaults.values()];
  const vaults = known.filter(({ name }) => wanted === undefined || name === wanted);
  if (vaults.length === 0) {
    const names = known.map(({ name }) => name).join(", ");
    throw new AppError("USAGE", `--vault: found "${wanted}", expected one of ${names}, or ${DIRECTORY}PATH`);
  }
  return { vaults, trusted: key === undefined ? await context.trustedKeys() : await trustedFor(options, vaults) };
}

async function trustedFor(options: OfflineOptions, vaults: readonly Vault[]): Promise<TrustedKeys> {
  const { key } = options;
  if (key === undefined) return (await openCommandContext(options)).trustedKeys();
  return openTrust(vaults, async () => [await readPublicKey(key, "EC")], systemClock)();
}
