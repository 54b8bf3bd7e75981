import { isKeyword, type Token } from "../tokens.ts";
import type { LoggedStatement } from "./logged-statement.ts";
import type { ReplayScope } from "./scope.ts";

/** What becomes of a logged statement: run (maybe under other names), left out, or not possible. */
export type StatementPlan =
  | { kind: "run"; text: string; schema: string }
  | { kind: "leave-out"; reason: string }
  | { kind: "refuse"; reason: string };

/** Decides for one statement. */
export function planStatement(
  statement: LoggedStatement,
  text: string,
  tokens: readonly Token[],
  scope: ReplayScope,
): StatementPlan {
  if (isAboutAccounts(tokens) && !scope.accounts) return { kind: "leave-out", reason: "accounts are not restored" };
  const { schema, session } = statement.query;
  const touched = session.updatedSchemas;
  const schemas = touched === undefined || touched.length === 0 ? [schema] : touched;
  const inScope = schemas.filter((name) => name === "" || scope.schema(name) !== undefined);
  if (schemas.length > 0 && inScope.length === 0) return { kind: "leave-out", reason: "other schemas" };
  return { kind: "run", text, schema: scope.schema(schema) ?? schema };
}

const ACCOUNT_OBJECTS = ["USER", "ROLE"];

function isAboutAccounts(tokens: readonly Token[]): boolean {
  const [verb, object, next] = tokens;
  if (isKeyword(verb, "GRANT") || isKeyword(verb, "REVOKE")) return true;
  if (isKeyword(verb, "SET")) {
    return ["PASSWORD", "ROLE"].some((word) => isKeyword(object, word)) || isKeyword(next, "ROLE");
  }
  const changes = ["CREATE", "ALTER", "DROP", "RENAME"].some((word) => isKeyword(verb, word));
  return changes && ACCOUNT_OBJECTS.some((word) => isKeyword(object, word));
}
