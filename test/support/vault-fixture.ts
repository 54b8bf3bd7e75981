import type { Clock } from "../../lib/core/time.ts";
import {
  type BackupWriterOptions,
  type BlobEntry,
  type CommittedBackup,
  type EngineContent,
  openBackupWriter,
} from "../../lib/vault/backup-writer.ts";
import { keyIdOf, trust } from "../../lib/vault/keys/key.ts";
import { localDecryptionKey, localSigningKey } from "../../lib/vault/keys/local-keys.ts";
import { openSessionSigner } from "../../lib/vault/keys/session-key.ts";
import { type MemoryVault, openMemoryVault } from "../../lib/vault/storage/memory.ts";
import type { Vault } from "../../lib/vault/vault.ts";
import { goldenPair } from "./golden-keys.ts";

export const SOURCE = "shop";
export const TOOL = { name: "resguardo", version: "0.1.0", commit: null };

/** A clock that moves one second each time it is read. */
export function tickingClock(start = "2026-11-21T23:04:13.123Z"): Clock {
  let time = Date.parse(start);
  return () => new Date((time += 1000));
}

export interface MemoryTestVault extends Vault {
  readonly storage: MemoryVault;
}

export function memoryVault(name = "primary"): MemoryTestVault {
  return { name, storage: openMemoryVault(name) };
}

/** The golden keys, as the backup side and the restoring side hold them. */
export function testKeys(clock: Clock = tickingClock()) {
  const [encrypt, breakGlass, sign] = [goldenPair("encrypt"), goldenPair("break-glass"), goldenPair("sign")];
  return {
    recipients: {
      vault: { keyId: keyIdOf(encrypt.publicKey), publicKey: encrypt.publicKey },
      breakGlass: { keyId: keyIdOf(breakGlass.publicKey), publicKey: breakGlass.publicKey },
    },
    signer: openSessionSigner({ signingKey: localSigningKey(sign.privateKey), clock }),
    trusted: trust([sign.publicKey]),
    decryption: localDecryptionKey(encrypt.privateKey),
    breakGlass: localDecryptionKey(breakGlass.privateKey),
  };
}

/** What opens a writer into these vaults. */
export function writerOptions(
  vaults: readonly Vault[],
  overrides: Partial<BackupWriterOptions> = {},
): BackupWriterOptions {
  const clock = overrides.clock ?? tickingClock();
  const { recipients, signer } = testKeys(clock);
  return {
    vaults,
    recipients,
    signer,
    clock,
    source: { name: SOURCE, kind: "mysql" },
    environment: "test",
    policyHash: "0".repeat(64),
    tool: TOOL,
    ...overrides,
  };
}

/** A small backup: a schema and parts of one table. `rows` are LOAD DATA lines without their line ends. */
export async function writeBackup(
  vaults: readonly Vault[],
  overrides: Partial<BackupWriterOptions> = {},
  rows: readonly string[][] = [["1\tone", "2\ttwo"], ["3\t\\N"]],
): Promise<CommittedBackup> {
  const writer = openBackupWriter(writerOptions(vaults, overrides));
  const schema = await writer.writeBlob("schema.json", pieces('{"version":1}'));
  const parts = await Promise.all(
    rows.map((lines, part) =>
      writer.writeBlob(`rows/${String(part + 1).padStart(6, "0")}`, pieces(lines.map((line) => `${line}\n`).join(""))),
    ),
  );
  return writer.commit(contentOf(schema, parts, rows));
}

export function contentOf(schema: BlobEntry, parts: BlobEntry[], rows: readonly string[][]): EngineContent {
  const table = { schema: "shop", name: "customer" };
  return {
    consistentAt: "2026-11-21T23:04:14.000123Z",
    position: { gtidSet: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-42", file: "binlog.000007", offset: 1234 },
    server: { kind: "mysql", version: "9.7.4" },
    blobs: [
      { ...schema, role: "schema" },
      ...parts.map((entry, part) => ({
        ...entry,
        role: "rows" as const,
        rows: rows[part]?.length ?? 0,
        fingerprint: "00000000000000ff",
        table: { ...table, part },
      })),
    ],
    tables: [
      {
        ...table,
        rows: rows.flat().length,
        fingerprint: "00000000000001fe",
        plainBytes: parts.reduce((total, { plainBytes }) => total + plainBytes, 0),
      },
    ],
  };
}

/** A stream of the given pieces. */
export async function* pieces(...parts: (string | Uint8Array)[]): AsyncGenerator<Uint8Array, void, void> {
  for (const part of parts) yield Buffer.from(part);
}

export async function collect(stream: AsyncIterable<Uint8Array>): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(stream));
}
