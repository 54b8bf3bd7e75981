import { createHash } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BackupReader } from "../../lib/vault/backup-reader.ts";
import type { BackupWriter, EngineContent } from "../../lib/vault/backup-writer.ts";
import type { Manifest } from "../../lib/vault/manifest.ts";

const PIECE_BYTES = 1024 * 1024;

/** A backup held in memory, unsealed: for tests of an engine alone. What a vault adds is tested with real vaults. */
export class MemoryBackup implements BackupWriter, BackupReader {
  readonly id: string;
  readonly blobs = new Map<string, Buffer[]>();
  #content: EngineContent | undefined;

  constructor(id = "20261121T230413123Z-9f3a5c1e") {
    this.id = id;
  }

  async writeBlob(name: string, plain: AsyncIterable<Uint8Array>) {
    const pieces: Buffer[] = [];
    for await (const piece of plain) pieces.push(Buffer.from(piece));
    this.blobs.set(name, pieces);
    const hash = createHash("sha256");
    for (const piece of pieces) hash.update(piece);
    const plainBytes = pieces.reduce((sum, { length }) => sum + length, 0);
    return { name, sizeBytes: plainBytes, plainBytes, sha256: hash.digest("hex"), chunks: pieces.length };
  }

  commit(content: EngineContent): this {
    this.#content = content;
    return this;
  }

  get manifest(): Manifest {
    if (this.#content === undefined) throw new Error("the backup is not committed");
    const { blobs, tables } = this.#content;
    return {
      ...this.#content,
      format: "resguardo-manifest",
      version: 1,
      kind: "full",
      id: this.id,
      source: { name: "shop", kind: "mysql" },
      environment: "test",
      startedAt: this.#content.consistentAt,
      finishedAt: this.#content.consistentAt,
      tool: { name: "resguardo", version: "0.0.0", commit: null },
      policyHash: "",
      encryption: { cipher: "AES-256-GCM", kdf: "HKDF-SHA256", compression: "zstd", recipients: [] },
      totals: {
        rows: tables.reduce((sum, { rows }) => sum + rows, 0),
        plainBytes: blobs.reduce((sum, { plainBytes }) => sum + plainBytes, 0),
        storedBytes: blobs.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
      },
      vaults: [{ name: "memory", previous: null }],
    };
  }

  async *readBlob(name: string): AsyncGenerator<Buffer, void, void> {
    yield* this.blobs.get(name) ?? [];
  }

  /** Writes everything into a folder, for another process to load. */
  async save(folder: string): Promise<void> {
    for (const [name, pieces] of this.blobs) {
      await mkdir(join(folder, name, ".."), { recursive: true });
      await writeFile(join(folder, name), Buffer.concat(pieces));
    }
    await writeFile(join(folder, "content.json"), JSON.stringify(this.#content));
  }

  static async load(folder: string): Promise<MemoryBackup> {
    const backup = new MemoryBackup();
    const content = JSON.parse(await readFile(join(folder, "content.json"), "utf8")) as EngineContent;
    for (const { name } of content.blobs) {
      const bytes = await readFile(join(folder, name));
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += PIECE_BYTES) pieces.push(bytes.subarray(at, at + PIECE_BYTES));
      backup.blobs.set(name, pieces);
    }
    return backup.commit(content);
  }
}
