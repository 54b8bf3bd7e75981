import type { SourcePolicy } from "../core/policy-schema.ts";
import type { SourceEngine } from "./engine.ts";
import { mysqlEngine } from "./mysql/engine.ts";

const ENGINES: Readonly<Record<SourcePolicy["kind"], SourceEngine>> = { mysql: mysqlEngine };

/** The engine for a kind of source. */
export function engineOf(kind: SourcePolicy["kind"]): SourceEngine {
  return ENGINES[kind];
}
