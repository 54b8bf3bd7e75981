// The part of the WebAssembly API that the kernel uses; TypeScript has it only together with the whole browser library.
declare namespace WebAssembly {
  interface Module {
    readonly [Symbol.toStringTag]: string;
  }
  const Module: new (bytes: Uint8Array) => Module;

  interface Instance {
    readonly exports: Readonly<Record<string, unknown>>;
  }
  const Instance: new (module: Module, imports: object) => Instance;

  interface Memory {
    readonly buffer: ArrayBuffer;
  }
}
