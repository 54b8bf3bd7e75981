import { readFileSync } from "node:fs";
import { AppError } from "../../core/errors.ts";
import { errorPacket } from "./packets.ts";

/** Where a result set stands after some bytes of it. */
export type RowsState = "more" | "ended";

interface KernelExports {
  memory: WebAssembly.Memory;
  input(): number;
  output(): number;
  outputLength(): number;
  message(): number;
  messageSize(): number;
  unread(): number;
  rows(): bigint;
  sum(): bigint;
  skipped(): bigint;
  reset(columns: number, guards: number, firstSequence: number): void;
  run(length: number): number;
  drain(): void;
}

// The constants of kernel/assembly/index.ts.
const INPUT_SIZE = 1 << 18;
const OUTPUT_FULL = 1;
const ENDED = 2;
const SERVER_ERROR = 3;
const MALFORMED = 4;

let compiled: WebAssembly.Module | undefined;

/**
 * Turns the rows of a text result set into LOAD DATA text, counts them and sums their XXH64.
 * Takes the bytes after the column definitions, cut anywhere; uses about 2.5 MB, however long a row is.
 */
export class RowKernel {
  readonly #kernel: KernelExports;
  readonly #input: Buffer;
  readonly #output: Buffer;

  constructor() {
    compiled ??= new WebAssembly.Module(readFileSync(new URL("kernel/rows.wasm", import.meta.url)));
    this.#kernel = new WebAssembly.Instance(compiled, {}).exports as unknown as KernelExports;
    const { buffer } = this.#kernel.memory;
    this.#input = Buffer.from(buffer, this.#kernel.input(), INPUT_SIZE);
    this.#output = Buffer.from(buffer, this.#kernel.output());
  }

  /**
   * Begins a result set; `firstSequence` is the packet number that its first row carries. The first `guards` columns
   * are left out of the text, and so is every row that has something else than NULL there.
   */
  reset(columns: number, guards: number, firstSequence: number): void {
    this.#kernel.reset(columns, guards, firstSequence);
  }

  /**
   * Takes socket bytes and hands finished text, a few MiB at a time, to `emit`, which owns it.
   * Throws the error that the server sent instead of more rows, or SOURCE_PROTOCOL.
   */
  push(bytes: Buffer, context: string, emit: (text: Buffer) => void): RowsState {
    for (let start = 0; start < bytes.length; start += INPUT_SIZE) {
      const length = bytes.copy(this.#input, 0, start, start + INPUT_SIZE);
      let status = this.#kernel.run(length);
      while (status === OUTPUT_FULL) {
        this.flush(emit);
        status = this.#kernel.run(0);
      }
      if (status === ENDED) {
        if (this.#kernel.unread() > 0 || start + length < bytes.length)
          throw malformed(context, "bytes after the last row");
        return "ended";
      }
      if (status === SERVER_ERROR) throw errorPacket(this.#message(), context);
      if (status === MALFORMED) throw malformed(context, "a row that is not of the text protocol");
    }
    return "more";
  }

  /** Hands the text that is there to `emit`, if any. */
  flush(emit: (text: Buffer) => void): void {
    const length = this.#kernel.outputLength();
    if (length > 0) emit(Buffer.from(this.#output.subarray(0, length)));
    this.#kernel.drain();
  }

  /** Rows of the text so far. */
  get rows(): number {
    return Number(this.#kernel.rows());
  }

  /** Rows that a guard kept out. */
  get skipped(): number {
    return Number(this.#kernel.skipped());
  }

  /** Sum of the XXH64 (seed 0) of the rows' text without the line end, modulo 2^64. */
  get sum(): bigint {
    return BigInt.asUintN(64, this.#kernel.sum());
  }

  #message(): Buffer {
    const start = this.#kernel.message();
    return Buffer.from(this.#kernel.memory.buffer.slice(start, start + this.#kernel.messageSize()));
  }
}

function malformed(context: string, found: string): AppError {
  return new AppError("SOURCE_PROTOCOL", `${context}: the server sent ${found}`, {
    hint: "Look for a proxy between here and the server; if there is none, report this.",
  });
}
