const LINE_FEED = 0x0a;

/**
 * Cuts LOAD DATA text into pieces of whole lines, each as long as `limitBytes` or up to the end of the line there. Where
 * it cuts depends on the text alone, so that a second reading comes to the same pieces. A line of any length passes
 * through in the buffers that it came in.
 */
export class PieceCutter {
  readonly #source: AsyncIterator<Buffer>;
  readonly #limitBytes: number;
  #waiting: Buffer | undefined;

  constructor(source: AsyncIterable<Buffer>, limitBytes: number) {
    this.#source = source[Symbol.asyncIterator]();
    this.#limitBytes = limitBytes;
  }

  /** Whether another piece follows; at the end the source has been read to its own end, with all that it verifies there. */
  async hasMore(): Promise<boolean> {
    while (this.#waiting === undefined || this.#waiting.length === 0) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      this.#waiting = next.value;
    }
    return true;
  }

  /** The next piece; to be read to its end before anything else is asked for. */
  async *piece(): AsyncGenerator<Buffer, void, undefined> {
    let bytes = 0;
    while (await this.hasMore()) {
      const buffer = this.#waiting ?? Buffer.alloc(0);
      this.#waiting = undefined;
      const cut = buffer.indexOf(LINE_FEED, Math.max(0, this.#limitBytes - 1 - bytes)) + 1;
      bytes += buffer.length;
      if (bytes < this.#limitBytes || cut === 0) {
        yield buffer;
        continue;
      }
      this.#waiting = buffer.subarray(cut);
      yield buffer.subarray(0, cut);
      return;
    }
  }

  /** Stops the source. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }
}
