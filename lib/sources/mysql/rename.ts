import type { ForeignKey } from "./ddl.ts";
import type { Mapping, TableName } from "./mapping.ts";
import { quoteName, quoteTable } from "./quoting.ts";
import type { EventModel, RoutineModel, TriggerModel, ViewModel } from "./schema-model.ts";
import { dialectOf, isKeyword, isMark, isName, type Token, tokenize } from "./tokens.ts";

/*
 * What the server wrote itself (views, headers, foreign keys, grants) is rewritten under the new names. What people wrote
 * (bodies of programs) is not: there a name can be a schema, an alias, a column or a label. A body that seems to name a
 * renamed schema is not created at all, as it would read or change the original's rows; the caller lists it.
 */

/** SQL to run on the target, or the reason why there is none. */
export type Renamed = { sql: string } | { reason: string };

/** New text for a part of a statement. */
export interface Edit {
  start: number;
  end: number;
  text: string;
}

/** `CREATE DATABASE` under the new name, with the same defaults. */
export function renameSchema(createSql: string, to: string): string {
  const name = tokenize(createSql).find(({ kind }) => kind === "quoted");
  return name === undefined ? createSql : applyEdits(createSql, [{ ...name, text: quoteName(to) }]);
}

/** The clause that adds a foreign key; a table under a new name needs new names for its keys, as they are unique in a schema. */
export function renameForeignKey(key: ForeignKey, name: string, references: TableName): string {
  return `ADD CONSTRAINT ${quoteName(name)} ${key.before}${quoteTable(references.schema, references.name)}${key.after}`;
}

/**
 * A view's definition with every table, view and function under its new name. In the server's text a name before a dot is
 * a schema, unless a table alias has the same name.
 */
export function renameView(view: ViewModel, mapping: Mapping): Renamed {
  const tokens = tokenize(view.createSql);
  const nameAt = tokens.findIndex((token) => isKeyword(token, "VIEW")) + 1;
  const as = tokens.findIndex((token) => isKeyword(token, "AS"));
  const edits = [nameEdit(tokens, nameAt, mapping.table(view.schema, view.name))];
  for (const [index, token] of tokens.entries()) {
    const [before, dot, object, next] = [tokens[index - 1], tokens[index + 1], tokens[index + 2], tokens[index + 3]];
    if (index <= as || token.kind !== "quoted" || isMark(before, ".")) continue;
    if (isMark(dot, ".") && object?.kind === "quoted") {
      const to = isMark(next, "(")
        ? { schema: mapping.schema(token.text), name: object.text }
        : mapping.table(token.text, object.text);
      edits.push({ start: token.start, end: object.end, text: quoteTable(to.schema, to.name) });
    } else if (mapping.renamedSchemas.has(token.text) && !isKeyword(before, "AS")) {
      return { reason: `\`${token.text}\` is the name of a schema and of something else in its text` };
    }
  }
  return { sql: applyEdits(view.createSql, edits) };
}

/** `CREATE TRIGGER` with the trigger in its new schema and on its table's new name. */
export function renameTrigger(trigger: TriggerModel, mapping: Mapping): Renamed {
  const tokens = tokenize(trigger.createSql, dialectOf(trigger.sqlMode));
  const each = tokens.findIndex((token, index) => isKeyword(token, "EACH") && isKeyword(tokens[index - 1], "FOR"));
  const nameAt = skipIfNotExists(tokens, tokens.findIndex((token) => isKeyword(token, "TRIGGER")) + 1);
  const tableAt = tokens.findIndex((token, index) => index > nameAt && isKeyword(token, "ON")) + 1;
  const reason = foreignMention(tokens.slice(each + 2), mapping);
  if (reason !== undefined) return { reason };
  const table = mapping.table(trigger.schema, trigger.table);
  const name = { schema: table.schema, name: trigger.name };
  const edits = [nameEdit(tokens, nameAt, name), nameEdit(tokens, tableAt, table)];
  return { sql: applyEdits(trigger.createSql, edits) };
}

/** `CREATE PROCEDURE` or `CREATE FUNCTION` in the new schema. */
export function renameRoutine(routine: RoutineModel, mapping: Mapping): Renamed {
  const tokens = tokenize(routine.createSql, dialectOf(routine.sqlMode));
  const kindAt = tokens.findIndex((token) => isKeyword(token, routine.kind));
  return renameProgram(routine, tokens, skipIfNotExists(tokens, kindAt + 1), mapping);
}

