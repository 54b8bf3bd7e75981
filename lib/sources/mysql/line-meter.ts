import { readFileSync } from "node:fs";

interface KernelExports {
  memory: WebAssembly.Memory;
  input(): number;
  inputSize(): number;
  reset(): void;
  run(length: number): void;
  lines(): bigint;
  sum(): bigint;
  open(): bigint;
}

let compiled: WebAssembly.Module | undefined;

/** Counts rows as they lie in a backup, one a line, and sums their XXH64: what a manifest calls their fingerprint. */
export class LineMeter {
  readonly #kernel: KernelExports;
  readonly #input: Buffer;

  constructor() {
    compiled ??= new WebAssembly.Module(readFileSync(new URL("kernel/lines.wasm", import.meta.url)));
    this.#kernel = new WebAssembly.Instance(compiled, {}).exports as unknown as KernelExports;
    this.#input = Buffer.from(this.#kernel.memory.buffer, this.#kernel.input(), this.#kernel.inputSize());
    this.#kernel.reset();
  }

  /** Takes a piece, cut anywhere. */
  push(piece: Buffer): void {
    for (let start = 0, length = 0; start < piece.length; start += length) {
      length = piece.copy(this.#input, 0, start);
      this.#kernel.run(length);
    }
  }

  get lines(): number {
    return Number(this.#kernel.lines());
  }

  /** Modulo 2^64. */
  get sum(): bigint {
    return BigInt.asUintN(64, this.#kernel.sum());
  }

  /** Bytes behind the last line end. */
  get openBytes(): number {
    return Number(this.#kernel.open());
  }
}
