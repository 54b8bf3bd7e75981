import { AppError } from "../../core/errors.ts";
import { keyOf } from "./mapping.ts";
import { listPrograms } from "./programs.ts";
import { quoteName, quoteTable } from "./quoting.ts";
import { RECORD_PREFIX } from "./restore-record.ts";
import { type RestoreSelection, targetSchemas } from "./selection.ts";
import type { TargetObjects } from "./target-objects.ts";

/**
 * Refuses a target where the restore would meet something: always what has the name of an object to be restored, and,
 * without `intoNonEmpty`, any object in the target's schemas. Throws TARGET_NOT_EMPTY.
 */
export function assertFree(objects: TargetObjects, selection: RestoreSelection, intoNonEmpty: boolean): void {
  const tables = selection.tables.filter(({ to }) => objects.tables.has(keyOf(to.schema, to.name)));
  const programs = listPrograms(selection).filter((program) => "sql" in program.renamed && program.isOn(objects));
  const met = [
    ...tables.map(({ to }) => `table ${quoteTable(to.schema, to.name)}`),
    ...programs.map(({ object }) => object),
  ];
  if (met.length > 0) {
    throw new AppError("TARGET_NOT_EMPTY", `the target holds ${list(met)}, which would be restored`, {
      hint: `Restore under other names (--as), or remove these objects; a schema "${RECORD_PREFIX}…" on the target belongs to an unfinished restore, which goes on when it is asked for with the same backup, names and tables.`,
    });
  }
  const occupied = intoNonEmpty ? [] : targetSchemas(selection).filter((schema) => holdsAnything(objects, schema));
  if (occupied.length === 0) return;
  const names = list(occupied.map((schema) => `schema ${quoteName(schema)}`));
  throw new AppError("TARGET_NOT_EMPTY", `not empty on the target: ${names}`, {
    hint: "None of its objects is among those to be restored: use --into-non-empty to restore beside them.",
  });
}

/** Whether anything stands in the schema. */
export function holdsAnything(objects: TargetObjects, schema: string): boolean {
  return [objects.tables, objects.triggers, objects.events, objects.routines].some((names) =>
    [...names].some((key) => key.startsWith(keyOf(schema, ""))),
  );
}

function list(items: string[]): string {
  const rest = items.length - 3;
  return items.slice(0, 3).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
}
