/** Memory for pieces of text that is used again, since garbage of the size of a backup would cost as much as compressing it. */
export class TextPool {
  readonly #pieceBytes: number;
  readonly #free: ArrayBuffer[] = [];
  readonly #issued = new WeakSet<Uint8Array>();

  constructor(pieceBytes: number) {
    this.#pieceBytes = pieceBytes;
  }

  /** A copy of at most `pieceBytes` bytes. It is its holder's until it comes to `recycle`; it need not come. */
  copy(bytes: Uint8Array): Buffer {
    const memory = this.#free.pop() ?? Buffer.allocUnsafeSlow(this.#pieceBytes).buffer;
    const piece = Buffer.from(memory, 0, bytes.length);
    piece.set(bytes);
    this.#issued.add(piece);
    return piece;
  }

  /** Takes back what `copy` made, once; anything else is left alone. */
  recycle(piece: Uint8Array): void {
    if (this.#issued.delete(piece)) this.#free.push(piece.buffer as ArrayBuffer);
  }
}
