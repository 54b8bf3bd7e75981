import { createHash } from "node:crypto";
import { lstat, mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join, relative, sep } from "node:path";
import { z } from "zod";
import { AppError, toAppError } from "../core/errors.ts";
import { isId } from "../core/ids.ts";
import type { Clock } from "../core/time.ts";
import { openEnvelope, signEnvelope } from "../vault/envelope.ts";
import type { TrustedKeys } from "../vault/keys/key.ts";
import type { SessionSigner } from "../vault/keys/session-key.ts";
import { readRunRecordBytes } from "../vault/run-record.ts";
import type { Vault } from "../vault/vault.ts";
import type { CitedReceipt } from "./read-receipts.ts";
import type { EvidenceReport } from "./report.ts";
import { reportHtml } from "./report-html.ts";
import type { Lang } from "./words.ts";

/*
 * A folder that stands alone: report.json, report.html, the signed receipts byte by byte as they lie in a vault, and
 * manifest.json, written last, a signed record with the hash of every other file.
 */

const MANIFEST = "manifest.json";
const manifestSchema = z.object({
  format: z.literal("resguardo-evidence-manifest"),
  version: z.literal(1),
  environment: z.string(),
  from: z.string(),
  to: z.string(),
  madeAt: z.string(),
  files: z.array(z.object({ name: z.string(), sizeBytes: z.int(), sha256: z.string() })),
});

export type EvidenceManifest = z.output<typeof manifestSchema>;

export interface BundleOptions {
  /** Is made; must be absent or empty. */
  dir: string;
  lang: Lang;
  vaults: readonly Vault[];
  signer: SessionSigner;
  clock: Clock;
}

/** Writes the folder. Throws EVIDENCE_EXISTS where something lies in it. */
export async function writeBundle(
  report: EvidenceReport,
  receipts: readonly CitedReceipt[],
  { dir, lang, vaults, signer, clock }: BundleOptions,
): Promise<EvidenceManifest> {
  await mkdir(dir, { recursive: true });
  if ((await readdir(dir)).length > 0) {
    throw new AppError("EVIDENCE_EXISTS", `${dir}: expected an empty folder, found files in it`, {
      hint: "Name a new folder: evidence is never overwritten.",
    });
  }
  const files: EvidenceManifest["files"] = [];
  const add = async (name: string, content: string | Buffer): Promise<void> => {
    const bytes = Buffer.from(content);
    await mkdir(dirname(join(dir, name)), { recursive: true });
    await writeFile(join(dir, name), bytes, { flag: "wx" });
    files.push({ name, sizeBytes: bytes.length, sha256: sha256Of(bytes) });
  };
  await add("report.json", `${JSON.stringify(report, undefined, 2)}\n`);
  await add("report.html", reportHtml(report, receipts, lang));
  for (const receipt of receipts) await add(receiptName(receipt), await bytesOf(receipt, vaults));
  const { environment, from, to, madeAt } = report;
  const head = { format: "resguardo-evidence-manifest", version: 1, environment, from, to, madeAt } as const;
  const manifest: EvidenceManifest = { ...head, files };
  await writeFile(join(dir, MANIFEST), await signEnvelope("resguardo-evidence", manifest, signer, clock), {
    flag: "wx",
  });
  return manifest;
}

/** Only names that the product made itself become paths. */
function receiptName({ content: { id, source } }: CitedReceipt): string {
  if (!isId(id) || !/^[a-z0-9][a-z0-9-]*$/.test(source))
    throw new AppError("INVARIANT", "a receipt has an impossible name");
  return `receipts/${source}/${id}.json`;
}

async function bytesOf({ content, vault: name, sha256 }: CitedReceipt, vaults: readonly Vault[]): Promise<Buffer> {
  const vault = vaults.find((candidate) => candidate.name === name);
  if (!vault) throw new AppError("INVARIANT", `there is no vault ${name}`);
  const bytes = await readRunRecordBytes(vault, content.source, content.id);
  if (sha256Of(bytes) === sha256) return bytes;
  throw new AppError("BLOB_DAMAGED", `vault ${name}: the receipt ${content.id} changed while it was read`);
}

export interface BundleCheck {
  ok: boolean;
  manifest: Omit<EvidenceManifest, "files"> & { files: number };
  signedAt: string;
  signingKeyId: string;
  /** Receipts whose own signature was verified. */
  receipts: number;
  problems: { file: string; problem: "missing" | "changed" | "unlisted" | "unsigned"; message: string }[];
}

/** Proves a folder with public keys alone. Throws EVIDENCE_INVALID for one whose manifest can't be believed. */
export async function verifyBundle(dir: string, trusted: TrustedKeys): Promise<BundleCheck> {
  const { manifest, signedAt, signingKeyId } = await readManifest(dir, trusted);
  const problems: BundleCheck["problems"] = [];
  let receipts = 0;
  const listed = new Set(manifest.files.map(({ name }) => name));
  for (const name of await filesIn(dir)) {
    if (name !== MANIFEST && !listed.has(name))
      problems.push({ file: name, problem: "unlisted", message: "the manifest does not name it" });
  }
  for (const { name, sha256 } of manifest.files) {
    const bytes = await readPlain(dir, name);
    if (bytes === undefined)
      problems.push({ file: name, problem: "missing", message: "it is not there, or no plain file" });
    else if (sha256Of(bytes) !== sha256)
      problems.push({ file: name, problem: "changed", message: `expected the hash ${sha256}` });
    else if (name.startsWith("receipts/")) {
      try {
        openEnvelope(bytes, "resguardo-run", trusted, name);
        receipts++;
      } catch (error: unknown) {
        problems.push({ file: name, problem: "unsigned", message: toAppError(error).message });
      }
    }
  }
  const { files, ...head } = manifest;
  return {
    ok: problems.length === 0,
    manifest: { ...head, files: files.length },
    signedAt,
    signingKeyId,
    receipts,
    problems,
  };
}

async function readManifest(dir: string, trusted: TrustedKeys) {
  const bytes = await readPlain(dir, MANIFEST);
  if (bytes === undefined) {
    throw new AppError("EVIDENCE_INVALID", `${dir}: found no ${MANIFEST}`, {
      hint: "Name the folder that `resguardo evidence --out` made, as a whole.",
    });
  }
  const { payload, signedAt, signingKeyId } = openEnvelope(bytes, "resguardo-evidence", trusted, MANIFEST);
  const parsed = manifestSchema.safeParse(payload);
  if (parsed.success) return { manifest: parsed.data, signedAt, signingKeyId };
  throw new AppError("EVIDENCE_INVALID", `${MANIFEST}: not a manifest of evidence of version 1`);
}

/** Undefined for what is not there, and for a link or folder: a bundle has neither. */
async function readPlain(dir: string, name: string): Promise<Buffer | undefined> {
  if (name.split("/").some((part) => part === "" || part === "." || part === "..")) return undefined;
  try {
    const path = join(dir, name);
    return (await lstat(path)).isFile() ? await readFile(path) : undefined;
  } catch (error: unknown) {
    if (error instanceof Error && "code" in error && (error.code === "ENOENT" || error.code === "ENOTDIR"))
      return undefined;
    throw error;
  }
}

async function filesIn(dir: string): Promise<string[]> {
  const entries = await readdir(dir, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => relative(dir, join(entry.parentPath, entry.name)).split(sep).join("/"))
    .toSorted();
}

function sha256Of(bytes: Buffer): string {
  return createHash("sha256").update(bytes).digest("hex");
}
