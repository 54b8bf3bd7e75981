import { execFile } from "node:child_process";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { debianRoot, type DebianRoot } from "../../local/servers/debian-root.ts";

const exec = promisify(execFile);
const PROGRAM = fileURLToPath(new URL("../../docs/restore.py", import.meta.url));

export interface RestoreByHand {
  /** The `data` folder of a directory vault, or a download of a container. */
  dataFolder: string;
  source: string;
  backupId: string;
  /** PEM file of the vault's or the break-glass private key. */
  privateKey: string;
  /** Where the plain files go: `schema.json`, `rows/000001`, … */
  out: string;
  /** PEM file of the signing key; without it the vault's own copy is believed. */
  signingKey?: string;
}

/**
 * Runs docs/restore.py with Debian's own python3, python3-cryptography and zstd, from a private folder: neither this product
 * nor anything installed on the machine takes part. Returns what it printed; rejects with its standard error.
 */
export async function restoreByHand(restore: RestoreByHand): Promise<string> {
  const { dataFolder, source, backupId, privateKey, out, signingKey } = restore;
  const root = await debianRoot({ suite: "bookworm", packages: ["python3-cryptography", "zstd"] });
  const programs = join(out, ".programs");
  await linkZstd(root, programs);
  const [python, ...before] = root.command("bin/python3.11");
  const args = [
    PROGRAM,
    dataFolder,
    source,
    backupId,
    privateKey,
    out,
    ...(signingKey === undefined ? [] : [signingKey]),
  ];
  const { stdout } = await exec(python, [...before, ...args], {
    env: {
      PATH: programs,
      PYTHONHOME: root.usr,
      PYTHONDONTWRITEBYTECODE: "1",
    },
  });
  return stdout;
}

/** A `zstd` on a PATH of its own that starts the private one with its own loader. */
async function linkZstd(root: DebianRoot, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  const command = root.command("bin/zstd").map((part) => `'${part}'`);
  const path = join(folder, "zstd");
  await writeFile(path, `#!/bin/sh\nexec ${command.join(" ")} "$@"\n`);
  await chmod(path, 0o755);
}
