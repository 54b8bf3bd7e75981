/** Takes exact numbers of bytes from a stream of pieces of any size; copies only what spans pieces. */
export class ByteReader implements AsyncDisposable {
  readonly #pieces: AsyncIterator<Buffer>;
  readonly #onPiece: (piece: Buffer) => void;
  #rest: Buffer = Buffer.alloc(0);

  /** `onPiece` sees every piece once, in order, before any of its bytes are taken. */
  constructor(pieces: AsyncIterable<Buffer>, onPiece: (piece: Buffer) => void) {
    this.#pieces = pieces[Symbol.asyncIterator]();
    this.#onPiece = onPiece;
  }

  /** The next `length` bytes, or fewer where the stream ends before. */
  async take(length: number): Promise<Buffer> {
    if (this.#rest.length === 0 && length > 0) await this.#refill();
    if (this.#rest.length >= length) return this.#cut(length);
    const whole = Buffer.allocUnsafe(length);
    let filled = 0;
    while (filled < length && (this.#rest.length > 0 || (await this.#refill()))) {
      const part = this.#cut(Math.min(length - filled, this.#rest.length));
      filled += part.copy(whole, filled);
    }
    return whole.subarray(0, filled);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pieces.return?.();
  }

  #cut(length: number): Buffer {
    const part = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(length);
    return part;
  }

  async #refill(): Promise<boolean> {
    for (;;) {
      const next = await this.#pieces.next();
      if (next.done) return false;
      this.#onPiece(next.value);
      this.#rest = next.value;
      if (next.value.length > 0) return true;
    }
  }
}
