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
  kept(): number;
  reset(columns: number, nulls: number, firstSequence: number): void;
  addCheck(column: number): void;
  takeFailed(): void;
  run(length: number): number;
  drain(): void;
}

// The constants of kernel/assembly/index.ts.
const INPUT_SIZE = 1 << 20;
export const MAX_TEXT_BYTES = 1 << 21;
const OUTPUT_FULL = 1;
const ENDED = 2;
const SERVER_ERROR = 3;
const MALFORMED = 4;

let compiled: WebAssembly.Module | undefined;

/**
 * Columns in front of a row's own, which are left out of the text and decide whether the row is taken: first some that
 * must be NULL, then checks.
 */
export interface Guards {
  /** How many columns must be NULL. */
  nulls: number;
  /**
   * One check each, for JSON columns by their places among the row's own columns, in order. A check holds when its value
   * is NULL, or the count of numbers and of strings like times in that document.
   */
  checks: readonly number[];
  /** Takes exactly the rows of which a check fails, instead of those of which none does. */
  takeFailed: boolean;
}

export const NO_GUARDS: Guards = { nulls: 0, checks: [], takeFailed: false };

/**
 * Turns the rows of a text result set into LOAD DATA text, counts them and sums their XXH64.
 * Takes the bytes after the column definitions, cut anywhere; uses about 3 MB, however long a row is.
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
    this.#output = Buffer.from(buffer, this.#kernel.output(), MAX_TEXT_BYTES);
  }

  /** Begins a result set of `columns` columns; `firstSequence` is the packet number that its first row carries. */
  reset(columns: number, guards: Guards, firstSequence: number): void {
    this.#kernel.reset(columns, guards.nulls, firstSequence);
    for (const column of guards.checks) this.#kernel.addCheck(column);
    if (guards.takeFailed) this.#kernel.takeFailed();
  }

  /**
   * Takes socket bytes and hands finished text, at most MAX_TEXT_BYTES at a time, to `emit`, which must be done with it
   * when it returns.
   * Throws the error that the server sent instead of more rows, or SOURCE_PROTOCOL.
   */
  push(bytes: Buffer, context: string, emit: (text: Buffer) => void): RowsState {
    for (let start = 0, length = 0; start < bytes.length; start += length) {
      length = bytes.copy(this.#input, this.#kernel.kept(), start);
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
    if (length > 0) emit(this.#output.subarray(0, length));
    this.#kernel.drain();
  }

  /** Rows of the text so far. */
  get rows(): number {
    return Number(this.#kernel.rows());
  }

  /** Rows that a guard kept out, without those that `takeFailed` leaves to the read before. */
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
