import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, open, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { AppError } from "../../core/errors.ts";
import { syncFolder } from "../storage/directory-files.ts";
import { type EncryptionKey, keyIdOf } from "./key.ts";
import { checkKey, type KeyUse } from "./local-keys.ts";

const generate = promisify(generateKeyPair);
const GROUP_AND_WORLD = 0o077;

/** One file that `initKeys` made. */
export interface KeyFile {
  path: string;
  /** For people: what the file is for and where it belongs. */
  purpose: string;
  /** The same for both halves of a pair. */
  keyId: string;
  isPrivate: boolean;
}

const PAIRS = [
  {
    name: "encrypt",
    publicPurpose: "seals backups; the backup side needs no more",
    privatePurpose: "opens backups; only for the side that restores",
  },
  {
    name: "break-glass",
    publicPurpose: "second recipient of every backup",
    privatePurpose: "opens every backup; belongs in a safe, not on this machine",
  },
  {
    name: "sign",
    publicPurpose: "verifies manifests and receipts; keep a copy in the safe",
    privatePurpose: "certifies the keys that sign manifests and receipts",
  },
] as const;

/**
 * Makes the three key pairs of a policy as PEM files in `folder`: RSA-3072 `encrypt` and `break-glass`, EC P-256 `sign`, as
 * NAME.pub.pem and NAME.key.pem (readable by their owner only). Never overwrites: throws KEY_EXISTS when any is there.
 */
export async function initKeys(folder: string): Promise<KeyFile[]> {
  await attempt(folder, () => mkdir(folder, { recursive: true, mode: 0o700 }));
  const paths = PAIRS.flatMap(({ name }) => [join(folder, `${name}.pub.pem`), join(folder, `${name}.key.pem`)]);
  const found = paths.filter((path) => existsSync(path));
  if (found.length > 0) throw keyExists(found.join(", "));
  const files = await Promise.all(PAIRS.map((pair) => makePair(folder, pair)));
  // With the files' own sync: keys that a power cut takes away would take every backup made with them.
  await syncFolder(folder);
  return files.flat();
}

/**
 * The pair that is to follow one of `initKeys`: `encrypt-2`, `encrypt-3`, …, the first that is not there or that `isUsed` says
 * nobody uses yet, which an earlier call has made. Throws KEY_INVALID.
 */
export async function nextPair(
  folder: string,
  name: "encrypt" | "sign",
  isUsed: (keyId: string) => Promise<boolean>,
): Promise<KeyFile[]> {
  const pair = PAIRS.find((candidate) => candidate.name === name);
  if (pair === undefined) throw new AppError("INVARIANT", `no pair of keys is called ${name}`);
  for (let number = 2; ; number++) {
    const files = `${name}-${number}`;
    const paths = [`${files}.pub.pem`, `${files}.key.pem`].map((file) => join(folder, file));
    const [publicPath = "", privatePath = ""] = paths;
    if (!paths.some((path) => existsSync(path))) {
      const made = await makePair(folder, pair, files);
      await syncFolder(folder);
      return made;
    }
    if (!paths.every((path) => existsSync(path))) continue;
    const keyId = keyIdOf(await readPublicKey(publicPath, name === "sign" ? "EC" : "RSA"));
    if (!(await isUsed(keyId))) return describePair(pair, { publicPath, privatePath, keyId });
  }
}

async function makePair(folder: string, pair: (typeof PAIRS)[number], files: string = pair.name): Promise<KeyFile[]> {
  const { publicKey, privateKey } =
    pair.name === "sign"
      ? await generate("ec", { namedCurve: "P-256" })
      : await generate("rsa", { modulusLength: 3072 });
  const keyId = keyIdOf(publicKey);
  const publicPath = join(folder, `${files}.pub.pem`);
  const privatePath = join(folder, `${files}.key.pem`);
  await writeNew(privatePath, toPem(privateKey, "pkcs8"), 0o600);
  await writeNew(publicPath, toPem(publicKey, "spki"), 0o644);
  return describePair(pair, { publicPath, privatePath, keyId });
}

