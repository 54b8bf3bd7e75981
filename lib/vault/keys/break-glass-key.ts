import { createPrivateKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { AppError } from "../../core/errors.ts";
import { checkKey } from "./local-keys.ts";

/**
 * A private key from the safe: a PEM file, whoever may read it, for a stick or a disc has no owner; with its passphrase where it
 * has one. Throws KEY_INVALID with what is wrong with the file, never with its content.
 */
export async function readBreakGlassKey(path: string, passphrase?: string): Promise<KeyObject> {
  const pem = await readText(path);
  if (!pem.includes("-----BEGIN"))
    throw invalid(path, "found no PEM key in it", "Name the .key.pem file from the safe.");
  if (!pem.includes("PRIVATE KEY")) {
    throw invalid(path, "found a public key, expected the private one", "It opens nothing: name the .key.pem file.");
  }
  const isEncrypted = /ENCRYPTED/.test(pem);
  if (isEncrypted && passphrase === undefined) {
    throw invalid(path, "it has a passphrase, and none was given", "Give it with --passphrase env:NAME.");
  }
  return checkKey(parse(path, pem, passphrase, isEncrypted), "RSA", path);
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error: unknown) {
    throw invalid(path, "the file can't be read", "Check the path, and that the safe's medium is mounted.", error);
  }
}

function parse(path: string, pem: string, passphrase: string | undefined, isEncrypted: boolean): KeyObject {
  try {
    return createPrivateKey({ key: pem, ...(passphrase !== undefined && { passphrase }) });
  } catch (error: unknown) {
    if (isEncrypted)
      throw invalid(path, "the passphrase does not open it", "Try the other copy of the passphrase.", error);
    throw invalid(path, "the PEM text in it is damaged", "Use another copy of the key from the safe.", error);
  }
}

function invalid(path: string, problem: string, hint: string, cause?: unknown): AppError {
  return new AppError("KEY_INVALID", `${path}: ${problem}`, { hint, cause });
}
