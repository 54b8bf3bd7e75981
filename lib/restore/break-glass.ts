import { AppError, type ErrorReport, reportError, toAppError } from "../core/errors.ts";
import { parsePolicy } from "../core/policy.ts";
import { systemClock } from "../core/time.ts";
import type { Tool } from "../core/tool.ts";
import { leaveNote } from "../vault/break-glass-note.ts";
import { listBackups } from "../vault/catalogue.ts";
import type { Context } from "../vault/context.ts";
import { readBreakGlassKey } from "../vault/keys/break-glass-key.ts";
import { readPublicKey } from "../vault/keys/file-keys.ts";
import type { TrustedKeys } from "../vault/keys/key.ts";
import { localDecryptionKey } from "../vault/keys/local-keys.ts";
import type { Manifest } from "../vault/manifest.ts";
import { fullPlace } from "../vault/names.ts";
import { readPublishedSigningKeys } from "../vault/published-keys.ts";
import { openMemoryVault } from "../vault/storage/memory.ts";
import { openVaultStorage } from "../vault/storage/open.ts";
import { parseVaultAddress } from "../vault/storage/vault-address.ts";
import { openTrust } from "../vault/trusted-keys.ts";
import type { Vault } from "../vault/vault.ts";

/*
 * A vault and a key from the safe, and nothing else: no policy, no key service, no other vault. What the rest of the product asks
 * a policy for is taken from the manifests. Nothing is written but a note of the use.
 */

export interface BreakGlassRequest {
  /** `dir:PATH` or `az:URL`. */
  address: string;
  /** Path of the private key; without it nothing can be opened, and the rest can be looked at. */
  keyFile?: string | undefined;
  passphrase?: string | undefined;
  /** Path of the public signing key from the safe. */
  trustFile?: string | undefined;
  /** Needed where the vault holds several. */
  source?: string | undefined;
  /** What it is for, in the note. */
  command: string;
  /** Where a note goes that the vault does not take. */
  folder: string;
  tool: Tool;
}

/** What a report has to say about a vault that was opened so. */
export interface BreakGlassReport {
  /** Whether signatures were checked with a key that did not come from the vault itself. */
  anchored: boolean;
  /** Ids of the keys that signatures were checked with. */
  signingKeys: string[];
  /** Where the use was noted: a blob's name or a path; null as long as nothing was opened. */
  note: string | null;
  /** Why it could not be noted: then somebody has to tell it. */
  noteError?: ErrorReport;
}

export interface BreakGlass {
  context: Context;
  source: string;
  report: () => BreakGlassReport;
}

const VAULT = "break-glass";

/** Opens a vault without a policy. Throws USAGE, KEY_INVALID, NO_BACKUP, SIGNATURE_INVALID, and what the storage throws. */
export async function openBreakGlass(request: BreakGlassRequest): Promise<BreakGlass> {
  const key = request.keyFile && localDecryptionKey(await readBreakGlassKey(request.keyFile, request.passphrase));
  const vault = await openVault(request.address);
  const roots = await openRoots(vault, request.trustFile);
  const clock = systemClock;
  const trustedKeys = openTrust([vault], async () => roots, clock);
  const trusted = await trustedKeys();
  const source = await chooseSource(vault, request.source);
  const manifest = await newestManifest(vault, source, trusted);
  const { policy, hash } = parsePolicy(JSON.stringify(policyFrom(manifest, source)), request.folder);
  const report: BreakGlassReport = {
    anchored: request.trustFile !== undefined,
    signingKeys: [...trusted.keys()],
    note: null,
  };
  const { tool } = request;
  const context: Context = {
    policy,
    policyHash: hash,
    tool,
    clock,
    resolve: async (_reference, field) => refuse(`${field}: a secret of a policy`),
    vaults: new Map([[VAULT, vault]]),
    recipients: async () => refuse("public keys to back up with"),
    signer: async () => refuse("a key to sign with"),
    decryptionKey: async () => {
      if (!key)
        throw new AppError("USAGE", "--break-glass: expected the private key that opens the backup, found none");
      const use = { command: request.command, source, keyId: key.keyId, tool, now: clock() };
      await note(vault, use, request.folder, report);
      return key;
    },
    trustedKeys,
  };
  return { context, source, report: () => ({ ...report }) };
}

