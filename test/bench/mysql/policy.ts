import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { initKeys } from "../../../lib/vault/keys/file-keys.ts";
import type { MysqlServer } from "../../../local/servers/mysql.ts";

/** Settings of the command line, for a policy with the one source `bench`. */
export type BenchEnv = Readonly<Record<string, string>>;

/** The folder of the vault. */
export function vaultIn(folder: string): string {
  return join(folder, "vault");
}

/** Writes a policy with keys and a vault of its own into the folder. */
export async function writePolicy(
  folder: string,
  source: MysqlServer,
  target: MysqlServer,
  database: string,
): Promise<BenchEnv> {
  const keys = join(folder, "keys");
  await mkdir(folder, { recursive: true });
  await initKeys(keys);
  const policy = {
    environment: "bench",
    vaults: { primary: { kind: "directory", path: "vault" } },
    keys: {
      encrypt: { kind: "file", publicKey: "keys/encrypt.pub.pem", privateKey: { env: "BENCH_DECRYPT_KEY" } },
      breakGlass: { publicKey: "keys/break-glass.pub.pem" },
      sign: { kind: "file", publicKey: "keys/sign.pub.pem", privateKey: { env: "BENCH_SIGN_KEY" } },
    },
    sources: [
      {
        name: "bench",
        kind: "mysql",
        url: { env: "BENCH_SOURCE_URL" },
        databases: [database],
        vaults: ["primary"],
        rpo: "15m",
        rto: "1h",
        schedule: { full: "0 0 3 * * *" },
      },
    ],
  };
  await writeFile(join(folder, "policy.json"), JSON.stringify(policy));
  return {
    RESGUARDO_POLICY: join(folder, "policy.json"),
    BENCH_SOURCE_URL: source.url,
    BENCH_TARGET_URL: target.url,
    BENCH_DECRYPT_KEY: join(keys, "encrypt.key.pem"),
    BENCH_SIGN_KEY: join(keys, "sign.key.pem"),
  };
}
