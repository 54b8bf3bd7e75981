import { createHash, type KeyObject } from "node:crypto";
import { dirname } from "node:path";
import { AppError } from "../core/errors.ts";
import type { Context } from "./context.ts";
import { type KeyFile, nextPair, readPrivateKey } from "./keys/file-keys.ts";
import { keyIdOf, type SigningKey, type TrustedKeys } from "./keys/key.ts";
import { keyVaultSigningKey, openKeyVaultVersions, rotateKeyVaultKey } from "./keys/key-vault.ts";
import { localSigningKey } from "./keys/local-keys.ts";
import { readSuccession, signSuccession } from "./keys/succession.ts";
import { keyName, successionName } from "./names.ts";
import { type VaultOutcome, VaultOutcomes } from "./outcome.ts";
import { inFolder, type KeySource, maySign, openSigningKey } from "./policy-keys.ts";
import { publishKeys } from "./public-keys.ts";
import { readSuccessions } from "./trusted-keys.ts";
import type { Vault } from "./vault.ts";
import { createOnce } from "./write-record.ts";

/*
 * new key made -> succession, signed by both keys, in each vault -> the policy names the new key, before the old one retires
 * Killed at any instant, the same call goes on: it takes the key that it made and nobody uses, and the succession that some vault
 * has. A key has one successor: its name is taken by the first.
 */

export interface SigningRotation {
  from: string;
  to: string;
  /** What the old key signs later is refused. */
  retiresAt: string;
  /** The new pair; none for a key in Key Vault. */
  files: KeyFile[];
  vaults: VaultOutcome[];
}

/** Introduces the next signing key in all vaults. Throws when none of them took it, and what the keys throw. */
export async function rotateSigningKey(
  context: Context & { keySource: KeySource },
  overlapMs: number,
): Promise<SigningRotation> {
  const { clock, keySource } = context;
  const trusted = await context.trustedKeys();
  const vaults = [...context.vaults.values()];
  const { current, next, files } = await chooseKeys(keySource, trusted, clock(), vaults);
  const outcomes = new VaultOutcomes(vaults);
  const bytes =
    (await findSuccession(outcomes, current.keyId)) ?? (await introduce(current, await next(), clock(), overlapMs));
  const name = successionName(current.keyId);
  const { successor, retiresAt } = readSuccession(bytes, name);
  const keys = [{ keyId: keyIdOf(successor), publicKey: successor, use: "sign" as const }];
  await outcomes.forEach(async (vault) => {
    await createOnce(vault, name, bytes);
    await publishKeys(vault, keys, await context.signer(), clock);
  });
  return {
    from: current.keyId,
    to: keyIdOf(successor),
    retiresAt: retiresAt.toISOString(),
    files: files(keyIdOf(successor)),
    vaults: outcomes.report(),
  };
}

interface ChosenKeys {
  current: SigningKey;
  next: () => Promise<SigningKey>;
  files: (keyId: string) => KeyFile[];
}

async function chooseKeys(
  source: KeySource,
  trusted: TrustedKeys,
  now: Date,
  vaults: readonly Vault[],
): Promise<ChosenKeys> {
  const { sign } = source.keys;
  if (sign.kind === "file") {
    const current = await openSigningKey(source, trusted, now);
    let made: KeyFile[] = [];
    const next = async (): Promise<SigningKey> => {
      const folder = dirname(inFolder(source.baseDir, sign.publicKey));
      made = await nextPair(folder, "sign", async (keyId) => trusted.has(keyId));
      const path = made.find(({ isPrivate }) => isPrivate)?.path ?? "";
      return localSigningKey(await readPrivateKey(path, "EC", path));
    };
    return { current, next, files: (keyId) => made.filter((file) => file.keyId === keyId) };
  }
  const [newest, before] = (await openKeyVaultVersions(sign.keyUrl, "EC")).map((handle) => keyVaultSigningKey(handle));
  if (newest === undefined) throw new AppError("INVARIANT", `${sign.keyUrl}: a key without a version`);
  // A version that signed nothing yet was made by a call that died, or by Key Vault itself, to follow the one before it.
  const isPending = before !== undefined && maySign(before, trusted, now) && !(await isPublished(newest.keyId, vaults));
  if (isPending && (await isPublished(before.keyId, vaults))) {
    return { current: before, next: async () => newest, files: () => [] };
  }
  const next = async () => keyVaultSigningKey(await rotateKeyVaultKey(sign.keyUrl, "EC"));
  return { current: await openSigningKey(source, trusted, now), next, files: () => [] };
}

async function isPublished(keyId: string, vaults: readonly Vault[]): Promise<boolean> {
  const found = await Promise.all(vaults.map((vault) => vault.storage.data.stat(keyName(keyId))));
  return found.some((stat) => stat !== undefined);
}

async function introduce(current: SigningKey, next: SigningKey, madeAt: Date, overlapMs: number): Promise<Buffer> {
  if (next.keyId === current.keyId) throw new AppError("INVARIANT", `key ${next.keyId} can't follow itself`);
  return signSuccession(current, next, { madeAt, retiresAt: new Date(madeAt.getTime() + overlapMs) });
}

/** The succession of a key that an earlier call has written into some vault. Throws KEY_UNTRUSTED where they differ. */
async function findSuccession(outcomes: VaultOutcomes, keyId: string): Promise<Buffer | undefined> {
  const name = successionName(keyId);
  const found = new Map<string, { bytes: Buffer; successor: KeyObject }>();
  await outcomes.forEach(async (vault) => {
    const stored = (await readSuccessions(vault)).find((succession) => succession.name === name);
    if (stored?.state === "invalid") throw new AppError(stored.error.code, stored.error.message);
    if (stored === undefined) return;
    const bytes = Buffer.concat(await Array.fromAsync(vault.storage.data.read(name)));
    found.set(createHash("sha256").update(bytes).digest("hex"), { bytes, successor: stored.succession.successor });
  });
  const [first, second] = found.values();
  if (first === undefined || second === undefined) return first?.bytes;
  const ids = [first, second].map(({ successor }) => keyIdOf(successor)).join(" and ");
  throw new AppError("KEY_UNTRUSTED", `the vaults name different keys as the one that follows ${keyId}: ${ids}`, {
    hint: "Find out who made the second one; the key that the policy names decides, once it is one of them.",
  });
}
