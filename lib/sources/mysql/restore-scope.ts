import type { RestoreInstant, RestoreRequest } from "../engine.ts";
import { replayScope, type ReplayScope } from "./replay/scope.ts";
import type { RestoreSelection } from "./selection.ts";

/** What of the log belongs to a restore, under which names. */
export function scopeOf(
  selection: RestoreSelection,
  { only, users }: RestoreRequest,
  instant: RestoreInstant,
): ReplayScope {
  const { mapping, tables } = selection;
  const common = { mapping, accounts: users, exclude: instant.excludeTables };
  if (only === undefined) {
    const { databases } = instant;
    return replayScope({ ...common, ...(databases && { schemas: databases }) });
  }
  const schemas = selection.schemas.filter(({ whole }) => whole).map(({ name }) => name);
  const single = tables.map(({ model }) => model).filter((model) => !schemas.includes(model.schema));
  return replayScope({ ...common, schemas, tables: single });
}
