/** Memory of one size that is used again, since garbage of the size of a backup would cost as much as compressing it. */
export class BufferPool {
  readonly #sizeBytes: number;
  readonly #maxFree: number;
  readonly #free: ArrayBuffer[] = [];
  readonly #issued = new WeakSet<Uint8Array>();

  /** Keeps at most `maxFree` pieces that nobody uses. */
  constructor(sizeBytes: number, maxFree = Number.POSITIVE_INFINITY) {
    this.#sizeBytes = sizeBytes;
    this.#maxFree = maxFree;
  }

  /** Memory with anything in it. It is its holder's until it comes to `recycle`; it need not come. */
  take(): Buffer {
    return this.#issue(this.#sizeBytes);
  }

  /** A copy of bytes that fit. */
  copy(bytes: Uint8Array): Buffer {
    const piece = this.#issue(bytes.length);
    piece.set(bytes);
    return piece;
  }

  /** Takes back what was issued, once; anything else, also a part of it, is left alone. */
  recycle(piece: Uint8Array): void {
    if (this.#issued.delete(piece) && this.#free.length < this.#maxFree) this.#free.push(piece.buffer as ArrayBuffer);
  }

  #issue(length: number): Buffer {
    const memory = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#sizeBytes).buffer;
    const piece = Buffer.from(memory, 0, length);
    this.#issued.add(piece);
    return piece;
  }
}
