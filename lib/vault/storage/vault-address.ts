import { resolve } from "node:path";
import { AppError } from "../../core/errors.ts";
import type { ResolvedVaultConfig } from "./config.ts";

/** Whether a text says itself where a vault is, and is no name in a policy. */
export function isVaultAddress(text: string): boolean {
  return /^(?:dir|az):/.test(text);
}

/**
 * Reads `dir:PATH`, or `az:URL` with the URL of a container, with or without a SAS. Throws USAGE, never with the text: a SAS is
 * a secret.
 */
export function parseVaultAddress(text: string): ResolvedVaultConfig {
  if (text.startsWith("dir:") && text.length > "dir:".length) {
    return { kind: "directory", path: resolve(text.slice("dir:".length)) };
  }
  const url = text.startsWith("az:") ? URL.parse(text.slice("az:".length)) : null;
  const parts = url?.pathname.split("/").filter(Boolean) ?? [];
  const container = parts.pop();
  if (url === null || container === undefined) {
    throw new AppError(
      "USAGE",
      "--vault: expected dir:PATH or az:https://ACCOUNT.blob.core.windows.net/CONTAINER?SAS",
      {
        hint: "Name the container in the URL's path; a SAS for reading it is enough.",
      },
    );
  }
  url.pathname = parts.join("/");
  return { kind: "azure-blob", url: url.href, container };
}
