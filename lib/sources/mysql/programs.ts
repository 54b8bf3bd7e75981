import { keyOf } from "./mapping.ts";
import { quoteTable } from "./quoting.ts";
import { type Renamed, renameEvent, renameRoutine, renameTrigger, renameView } from "./rename.ts";
import type { EventModel, ViewModel } from "./schema-model.ts";
import type { RestoreSelection } from "./selection.ts";
import { keyOfRoutine, type TargetObjects } from "./target-objects.ts";
import { isMark, tokenize } from "./tokens.ts";

/** Something that is not on the target as it was in the backup, and why. */
export interface NotCarriedOver {
  object: string;
  reason: string;
}

/** The session state that a program's text only means the same in. */
export interface ProgramSession {
  charset: string;
  collationConnection: string;
  sqlMode?: string;
  databaseCollation?: string;
  timeZone?: string;
}

/** One routine, view, trigger or event on its way to the target. */
export interface Program {
  kind: "view" | "procedure" | "function" | "library" | "trigger" | "event";
  /** For people: "view `shop`.`totals`". */
  object: string;
  /** On the target. */
  schema: string;
  name: string;
  renamed: Renamed;
  session: ProgramSession;
  isOn(objects: TargetObjects): boolean;
}

/** The part of a selection that is not tables. */
export type ProgramSelection = Pick<RestoreSelection, "mapping" | "views" | "routines" | "triggers" | "events">;

/** The programs of a selection in the order in which they need each other: views call functions and read views. */
export function listPrograms(selection: ProgramSelection): Program[] {
  return [...listRoutines(selection), ...listViews(selection), ...listTriggers(selection), ...listEvents(selection)];
}

/** What a selection's new names leave behind. */
export function leftBehind(selection: ProgramSelection): NotCarriedOver[] {
  return listPrograms(selection).flatMap(({ object, renamed }) =>
    "reason" in renamed ? [{ object, reason: renamed.reason }] : [],
  );
}

const ROUTINE_KINDS = { PROCEDURE: "procedure", FUNCTION: "function", LIBRARY: "library" } as const;

function listRoutines({ routines: models, mapping }: ProgramSelection): Program[] {
  return models.map((model) => {
    const schema = mapping.schema(model.schema);
    return {
      kind: ROUTINE_KINDS[model.kind],
      object: `${ROUTINE_KINDS[model.kind]} ${quoteTable(schema, model.name)}`,
      schema,
      name: model.name,
      renamed: renameRoutine(model, mapping),
      session: model,
      isOn: ({ routines: names }) => names.has(keyOfRoutine(schema, model)),
    };
  });
}

function listViews({ views: models, mapping }: ProgramSelection): Program[] {
  return inOrderOfUse(models).map((model) => {
    const { schema, name } = mapping.table(model.schema, model.name);
    return {
      kind: "view",
      object: `view ${quoteTable(schema, name)}`,
      schema,
      name,
      renamed: renameView(model, mapping),
      session: { charset: model.charset, collationConnection: model.collation },
      isOn: ({ tables }) => tables.has(keyOf(schema, name)),
    };
  });
}

function listTriggers({ triggers: models, mapping }: ProgramSelection): Program[] {
  return models.map((model) => {
    const table = mapping.table(model.schema, model.table);
    // Names of triggers are unique in a schema, and the original table can be in it too.
    const stays = table.name !== model.table;
    return {
      kind: "trigger",
      object: `trigger ${quoteTable(table.schema, model.name)}`,
      schema: table.schema,
      name: model.name,
      renamed: stays ? { reason: "its table got another name" } : renameTrigger(model, mapping),
      session: model,
      isOn: ({ triggers: names }) => names.has(keyOf(table.schema, model.name)),
    };
  });
}

/** The events of a selection, each with its model. */
export function listEvents({ events: models, mapping }: ProgramSelection): (Program & { model: EventModel })[] {
  return models.map((model) => {
    const schema = mapping.schema(model.schema);
    return {
      kind: "event",
      object: `event ${quoteTable(schema, model.name)}`,
      schema,
      name: model.name,
      renamed: renameEvent(model, mapping),
      session: model,
      isOn: ({ events: names }) => names.has(keyOf(schema, model.name)),
      model,
    };
  });
}

/** Views with those that they read before them, as far as that can be told from their text. */
function inOrderOfUse(views: ViewModel[]): ViewModel[] {
  const byKey = new Map(views.map((view) => [keyOf(view.schema, view.name), view]));
  const ordered = new Set<ViewModel>();
  const visited = new Set<ViewModel>();
  const visit = (view: ViewModel): void => {
    if (visited.has(view)) return;
    visited.add(view);
    for (const used of usedNames(view)) {
      const other = byKey.get(used);
      if (other !== undefined) visit(other);
    }
    ordered.add(view);
  };
  for (const view of views) visit(view);
  return [...ordered];
}

function usedNames({ createSql }: ViewModel): string[] {
  const tokens = tokenize(createSql);
  return tokens.flatMap((token, index) => {
    const object = tokens[index + 2];
    return isMark(tokens[index + 1], ".") && object !== undefined ? [keyOf(token.text, object.text)] : [];
  });
}
