import { readRange } from "./read-range.ts";
import type { ByteRange, CallOptions } from "./storage/storage.ts";
import type { Vault } from "./vault.ts";

/** Read at once, and kept until something else is wanted. */
const BLOCK_BYTES = 4 * 1024 * 1024;

interface Block {
  name: string;
  offset: number;
  bytes: Promise<Buffer>;
  length: number;
}

/** Reads stretches of blobs that mostly follow each other: small ones are taken out of one larger read. */
export class ReadAhead {
  readonly #vault: Vault;
  #block: Block | undefined;

  constructor(vault: Vault) {
    this.#vault = vault;
  }

  /** The bytes of a stretch; `endOffset` is where what may be wanted next ends. Throws what the storage throws. */
  async *read(
    name: string,
    { offset, length }: ByteRange,
    endOffset: number,
    options: CallOptions = {},
  ): AsyncGenerator<Buffer, void, void> {
    if (length >= BLOCK_BYTES) {
      yield* this.#vault.storage.data.read(name, { offset, length }, options);
      return;
    }
    const block = this.#covers(name, offset, length) ?? this.#fetch(name, offset, endOffset - offset, options);
    const from = offset - block.offset;
    yield (await block.bytes).subarray(from, from + length);
  }

  #covers(name: string, offset: number, length: number): Block | undefined {
    const block = this.#block;
    const isThere = block?.name === name && offset >= block.offset && offset + length <= block.offset + block.length;
    return isThere ? block : undefined;
  }

  #fetch(name: string, offset: number, left: number, options: CallOptions): Block {
    const length = Math.min(BLOCK_BYTES, left);
    const bytes = readRange(this.#vault, name, offset, length, options);
    const block = { name, offset, length, bytes };
    this.#block = block;
    bytes.catch(() => {
      if (this.#block === block) this.#block = undefined;
    });
    return block;
  }
}
