import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { initKeys } from "../../lib/vault/keys/file-keys.ts";
import { cacheFolder } from "../servers/cache.ts";
import { startMysql } from "../servers/mysql.ts";
import { makeShop, runShopWriter } from "./shop.ts";

const ORDER_EVERY_MS = 500;

export interface Demo extends AsyncDisposable {
  /** Settings that the app needs to run the demo's policy. */
  readonly env: Readonly<Record<string, string>>;
  /** The same for a shell to read: `. FILE`. */
  readonly envFile: string;
}

/** Starts a shop on a MySQL server with customers who order, a second server for restore tests, and a policy with fresh keys. */
export async function startDemo(storageConnectionString: string, say: (line: string) => void): Promise<Demo> {
  say("starting two MySQL servers: a shop with customers who order, and one for restore tests");
  const dir = join(cacheFolder(), "demo");
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  await initKeys(join(dir, "keys"));
  await writeFile(join(dir, "policy.json"), `${JSON.stringify(DEMO_POLICY, undefined, 2)}\n`);

  await using servers = new AsyncDisposableStack();
  const [source, scratch] = await Promise.all([startMysql(), startMysql()]);
  servers.use(source);
  servers.use(scratch);
  await makeShop(source.url);
  const stopping = new AbortController();
  const writer = runShopWriter(source.url, ORDER_EVERY_MS, stopping.signal);
  servers.defer(async () => {
    stopping.abort();
    await writer;
  });
  const env = {
    RESGUARDO_POLICY: join(dir, "policy.json"),
    DEMO_SHOP_URL: source.url,
    DEMO_SCRATCH_URL: scratch.url,
    DEMO_STORAGE: storageConnectionString,
    DEMO_DECRYPT_KEY: join(dir, "keys", "encrypt.key.pem"),
    DEMO_SIGN_KEY: join(dir, "keys", "sign.key.pem"),
  };
  const envFile = join(dir, "env");
  await writeFile(envFile, shellExports(env), { mode: 0o600 });
  const started = servers.move();
  return {
    env,
    envFile,
    [Symbol.asyncDispose]: () => started.disposeAsync(),
  };
}

function shellExports(env: Readonly<Record<string, string>>): string {
  const lines = Object.entries(env).map(([name, value]) => `export ${name}='${value.replaceAll("'", "'\\''")}'`);
  return `${lines.join("\n")}\n`;
}

/** A quick schedule, so that a visitor sees every timer at work within minutes. */
const DEMO_POLICY = {
  environment: "demo",
  vaults: {
    primary: { kind: "azure-blob", connectionString: { env: "DEMO_STORAGE" }, container: "resguardo" },
    offsite: { kind: "directory", path: "offsite" },
  },
  keys: {
    encrypt: { kind: "file", publicKey: "keys/encrypt.pub.pem", privateKey: { env: "DEMO_DECRYPT_KEY" } },
    breakGlass: { publicKey: "keys/break-glass.pub.pem" },
    sign: { kind: "file", publicKey: "keys/sign.pub.pem", privateKey: { env: "DEMO_SIGN_KEY" } },
  },
  sources: [
    {
      name: "shop",
      kind: "mysql",
      url: { env: "DEMO_SHOP_URL" },
      databases: ["shop"],
      vaults: ["primary", "offsite"],
      rpo: "15m",
      rto: "1h",
      schedule: { full: "0 */2 * * * *", ship: "0 * * * * *", verify: "0 1-59/4 * * * *" },
      log: { segmentEvery: "2s" },
      restoreTests: [
        { kind: "pitr", schedule: "0 */5 * * * *", target: { env: "DEMO_SCRATCH_URL" } },
        { kind: "from-zero", schedule: "30 */10 * * * *", target: { env: "DEMO_SCRATCH_URL" } },
      ],
    },
  ],
};
