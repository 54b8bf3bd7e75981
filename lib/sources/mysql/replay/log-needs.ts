import { isKeyword, isMark, type Token } from "../tokens.ts";
import { isAboutAccounts } from "./statement-plan.ts";

/** What the statements of a log need of the target, beside the rows. */
export class LogNeeds {
  /** By schema of the target. */
  readonly privileges = new Map<string, Set<string>>();
  /** `user@host` each, of views and programs. */
  readonly definers = new Set<string>();
  functions = 0;
  /** Functions that don't say that they are safe to log. */
  unsafeFunctions = 0;
  triggers = 0;
  accounts = false;
  xa = false;
  loadsFiles = false;

  /** Takes in a statement that is to change these schemas of the target. */
  add(tokens: readonly Token[], schemas: readonly string[]): void {
    const definer = definerOf(tokens);
    if (definer !== undefined) this.definers.add(definer);
    const kind = objectOf(tokens);
    if (isKeyword(tokens[0], "CREATE")) {
      if (kind === "TRIGGER") this.triggers += 1;
      if (kind === "FUNCTION") this.functions += 1;
      if (kind === "FUNCTION" && !saysItIsSafe(tokens)) this.unsafeFunctions += 1;
    }
    if (isAboutAccounts(tokens)) this.accounts = true;
    for (const schema of schemas) {
      const wanted = this.privileges.get(schema) ?? new Set();
      for (const privilege of privilegesFor(tokens, kind)) wanted.add(privilege);
      if (schema !== "") this.privileges.set(schema, wanted);
    }
  }
}

const OBJECTS = [
  "TABLE",
  "TABLES",
  "INDEX",
  "VIEW",
  "TRIGGER",
  "PROCEDURE",
  "FUNCTION",
  "EVENT",
  "DATABASE",
  "SCHEMA",
] as const;

/** What kind of object a statement makes, changes or drops; its word comes before any name but that of a definer. */
function objectOf(tokens: readonly Token[]): (typeof OBJECTS)[number] | undefined {
  const found = tokens.find((token) => OBJECTS.some((word) => isKeyword(token, word)));
  return OBJECTS.find((word) => isKeyword(found, word));
}

const ROW_VERBS = ["INSERT", "UPDATE", "DELETE", "REPLACE", "LOAD", "WITH"];

function privilegesFor(tokens: readonly Token[], kind: (typeof OBJECTS)[number] | undefined): string[] {
  const verb = (word: string): boolean => isKeyword(tokens[0], word);
  if (verb("TRUNCATE")) return ["DROP"];
  if (ROW_VERBS.some(verb)) return ["SELECT", "INSERT", "UPDATE", "DELETE"];
  if (!["CREATE", "ALTER", "DROP", "RENAME"].some(verb)) return [];
  switch (kind) {
    case "VIEW":
      return verb("DROP") ? ["DROP"] : ["CREATE VIEW", "DROP"];
    case "TRIGGER":
      return ["TRIGGER"];
    case "PROCEDURE":
    case "FUNCTION":
      return [verb("CREATE") ? "CREATE ROUTINE" : "ALTER ROUTINE"];
    case "EVENT":
      return ["EVENT"];
    case "INDEX":
      return ["INDEX"];
    case "DATABASE":
    case "SCHEMA":
      return [verb("CREATE") ? "CREATE" : verb("DROP") ? "DROP" : "ALTER"];
    case "TABLE":
    case "TABLES":
      return tablePrivileges(tokens);
    case undefined:
      return [];
  }
}

function tablePrivileges(tokens: readonly Token[]): string[] {
  const references = tokens.some((token) => isKeyword(token, "REFERENCES")) ? ["REFERENCES"] : [];
  if (isKeyword(tokens[0], "DROP")) return ["DROP"];
  if (isKeyword(tokens[1], "TEMPORARY")) return ["CREATE TEMPORARY TABLES"];
  if (isKeyword(tokens[0], "CREATE")) return ["CREATE", "INSERT", ...references];
  return ["ALTER", "CREATE", "DROP", "INSERT", ...references];
}

/** `DEFINER = user@host`, as the server writes it. */
function definerOf(tokens: readonly Token[]): string | undefined {
  const at = tokens.slice(0, 12).findIndex((token) => isKeyword(token, "DEFINER"));
  if (at < 0 || !isMark(tokens[at + 1], "=")) return undefined;
  const [user, mark, host] = tokens.slice(at + 2, at + 5);
  return user !== undefined && isMark(mark, "@") && host !== undefined ? `${user.text}@${host.text}` : undefined;
}

/** Whether a function says of itself that the server may log it without trust in its creator. */
export function saysItIsSafe(tokens: readonly Token[]): boolean {
  return tokens.some((token, index) => {
    const [before, next] = [tokens[index - 1], tokens[index + 1]];
    if (isKeyword(token, "DETERMINISTIC")) return !isKeyword(before, "NOT");
    return (isKeyword(token, "NO") || isKeyword(token, "READS")) && isKeyword(next, "SQL");
  });
}
