import { randomFillSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openBackupWriter } from "../../../lib/vault/backup-writer.ts";
import { openContext, vaultsOf } from "../../../lib/vault/context.ts";
import { initKeys } from "../../../lib/vault/keys/file-keys.ts";
import { policyDocument } from "../../support/policies.ts";
import type { Bench } from "../main.ts";
import type { Contest } from "../pairs.ts";
import { runCli, runShell, shellQuote } from "../run-process.ts";

const GIB = 1024 ** 3;
const BLOB_BYTES = 8 * 1024 * 1024;
const PIECE_BYTES = 1024 * 1024;
const ROWS = { rows: 1, fingerprint: "0".repeat(16) };

/** Verification of a vault of at least `gib` GiB in many blobs, against sha256sum over the same files. */
export async function openVerifyBench(gib: number): Promise<Bench> {
  const contest: Contest = {
    id: "verify-sha256sum",
    ratioAtMost: 1.25,
    rssMbAtMost: 300,
    async open(resources) {
      const folder = await mkdtemp(join(tmpdir(), "resguardo-bench-"));
      resources.defer(() => rm(folder, { recursive: true, force: true }));
      await initKeys(join(folder, "keys"));
      const env = { RESGUARDO_POLICY: join(folder, "policy.json"), SIGN_KEY: join(folder, "keys", "sign.key.pem") };
      await writeFile(env.RESGUARDO_POLICY, JSON.stringify(policyDocument({ vaults: ["primary"] })));
      await fillVault(env, Math.ceil((gib * GIB) / BLOB_BYTES));
      const data = shellQuote(join(folder, "primary", "data"));
      return {
        // It ends with 1 unless every blob is proven.
        ours: () => runCli(["verify", "--all", "--json"], env),
        peer: () => runShell(`find ${data} -type f -print0 | xargs -0 sha256sum > /dev/null`),
      };
    },
  };
  return { contests: [contest], measurements: [], [Symbol.asyncDispose]: async () => {} };
}

/** One full backup whose blobs zstd can't make smaller. */
async function fillVault(env: Readonly<Record<string, string>>, count: number): Promise<void> {
  const context = await openContext(env);
  const [source] = context.policy.sources;
  if (source === undefined) throw new Error("the policy has no source");
  const vaults = vaultsOf(context, source);
  for (const { storage } of vaults) await storage.prepare();
  const { policy, policyHash, tool, clock } = context;
  const writer = openBackupWriter({
    vaults,
    recipients: await context.recipients(),
    signer: await context.signer(),
    clock,
    source: { name: source.name, kind: source.kind },
    environment: policy.environment,
    policyHash,
    tool,
  });
  const table = { schema: "bench", name: "random" };
  const blobs = [];
  for (let part = 0; part < count; part++) {
    const entry = await writer.writeBlob(`rows/${String(part + 1).padStart(6, "0")}`, randomPieces());
    blobs.push({ ...entry, ...ROWS, role: "rows" as const, table: { ...table, part } });
  }
  const plainBytes = blobs.reduce((sum, blob) => sum + blob.plainBytes, 0);
  await writer.commit({
    consistentAt: clock().toISOString(),
    position: {},
    server: { kind: "mysql", version: "9.7.4" },
    blobs,
    tables: [{ ...table, rows: count, fingerprint: "0".repeat(16), plainBytes }],
  });
}

async function* randomPieces(): AsyncGenerator<Buffer, void, void> {
  for (let bytes = 0; bytes < BLOB_BYTES; bytes += PIECE_BYTES) yield randomFillSync(Buffer.allocUnsafe(PIECE_BYTES));
}
