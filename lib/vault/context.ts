import { isAbsolute, join } from "node:path";
import { AppError, reportError, toAppError } from "../core/errors.ts";
import { silentLogger, type Logger } from "../core/log.ts";
import type { Policy, SourcePolicy, VaultPolicy } from "../core/policy-schema.ts";
import { secretResolver, type Environment, type ResolveSecret } from "../core/secrets.ts";
import { parseSettings } from "../core/settings.ts";
import { parseDuration, systemClock, type Clock } from "../core/time.ts";
import { thisTool, type Tool } from "../core/tool.ts";
import { anyKey } from "./keys/data-key.ts";
import type { DecryptionKey, EncryptionKey, TrustedKeys } from "./keys/key.ts";
import { keyVaultSecrets } from "./keys/key-vault-secrets.ts";
import { openSessionSigner, type SessionKey, type SessionSigner } from "./keys/session-key.ts";
import { keptFor } from "./kept-for.ts";
import {
  openDecryptionKey,
  openRecipients,
  openSigningKey,
  openTrustRoots,
  type KeyCache,
  type KeySource,
} from "./policy-keys.ts";
import { readPolicy } from "./read-policy.ts";
import type { Recipients } from "./segment-writer.ts";
import type { ResolvedVaultConfig } from "./storage/config.ts";
import { openVaultStorage } from "./storage/open.ts";
import { openTrust } from "./trusted-keys.ts";
import type { Vault } from "./vault.ts";

/**
 * Everything that the work on one policy needs, opened once a process. Keys are opened when they are first asked for, so
 * that an app without a private key, or with a key service that is down, does all the work that needs neither.
 */
export interface Context {
  readonly policy: Policy;
  /** SHA-256 of the policy's canonical JSON. */
  readonly policyHash: string;
  readonly tool: Tool;
  readonly clock: Clock;
  readonly resolve: ResolveSecret;
  readonly vaults: ReadonlyMap<string, Vault>;
  /** Where the policy's keys come from; absent without a policy. */
  readonly keySource?: KeySource;
  recipients(): Promise<{ vault: EncryptionKey; breakGlass: EncryptionKey }>;
  decryptionKey(): Promise<DecryptionKey>;
  signer(): Promise<SessionSigner>;
  trustedKeys(): Promise<TrustedKeys>;
}

export interface ContextOptions {
  clock?: Clock;
  /** A private key that opens data keys besides the policy's, or in their place where it names none. */
  openWith?: DecryptionKey | undefined;
  /** Told of what goes wrong between two jobs: a session key that can't be renewed. */
  logger?: Logger;
}

/** A process goes over to the next version of the vault key within this time. */
const RECIPIENTS_AGE_MS = 3_600_000;

function isSameRecipients(a: Recipients, b: Recipients): boolean {
  return a.vault.keyId === b.vault.keyId && a.breakGlass.keyId === b.breakGlass.keyId;
}

/** Reads settings and policy and opens the vaults, without asking them anything yet. Throws AppError for what is wrong. */
export async function openContext(env: Environment, options: ContextOptions = {}): Promise<Context> {
  const { clock = systemClock, logger = silentLogger, openWith } = options;
  const settings = parseSettings(env);
  const { policy, hash, baseDir } = await readPolicy(settings.RESGUARDO_POLICY);
  const resolve = secretResolver(env, policy.keyVault === undefined ? undefined : keyVaultSecrets(policy.keyVault));
  const keySource: KeySource = { keys: policy.keys, baseDir, resolve };
  const vaults = await openVaults(policy, baseDir, resolve);
  const all = [...vaults.values()];
  const trustedKeys = openTrust(
    all,
    once(() => openTrustRoots(keySource, all)),
    clock,
  );
  const onUsed = (error: AppError) => logger.warn("public-keys-from-vaults", { ...reportError(error) });
  const cache: KeyCache = { vaults: all, trusted: trustedKeys, onUsed };
  const signingKey = async () => openSigningKey(keySource, await trustedKeys(), clock());
  return {
    policy,
    policyHash: hash,
    tool: thisTool(env),
    clock,
    resolve,
    vaults,
    keySource,
    recipients: keptFor(RECIPIENTS_AGE_MS, clock, () => openRecipients(keySource, cache), isSameRecipients),
    decryptionKey: once(() => openWithAlso(() => openDecryptionKey(keySource), openWith)),
    signer: once(async () => {
      const graceMs = parseDuration(policy.keys.graceAfterExpiry);
      const onRenewalFailed = (error: AppError, { notAfter, graceUntil }: SessionKey) => {
        const until = { validUntil: notAfter.toISOString(), graceUntil: graceUntil.toISOString() };
        logger.error("session-key-not-renewed", { ...reportError(error), ...until });
      };
      return openSessionSigner({ signingKey: await signingKey(), reopen: signingKey, clock, graceMs, onRenewalFailed });
    }),
    trustedKeys,
  };
}

async function openWithAlso(
  open: () => Promise<DecryptionKey>,
  also: DecryptionKey | undefined,
): Promise<DecryptionKey> {
  if (also === undefined) return open();
  try {
    return anyKey([await open(), also]);
  } catch (error: unknown) {
    if (toAppError(error).code !== "SETTING_MISSING") throw error;
    return also;
  }
}

/** The vaults of a source, in the policy's order; with `only`, just that one. Throws USAGE for a name that is none of them. */
export function vaultsOf(context: Context, source: SourcePolicy, only?: string): Vault[] {
  if (only !== undefined && !source.vaults.includes(only)) {
    throw new AppError("USAGE", `--vault: found "${only}", expected one of ${source.vaults.join(", ")}`);
  }
  return source.vaults.flatMap((name) => (only === undefined || only === name ? (context.vaults.get(name) ?? []) : []));
}

async function openVaults(policy: Policy, baseDir: string, resolve: ResolveSecret): Promise<Map<string, Vault>> {
  const vaults = new Map<string, Vault>();
  for (const [name, config] of Object.entries(policy.vaults)) {
    vaults.set(name, {
      name,
      storage: await openVaultStorage(name, await resolveVault(name, config, baseDir, resolve)),
    });
  }
  return vaults;
}

async function resolveVault(
  name: string,
  config: VaultPolicy,
  baseDir: string,
  resolve: ResolveSecret,
): Promise<ResolvedVaultConfig> {
  if (config.kind === "directory") {
    return { kind: "directory", path: isAbsolute(config.path) ? config.path : join(baseDir, config.path) };
  }
  const { kind } = config;
  const container = {
    container: config.container,
    ...(config.immutable !== undefined && { immutableMs: parseDuration(config.immutable) }),
  };
  if (config.url) return { kind, ...container, url: await resolve(config.url, `vaults.${name}.url`) };
  if (config.connectionString) {
    const field = `vaults.${name}.connectionString`;
    return { kind, ...container, connectionString: await resolve(config.connectionString, field) };
  }
  throw new AppError("POLICY_INVALID", `vaults.${name}: expected url or connectionString, found neither`);
}

/** Calls `open` at the first use and keeps what it gave; a failure is not kept. */
function once<T>(open: () => Promise<T>): () => Promise<T> {
  let opened: Promise<T> | undefined;
  return () => {
    opened ??= open().catch((error: unknown) => {
      opened = undefined;
      throw error;
    });
    return opened;
  };
}