/** What an emergency needs is opened also where it can't be noted. */
async function note(
  vault: Vault,
  use: Parameters<typeof leaveNote>[1],
  folder: string,
  report: BreakGlassReport,
): Promise<void> {
  try {
    report.note ??= await leaveNote(vault, use, folder);
  } catch (error: unknown) {
    report.noteError = reportError(error);
  }
}

/** Whoever reads so may have no right to write, and the vault's own state is not to be believed. */
async function openVault(address: string): Promise<Vault> {
  const storage = await openVaultStorage(VAULT, parseVaultAddress(address));
  return { name: VAULT, storage: { ...storage, state: openMemoryVault(VAULT).state } };
}

async function openRoots(vault: Vault, trustFile: string | undefined) {
  if (trustFile !== undefined) return [await readPublicKey(trustFile, "EC")];
  const published = await readPublishedSigningKeys(vault);
  if (published.length > 0) return published;
  throw new AppError(
    "SIGNATURE_INVALID",
    "the vault has no signing key of its own, so that no signature can be checked",
    {
      hint: "Give the public signing key from the safe with --trust; `keys/` is missing or damaged in this copy of the vault.",
    },
  );
}

/** By a listing that jumps from one top folder to the next, however many blobs are in them. */
async function chooseSource(vault: Vault, wanted: string | undefined): Promise<string> {
  const found: string[] = [];
  for (let after = ""; ;) {
    const next = await firstName(vault, "", after);
    if (next === undefined) break;
    const [top = ""] = next.split("/");
    const source = decodeURIComponent(top);
    if ((await firstName(vault, fullPlace(source).prefix, "")) !== undefined) found.push(source);
    // The character after the slash: everything below the folder sorts before it.
    after = `${top}0`;
  }
  const [only] = found;
  if (only === undefined)
    throw new AppError("NO_BACKUP", "there is no backup in the vault", { hint: "Check its address." });
  if (wanted === undefined && found.length === 1) return only;
  if (wanted !== undefined && found.includes(wanted)) return wanted;
  throw new AppError("USAGE", `--source: found "${wanted ?? "none"}", expected one of ${found.toSorted().join(", ")}`);
}

async function firstName({ storage }: Vault, prefix: string, after: string): Promise<string | undefined> {
  for await (const { name } of storage.data.list(prefix, after === "" ? {} : { after })) return name;
  return undefined;
}

async function newestManifest(vault: Vault, source: string, trusted: TrustedKeys): Promise<Manifest> {
  const backups = await listBackups({ vault, source, trusted });
  const newest = backups.findLast((backup) => backup.state === "valid");
  if (newest?.state === "valid") return newest.content;
  const last = backups.at(-1);
  const { code, message, hint } = toAppError(last?.state === "invalid" ? asError(last.error) : undefined);
  throw new AppError(code, `${source}: no backup in the vault can be believed; the newest: ${message}`, {
    hint: hint ?? "Give the public signing key from the safe with --trust.",
  });
}

function asError({ code, message, hint }: { code: AppError["code"]; message: string; hint?: string }): AppError {
  return new AppError(code, message, hint === undefined ? {} : { hint });
}

/** What a restore asks a policy for; its keys, times and secrets are never used. */
function policyFrom({ source: { kind }, scope }: Manifest, name: string): object {
  const unused = { env: "UNUSED" };
  return {
    environment: VAULT,
    vaults: { [VAULT]: { kind: "directory", path: "." } },
    keys: {
      encrypt: { kind: "file", publicKey: "-" },
      breakGlass: { publicKey: "-" },
      sign: { kind: "file", publicKey: "-" },
    },
    sources: [
      {
        name,
        kind,
        url: unused,
        vaults: [VAULT],
        rpo: "1h",
        rto: "1h",
        schedule: { full: "0 0 0 * * *" },
        excludeTables: scope?.excludeTables ?? [],
        ...(scope?.databases && { databases: scope.databases }),
      },
    ],
  };
}

function refuse(what: string): never {
  throw new AppError("USAGE", `there is no policy, and so no ${what}`, {
    hint: "With --vault dir:PATH or az:URL a vault is only read; leave it out for everything else.",
  });
}
