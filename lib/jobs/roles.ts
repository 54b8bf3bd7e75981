import type { Settings } from "../core/settings.ts";
import type { JobKind } from "./message.ts";

/** Jobs that remove blobs from vaults: their identity has that right, and the one that backs up does not. */
const REMOVING: readonly JobKind[] = ["retention", "heal"];

/** Those of `kinds` that an app of that role asks for. */
export function kindsOfRole(role: Settings["RESGUARDO_ROLE"], kinds: readonly JobKind[]): JobKind[] {
  return kinds.filter((kind) => role === "all" || REMOVING.includes(kind) === (role === "keeper"));
}
