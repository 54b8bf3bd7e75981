import { createPrivateKey, createPublicKey, type KeyObject } from "node:crypto";
import { readFileSync } from "node:fs";

/** The key pairs of the golden files, made once by `initKeys`. They protect nothing. */
export function goldenPair(name: "encrypt" | "break-glass" | "sign"): { publicKey: KeyObject; privateKey: KeyObject } {
  const privateKey = createPrivateKey(readFileSync(new URL(`../golden/keys/${name}.key.pem`, import.meta.url)));
  return { privateKey, publicKey: createPublicKey(privateKey) };
}