function describePair(
  pair: (typeof PAIRS)[number],
  { publicPath, privatePath, keyId }: { publicPath: string; privatePath: string; keyId: string },
): KeyFile[] {
  return [
    { path: publicPath, purpose: pair.publicPurpose, keyId, isPrivate: false },
    { path: privatePath, purpose: pair.privatePurpose, keyId, isPrivate: true },
  ];
}

/** Reads the public half of an encryption key from a PEM file. Throws KEY_INVALID. */
export async function readEncryptionKey(path: string): Promise<EncryptionKey> {
  const publicKey = await readPublicKey(path, "RSA");
  return { keyId: keyIdOf(publicKey), publicKey };
}

/** Reads a public key from a PEM file. A private key in its place is refused: it should not lie there. Throws KEY_INVALID. */
export async function readPublicKey(path: string, use: KeyUse): Promise<KeyObject> {
  const pem = await readText(path);
  if (pem.includes("PRIVATE KEY")) {
    throw new AppError("KEY_INVALID", `${path}: found a private key, expected a public one`, {
      hint: "Name the .pub.pem file here, and keep the private key where only the restoring side can read it.",
    });
  }
  return checkKey(
    parseKey(() => createPublicKey(pem), path),
    use,
    path,
  );
}

/**
 * A private key from a setting's value: PEM text (line ends may be written as `\n`), or the path of a PEM file, which only its
 * owner may be able to read. `field` is what messages call it. Throws KEY_INVALID.
 */
export async function readPrivateKey(value: string, use: KeyUse, field: string): Promise<KeyObject> {
  const pem = value.includes("-----BEGIN") ? value.replaceAll("\\n", "\n") : await readPrivateFile(value, field);
  return checkKey(
    parseKey(() => createPrivateKey(pem), field),
    use,
    field,
  );
}

async function readPrivateFile(path: string, field: string): Promise<string> {
  const text = await readText(path, `${field}: neither PEM text nor a readable file`);
  const { mode } = await stat(path);
  if (process.platform !== "win32" && (mode & GROUP_AND_WORLD) !== 0) {
    const found = (mode & 0o777).toString(8).padStart(4, "0");
    throw new AppError(
      "KEY_INVALID",
      `${field}: others may read or change the private key file: found mode ${found}, expected 0600`,
      {
        hint: "Run `chmod 600` on the file, and replace the key if somebody may have read it.",
      },
    );
  }
  return text;
}

async function readText(path: string, message = `${path}: the key file can't be read`): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error: unknown) {
    // The path is not repeated where it may be a mistyped secret.
    throw new AppError("KEY_INVALID", message, {
      hint: "Check the path in the policy; `resguardo keys init` makes a set of keys.",
      cause: error,
    });
  }
}

function parseKey(parse: () => KeyObject, field: string): KeyObject {
  try {
    return parse();
  } catch (error: unknown) {
    throw new AppError("KEY_INVALID", `${field}: not a PEM key without a passphrase`, {
      hint: "Give PKCS#8 or SubjectPublicKeyInfo in PEM, as `resguardo keys init` writes them.",
      cause: error,
    });
  }
}

function toPem(key: KeyObject, type: "pkcs8" | "spki"): string {
  return key.export({ type, format: "pem" }).toString();
}

async function writeNew(path: string, text: string, mode: number): Promise<void> {
  await attempt(path, async () => {
    await using file = await open(path, "wx", mode);
    await file.writeFile(text);
    await file.sync();
  });
}

async function attempt(path: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error: unknown) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") throw keyExists(path);
    throw new AppError("KEY_INVALID", `${path}: can't be written`, {
      hint: "Name a folder that this user may write to.",
      cause: error,
    });
  }
}

function keyExists(files: string): AppError {
  return new AppError("KEY_EXISTS", `nothing was overwritten: found ${files}`, {
    hint: "Use the keys that are there, or name another folder; backups made with them need the old private keys.",
  });
}
