import { createHash } from "node:crypto";
import { BufferPool } from "../core/buffer-pool.ts";
import { AppError } from "../core/errors.ts";
import type { Clock } from "../core/time.ts";
import type { Tool } from "../core/tool.ts";
import { makeDataKey, wrapDataKey } from "./keys/data-key.ts";
import type { EncryptionKey, Recipient } from "./keys/key.ts";
import { seal } from "./sealing.ts";
import type { SegmentContent, SegmentManifest } from "./segment-manifest.ts";

/** The name under which a segment's data is sealed: part of what its chunks authenticate. */
export const SEGMENT_DATA = "log";

export interface Recipients {
  vault: EncryptionKey;
  breakGlass: EncryptionKey;
}

/** A data key and its wrapped copies. */
export interface LogKey {
  dataKey: Buffer;
  recipients: Recipient[];
}

const KEY_LIFETIME_MS = 24 * 3_600_000;
const keys = new WeakMap<Recipients, { key: LogKey; madeAt: number }>();

/**
 * The data key for segments that are written now. A process keeps one for a day: each blob has a key of its own derived from
 * it, and a restore asks the key service once for it instead of once a segment.
 */
export function logKey(recipients: Recipients, now: Date): LogKey {
  const known = keys.get(recipients);
  if (known && Math.abs(now.getTime() - known.madeAt) < KEY_LIFETIME_MS) return known.key;
  const dataKey = makeDataKey();
  const wrapped = [
    wrapDataKey(dataKey, "vault", recipients.vault),
    wrapDataKey(dataKey, "break-glass", recipients.breakGlass),
  ];
  const key = { dataKey, recipients: wrapped };
  keys.set(recipients, { key, madeAt: now.getTime() });
  return key;
}

export interface SegmentOptions {
  id: string;
  source: { name: string; kind: string };
  environment: string;
  policyHash: string;
  tool: Tool;
  key: LogKey;
  clock: Clock;
}

/** A segment whose data is sealed, in memory, ready to be signed and stored. */
export interface SealedSegment {
  manifest: Omit<SegmentManifest, "vaults">;
  frames: Buffer[];
}

/** Where segments come from and go to. */
export interface SegmentSink {
  open(): OpenSegment;
  /** Durable when it returns. */
  store(segment: SealedSegment): Promise<void>;
}

/** Bytes are gathered in pieces of this size, which the sealer takes without a copy. */
const PIECE_BYTES = 2 * 1024 * 1024;
/** Bytes that wait for the sealer before `write` waits. */
const QUEUE_LIMIT_BYTES = 8 * 1024 * 1024;

/** Its memory is used again: garbage of the size of the log would cost as much as compressing it. */
const piecePool = new BufferPool(PIECE_BYTES, 8);

/** A segment that is being filled: its data is compressed and sealed while it comes. */
export class OpenSegment {
  readonly id: string;
  plainBytes = 0;
  readonly #options: SegmentOptions;
  readonly #startedAt: Date;
  readonly #queue: Buffer[] = [];
  readonly #sealed: Promise<{ frames: Buffer[]; data: SegmentManifest["data"] }>;
  #queuedBytes = 0;
  /** What is being gathered. */
  #piece: Buffer | undefined;
  #filled = 0;
  #isEnded = false;
  #onChange = Promise.withResolvers<void>();

  constructor(options: SegmentOptions) {
    this.#options = options;
    this.id = options.id;
    this.#startedAt = options.clock();
    this.#sealed = this.#seal();
    // Seen by `write` or `close`.
    this.#sealed.catch(() => {});
  }

  /** Takes a copy of the bytes. Waits while the sealer is behind. */
  async write(bytes: Buffer): Promise<void> {
    if (this.#isEnded) throw new AppError("INVARIANT", `segment ${this.id}: already closed`);
    this.plainBytes += bytes.length;
    for (let taken = 0; taken < bytes.length;) {
      this.#piece ??= piecePool.take();
      const size = bytes.copy(this.#piece, this.#filled, taken);
      taken += size;
      this.#filled += size;
      if (this.#filled === PIECE_BYTES) this.#handOver(this.#piece);
    }
    while (this.#queuedBytes > QUEUE_LIMIT_BYTES) await Promise.race([this.#onChange.promise, this.#sealed]);
  }

  /** Ends the data and describes it. */
  async close(content: SegmentContent): Promise<SealedSegment> {
    if (this.#piece !== undefined) this.#handOver(this.#piece.subarray(0, this.#filled));
    this.#isEnded = true;
    this.#changed();
    const { frames, data } = await this.#sealed;
    const { id, source, environment, policyHash, tool, key, clock } = this.#options;
    const manifest = {
      format: "resguardo-segment" as const,
      version: 1 as const,
      id,
      source,
      environment,
      startedAt: this.#startedAt.toISOString(),
      finishedAt: clock().toISOString(),
      ...content,
      tool,
      policyHash,
      encryption: {
        cipher: "AES-256-GCM" as const,
        kdf: "HKDF-SHA256" as const,
        compression: "zstd" as const,
        recipients: key.recipients,
      },
      data,
    };
    return { manifest, frames };
  }

  /** Gives the data up. */
  abort(): void {
    this.#isEnded = true;
    this.#queue.length = 0;
    this.#piece = undefined;
    this.#changed();
  }

  #handOver(piece: Buffer): void {
    this.#piece = undefined;
    this.#filled = 0;
    this.#queue.push(piece);
    this.#queuedBytes += piece.length;
    this.#changed();
  }

  async #seal(): Promise<{ frames: Buffer[]; data: SegmentManifest["data"] }> {
    const frames: Buffer[] = [];
    const hash = createHash("sha256");
    let sizeBytes = 0;
    const context = { dataKey: this.#options.key.dataKey, backupId: this.id, blobName: SEGMENT_DATA };
    const recycle = (piece: Uint8Array): void => piecePool.recycle(piece);
    const { bytes, totals } = seal(this.#take(), { ...context, recycle });
    for await (const frame of bytes) {
      frames.push(frame);
      hash.update(frame);
      sizeBytes += frame.length;
    }
    return { frames, data: { sizeBytes, ...totals, sha256: hash.digest("hex") } };
  }

  async *#take(): AsyncGenerator<Buffer, void, void> {
    for (;;) {
      const bytes = this.#queue.shift();
      if (bytes !== undefined) {
        this.#queuedBytes -= bytes.length;
        this.#changed();
        yield bytes;
      } else if (this.#isEnded) return;
      else await this.#onChange.promise;
    }
  }

  #changed(): void {
    this.#onChange.resolve();
    this.#onChange = Promise.withResolvers<void>();
  }
}
