import { quoteName, quoteTable } from "../quoting.ts";
import { applyEdits, type Edit, foreignMention } from "../rename.ts";
import { isKeyword, isMark, isName, type Token } from "../tokens.ts";
import type { LoggedStatement } from "./logged-statement.ts";
import type { ReplayScope } from "./scope.ts";
import { skipExistence, type TableReference, tablesOf } from "./statement-tables.ts";

/** What becomes of a logged statement: run (maybe under other names), left out, or not possible. */
export type StatementPlan =
  | { kind: "run"; text: string; schema: string }
  | { kind: "leave-out"; reason: string }
  | { kind: "refuse"; reason: string };

interface Question {
  text: string;
  tokens: readonly Token[];
  /** Default schema. */
  schema: string;
  scope: ReplayScope;
}

/** Decides for one statement. */
export function planStatement(
  { query }: LoggedStatement,
  text: string,
  tokens: readonly Token[],
  scope: ReplayScope,
): StatementPlan {
  const { schema, session } = query;
  const question = { text, tokens, schema, scope };
  if (isAboutAccounts(tokens)) return scope.accounts ? run(question) : leaveOut("accounts are not restored");
  if (/^(?:SAVEPOINT|ROLLBACK TO) /.test(text)) return run(question);
  const updated = session.updatedSchemas ?? [];
  const touched = updated.length === 0 ? [schema] : updated;
  const inScope = touched.filter((name) => scope.schema(name) !== undefined);
  if (inScope.length === 0) return leaveOut("other schemas");
  const isPlain = !scope.renames && !scope.excludes;
  if (inScope.length === touched.length && isPlain && touched.every((name) => scope.isWhole(name))) {
    return run(question);
  }
  if (isSchemaStatement(tokens)) return planSchema(question);
  const tables = tablesOf(tokens, schema);
  return tables === undefined ? planOther(question) : planTables(question, tables);
}

function planSchema({ text, tokens, schema, scope }: Question): StatementPlan {
  const at = skipExistence(tokens, 2);
  const name = tokens[at];
  // ALTER DATABASE may leave the name out.
  const from = isName(name) && scope.schema(name.text) !== undefined ? name.text : schema;
  const to = scope.schema(from);
  if (to === undefined) return leaveOut("other schemas");
  if (!scope.isWhole(from)) return refuse(`it changes schema \`${from}\`, of which only tables are restored`);
  if (name === undefined || name.text !== from) return { kind: "run", text, schema: to };
  return { kind: "run", text: applyEdits(text, [{ ...name, text: quoteName(to) }]), schema: to };
}

function planTables(question: Question, tables: readonly TableReference[]): StatementPlan {
  const { text, tokens, scope } = question;
  const edits: Edit[] = [];
  const outside: string[] = [];
  for (const reference of tables) {
    const to = scope.table(reference);
    const [first, last] = [tokens[reference.first], tokens[reference.last]];
    if (to === undefined) outside.push(quoteTable(reference.schema, reference.name));
    else if (to.schema !== reference.schema || to.name !== reference.name) {
      edits.push({ start: first?.start ?? 0, end: last?.end ?? 0, text: quoteTable(to.schema, to.name) });
    }
  }
  if (outside.length === tables.length) return leaveOut("other tables");
  if (outside.length > 0)
    return refuse(`it is about restored tables and about ${outside.join(", ")}, which is not restored`);
  // CREATE TABLE … SELECT in statement format reads what the text names.
  const reads = tokens.some((token) => isKeyword(token, "SELECT")) ? mention(question, tokens) : undefined;
  return reads === undefined ? run({ ...question, text: applyEdits(text, edits) }) : refuse(reads);
}

/** Views, programs, and changes of rows in statement format: text that people wrote, with names anywhere. */
function planOther(question: Question): StatementPlan {
  const { tokens, schema, scope, text } = question;
  const trigger = triggerTable(tokens);
  if (!scope.isWhole(schema)) {
    const table = trigger ?? changedTable(tokens);
    if (table === undefined) return leaveOut("programs, views and statements beside the restored tables");
    if (scope.table({ schema, name: table.text }) === undefined) return leaveOut("other tables");
    if (trigger === undefined && tokens.some((token) => ["SELECT", "JOIN"].some((word) => isKeyword(token, word)))) {
      return refuse("it reads tables that may not be restored");
    }
  }
  const about = scope.excludes ? (trigger ?? changedTable(tokens)) : undefined;
  if (about !== undefined && scope.table({ schema, name: about.text }) === undefined) return leaveOut("other tables");
  const reason = mention(question, tokens);
  if (reason !== undefined) return refuse(reason);
  return run({ ...question, text });
}

/** Why text can't come along under new names. */
function mention({ schema, scope }: Question, tokens: readonly Token[]): string | undefined {
  if (!scope.renames) return undefined;
  const foreign = foreignMention(tokens, scope);
  if (foreign !== undefined) return foreign.replace("its body", "it");
  const renamed = tokens.find((token) => {
    if (!isName(token)) return false;
    const to = scope.table({ schema, name: token.text });
    return to !== undefined && to.name !== token.text;
  });
  return renamed === undefined ? undefined : `it names the renamed table \`${renamed.text}\``;
}

function triggerTable(tokens: readonly Token[]): Token | undefined {
  const trigger = tokens.findIndex((token) => isKeyword(token, "TRIGGER"));
  if (trigger < 0 || !isKeyword(tokens[0], "CREATE")) return undefined;
  const on = tokens.findIndex((token, index) => index > trigger && isKeyword(token, "ON"));
  return isMark(tokens[on + 2], ".") ? tokens[on + 3] : tokens[on + 1];
}

const MODIFIERS = ["LOW_PRIORITY", "HIGH_PRIORITY", "DELAYED", "QUICK", "IGNORE", "INTO", "FROM"];

/** The table of a plain INSERT, REPLACE, UPDATE or DELETE. */
function changedTable(tokens: readonly Token[]): Token | undefined {
  if (!["INSERT", "REPLACE", "UPDATE", "DELETE"].some((word) => isKeyword(tokens[0], word))) return undefined;
  let at = 1;
  while (MODIFIERS.some((word) => isKeyword(tokens[at], word))) at += 1;
  return isMark(tokens[at + 1], ".") ? tokens[at + 2] : tokens[at];
}

function isSchemaStatement([verb, object]: readonly Token[]): boolean {
  const changes = ["CREATE", "ALTER", "DROP"].some((word) => isKeyword(verb, word));
  return changes && (isKeyword(object, "DATABASE") || isKeyword(object, "SCHEMA"));
}

/** Whether a statement makes, changes or drops accounts or their rights. */
export function isAboutAccounts([verb, object, next]: readonly Token[]): boolean {
  if (isKeyword(verb, "GRANT") || isKeyword(verb, "REVOKE")) return true;
  if (isKeyword(verb, "SET")) {
    return ["PASSWORD", "ROLE"].some((word) => isKeyword(object, word)) || isKeyword(next, "ROLE");
  }
  const changes = ["CREATE", "ALTER", "DROP", "RENAME"].some((word) => isKeyword(verb, word));
  return changes && (isKeyword(object, "USER") || isKeyword(object, "ROLE"));
}

function run({ text, schema, scope }: Question): StatementPlan {
  return { kind: "run", text, schema: scope.schema(schema) ?? schema };
}

const leaveOut = (reason: string): StatementPlan => ({ kind: "leave-out", reason });

const refuse = (reason: string): StatementPlan => ({ kind: "refuse", reason });
