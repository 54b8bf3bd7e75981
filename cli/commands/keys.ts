import { dirname } from "node:path";
import type { Command } from "commander";
import { AppError } from "../../lib/core/errors.ts";
import { findSource } from "../../lib/core/policy.ts";
import { parseDuration } from "../../lib/core/time.ts";
import type { Receipt } from "../../lib/jobs/receipt.ts";
import type { Context } from "../../lib/vault/context.ts";
import { initKeys, type KeyFile, nextPair, readPrivateKey } from "../../lib/vault/keys/file-keys.ts";
import { rotateKeyVaultKey } from "../../lib/vault/keys/key-vault.ts";
import { localDecryptionKey } from "../../lib/vault/keys/local-keys.ts";
import { keyName } from "../../lib/vault/names.ts";
import { inFolder } from "../../lib/vault/policy-keys.ts";
import { rotateSigningKey, type SigningRotation } from "../../lib/vault/rotate-signing.ts";
import { openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { terminalProgress } from "../progress.ts";
import { runNow } from "../run-now.ts";

interface RotateOptions extends CommonOptions {
  newKey?: true;
  signing?: true;
  overlap?: string;
  openWith?: string;
}

export const addKeys: AddCommand = (program) => {
  const keys = program.command("keys").description("keys of the vaults");
  keys
    .command("init")
    .description("make the encryption, break-glass and signing key pairs as PEM files; never overwrites one")
    .option("--dir <folder>", "where to write them", "keys")
    .option("--json", "print one JSON document on standard output")
    .action(async ({ dir, ...options }: CommonOptions & { dir: string }) => {
      const files = await initKeys(dir);
      print(options, { dir, files }, [
        ...files.map((file) => `${file.path}  ${file.purpose}`),
        "Move break-glass.key.pem to a safe now: it opens every backup, and nothing here needs it.",
      ]);
    });
  addRotate(keys);
};

function addRotate(keys: Command): void {
  keys
    .command("rotate")
    .description("wrap the data keys of all backups and logs for the keys that the policy names now; changes no data")
    .argument("[source]", "only this source")
    .option("--new-key", "first make a new vault key: a new version in Key Vault, or a new pair of files")
    .option("--signing", "introduce a new signing key instead, which follows the one of the policy")
    .option("--overlap <duration>", "with --signing: how long the old key still counts (default: a day and the grace)")
    .option(
      "--open-with <file>",
      "a private key that opens what is there, besides the policy's; the break-glass key too",
    )
    .option("--json", "print one JSON document on standard output")
    .option("--policy <file>", "policy file; default: the setting RESGUARDO_POLICY")
    .action(async (source: string | undefined, options: RotateOptions) => {
      const context = await openCommandContext(options, { openWith: await openKey(options.openWith) });
      if (options.signing) await rotateSigning(context, options);
      else if (options.newKey && (await makeNewKey(context, options)) === "policy-must-change") return;
      else await rotateSources(context, source, options);
    });
}

async function openKey(path: string | undefined) {
  return path === undefined ? undefined : localDecryptionKey(await readPrivateKey(path, "RSA", "--open-with"));
}

async function rotateSources(context: Context, only: string | undefined, options: RotateOptions): Promise<void> {
  const sources = only === undefined ? context.policy.sources : [findSource(context.policy, only)];
  const receipts: Receipt[] = [];
  for (const { name } of sources) {
    using progress = terminalProgress(process.stderr);
    const message = { v: 1, job: "rotate-keys", source: name, requestedBy: "operator" } as const;
    receipts.push(await runNow(message, context, progress.report));
  }
  print(options, { receipts }, receipts.map(describeReceipt));
}

function describeReceipt({ id, source, details: { figures } }: Receipt): string {
  const { revised, rewrapped, vaultKey } = figures;
  return `${source}: ${revised} backups and ${rewrapped} data keys of the log wrapped for key ${vaultKey}; receipt ${id}`;
}

async function makeNewKey(context: Context, options: RotateOptions): Promise<"made" | "policy-must-change"> {
  const { encrypt } = context.policy.keys;
  if (encrypt.kind === "key-vault") {
    if (encrypt.keyId !== undefined) {
      throw new AppError("USAGE", "--new-key: the policy names one version of the vault key, by keys.encrypt.keyId", {
        hint: "Make a new version in Key Vault, name its key id in the policy, and run `resguardo keys rotate`.",
      });
    }
    await rotateKeyVaultKey(encrypt.keyUrl, "RSA");
    return "made";
  }
  const folder = dirname(inFolder(context.keySource?.baseDir ?? ".", encrypt.publicKey));
  const files = await nextPair(folder, "encrypt", (keyId) => isPublished(context, keyId));
  print(options, { files }, [
    ...files.map((file) => `${file.path}  ${file.purpose}`),
    "Name this pair in the policy's keys.encrypt, move the old one to keys.previous, and run `resguardo keys rotate`.",
  ]);
  return "policy-must-change";
}

async function isPublished({ vaults }: Context, keyId: string): Promise<boolean> {
  for (const { storage } of vaults.values()) if (await storage.data.stat(keyName(keyId))) return true;
  return false;
}

const DAY_MS = 86_400_000;

async function rotateSigning(context: Context, options: RotateOptions): Promise<void> {
  const { keySource, policy } = context;
  if (keySource === undefined) throw new AppError("INVARIANT", "a policy without keys");
  const overlapMs = options.overlap ? parseDuration(options.overlap) : undefined;
  // A session key that was certified the moment before outlives its day by the grace.
  const graceMs = parseDuration(policy.keys.graceAfterExpiry);
  const rotation = await rotateSigningKey({ ...context, keySource }, overlapMs ?? DAY_MS + graceMs);
  print(options, rotation, describeRotation(rotation));
}

function describeRotation({ from, to, retiresAt, files, vaults }: SigningRotation): string[] {
  const behind = vaults.flatMap((vault) =>
    vault.state === "behind" ? [`${vault.vault}: ${vault.error.message}`] : [],
  );
  return [
    ...files.map((file: KeyFile) => `${file.path}  ${file.purpose}`),
    `key ${to} follows ${from}, whose signatures count until ${retiresAt}`,
    "Name the new key in the policy before then, and put its public half into the safe.",
    ...behind.map((text) => `BEHIND: ${text}; run it again when the vault answers`),
  ];
}
