import { parsePolicy, type LoadedPolicy } from "../../lib/core/policy.ts";
import type { SourcePolicy } from "../../lib/core/policy-schema.ts";

/** The JSON of a policy that is right, with fields of the one source replaced. */
export function policyDocument(source: Record<string, unknown> = {}, policy: Record<string, unknown> = {}): object {
  return {
    environment: "test",
    vaults: { primary: { kind: "directory", path: "primary" }, offsite: { kind: "directory", path: "offsite" } },
    keys: {
      encrypt: { kind: "file", publicKey: "keys/encrypt.pub.pem", privateKey: { env: "DECRYPT_KEY" } },
      breakGlass: { publicKey: "keys/break-glass.pub.pem" },
      sign: { kind: "file", publicKey: "keys/sign.pub.pem", privateKey: { env: "SIGN_KEY" } },
    },
    sources: [
      {
        name: "shop",
        kind: "mysql",
        url: { env: "SHOP_URL" },
        vaults: ["primary", "offsite"],
        rpo: "15m",
        rto: "1h",
        schedule: { full: "0 0 3 * * *" },
        ...source,
      },
    ],
    ...policy,
  };
}

export function testPolicy(source: Record<string, unknown> = {}, policy: Record<string, unknown> = {}): LoadedPolicy {
  return parsePolicy(JSON.stringify(policyDocument(source, policy)), "/");
}

/** The one source of `testPolicy`. */
export function testSource(source: Record<string, unknown> = {}): SourcePolicy {
  const [only] = testPolicy(source).policy.sources;
  if (!only) throw new Error("the test policy has no source");
  return only;
}