/** `CREATE EVENT` in the new schema, disabled whatever it was. */
export function renameEvent(event: EventModel, mapping: Mapping): Renamed {
  const tokens = tokenize(event.createSql, dialectOf(event.sqlMode));
  const nameAt = skipIfNotExists(tokens, tokens.findIndex((token) => isKeyword(token, "EVENT")) + 1);
  const statusAt = tokens.findIndex((token) => isKeyword(token, "ENABLE") || isKeyword(token, "DISABLE"));
  const after = tokens.findIndex((token, index) => index > statusAt && !/^(?:ON|SLAVE|REPLICA)$/i.test(token.text));
  const status: Edit = { start: tokens[statusAt]?.start ?? 0, end: tokens[after - 1]?.end ?? 0, text: "DISABLE" };
  return renameProgram(event, tokens, nameAt, mapping, statusAt < 0 ? [] : [status]);
}

/** A `GRANT` or `REVOKE` with the schema or table that it is about under its new name. */
export function renameGrant(sql: string, mapping: Mapping): string {
  const tokens = tokenize(sql);
  const on = tokens.findIndex((token) => isKeyword(token, "ON"));
  const schemaAt = tokens.findIndex((token, index) => index > on && token.kind === "quoted");
  const [schema, dot, object] = tokens.slice(schemaAt);
  if (on < 0 || schema === undefined || !isMark(dot, ".")) return sql;
  const plain = schema.text.replaceAll(/\\([_%])/g, "$1");
  const from = mapping.renamedSchemas.has(schema.text) ? schema.text : plain;
  if (object?.kind !== "quoted") {
    const to = mapping.schema(from);
    if (to === from) return sql;
    const pattern = from === schema.text ? to : to.replaceAll(/[_%]/g, String.raw`\$&`);
    return applyEdits(sql, [{ ...schema, text: quoteName(pattern) }]);
  }
  const isRoutine = ["PROCEDURE", "FUNCTION"].some((kind) => isKeyword(tokens[schemaAt - 1], kind));
  const to = isRoutine ? { schema: mapping.schema(from), name: object.text } : mapping.table(from, object.text);
  return applyEdits(sql, [{ start: schema.start, end: object.end, text: quoteTable(to.schema, to.name) }]);
}

function renameProgram(
  program: RoutineModel | EventModel,
  tokens: Token[],
  nameAt: number,
  mapping: Mapping,
  edits: Edit[] = [],
): Renamed {
  const reason = foreignMention(tokens.slice(nameAt + nameLength(tokens, nameAt)), mapping);
  if (reason !== undefined) return { reason };
  const name = { schema: mapping.schema(program.schema), name: program.name };
  return { sql: applyEdits(program.createSql, [nameEdit(tokens, nameAt, name), ...edits]) };
}

/** Why text that people wrote can't come along: it names a renamed schema, or a string in it seems to. */
export function foreignMention(tokens: readonly Token[], mapping: Pick<Mapping, "renamedSchemas">): string | undefined {
  for (const schema of mapping.renamedSchemas) {
    const wanted = schema.toLowerCase();
    const isMention = (token: Token, index: number): boolean => {
      if (token.kind === "string") return mentionsInText(token.text.toLowerCase(), wanted);
      if (!isName(token) || token.text.toLowerCase() !== wanted) return false;
      const [before, after] = [tokens[index - 1], tokens[index + 1]];
      if (isMark(before, ".") || isMark(before, "@")) return false;
      return isMark(after, ".") || ["DATABASE", "SCHEMA", "FROM", "IN"].some((word) => isKeyword(before, word));
    };
    if (tokens.some(isMention)) return `its body names the schema \`${schema}\``;
  }
  return undefined;
}

/** Whether a string literal holds `schema.`, as text that becomes a statement would. */
function mentionsInText(text: string, schema: string): boolean {
  for (let at = text.indexOf(schema); at >= 0; at = text.indexOf(schema, at + 1)) {
    const startsName = !/[\w$\u0080-\uffff]/.test(text.charAt(at - 1));
    if (startsName && /^[`"]?\s*\./.test(text.slice(at + schema.length))) return true;
  }
  return false;
}

function skipIfNotExists(tokens: Token[], at: number): number {
  return isKeyword(tokens[at], "IF") ? at + 3 : at;
}

/** How many tokens `name` or `schema.name` takes. */
function nameLength(tokens: Token[], at: number): number {
  return isMark(tokens[at + 1], ".") ? 3 : 1;
}

function nameEdit(tokens: Token[], at: number, to: TableName): Edit {
  const start = tokens[at]?.start ?? 0;
  const end = tokens[at + nameLength(tokens, at) - 1]?.end ?? 0;
  return { start, end, text: quoteTable(to.schema, to.name) };
}

export function applyEdits(sql: string, edits: Edit[]): string {
  const ordered = edits.toSorted((a, b) => b.start - a.start);
  return ordered.reduce((text, { start, end, text: by }) => text.slice(0, start) + by + text.slice(end), sql);
}
