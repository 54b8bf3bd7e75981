import { randomBytes } from "node:crypto";

export interface Version<Value> {
  version: string;
  value: Value;
  createdAt: Date;
}

/** Named objects with versions that are deleted softly, as Key Vault keeps keys and secrets. */
export class VersionedStore<Value> {
  readonly #live = new Map<string, Version<Value>[]>();
  readonly #deleted = new Map<string, Version<Value>[]>();

  /** Adds a version; false where a deleted object holds the name. */
  add(name: string, value: Value): Version<Value> | false {
    if (this.#deleted.has(name)) return false;
    const version = { version: randomBytes(16).toString("hex"), value, createdAt: new Date() };
    this.#live.set(name, [...(this.#live.get(name) ?? []), version]);
    return version;
  }

  /** A version, the newest where none is named. */
  get(name: string, version?: string): Version<Value> | undefined {
    const versions = this.#live.get(name) ?? [];
    return version ? versions.find((candidate) => candidate.version === version) : versions.at(-1);
  }

  versions(name: string): Version<Value>[] | undefined {
    return this.#live.get(name);
  }

  names(): string[] {
    return [...this.#live.keys()].toSorted();
  }

  getDeleted(name: string): Version<Value> | undefined {
    return this.#deleted.get(name)?.at(-1);
  }

  delete(name: string): boolean {
    return move(name, this.#live, this.#deleted);
  }

  recover(name: string): boolean {
    return move(name, this.#deleted, this.#live);
  }

  purge(name: string): boolean {
    return this.#deleted.delete(name);
  }
}

function move<Value>(name: string, from: Map<string, Value>, to: Map<string, Value>): boolean {
  const found = from.get(name);
  if (found === undefined) return false;
  from.delete(name);
  to.set(name, found);
  return true;
}
