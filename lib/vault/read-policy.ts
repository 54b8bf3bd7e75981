import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { AppError } from "../core/errors.ts";
import { parsePolicy, type LoadedPolicy } from "../core/policy.ts";

/**
 * Reads the policy from a path or, over HTTPS, from a blob (with the app's identity, or the SAS in the URL).
 * Throws POLICY_UNREADABLE, POLICY_INVALID.
 */
export async function readPolicy(location: string): Promise<LoadedPolicy> {
  if (!/^https?:\/\//.test(location)) return parsePolicy(await readPolicyFile(location), dirname(resolve(location)));
  const { readBlobText } = await import("./storage/azure-blob-text.ts");
  return parsePolicy(await readBlobText(location), process.cwd());
}

async function readPolicyFile(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error: unknown) {
    throw new AppError("POLICY_UNREADABLE", `policy "${path}" can't be read`, {
      hint: "Name the policy's file with --policy or in the setting RESGUARDO_POLICY.",
      cause: error,
    });
  }
}
