import type { MysqlConnection } from "./connection.ts";
import { isKeyword, isMark, type Token, tokenize } from "./tokens.ts";

/** What an account may do, as SHOW GRANTS says with all of its active roles. */
export interface Privileges {
  /** Whether the account has a privilege on everything. */
  everywhere(privilege: string): boolean;
  /** Whether the account has a privilege on a whole schema. */
  on(schema: string, privilege: string): boolean;
}

interface Grant {
  privileges: Set<string>;
  /** LIKE pattern of schema names; undefined is everywhere. */
  schema: string | undefined;
}

/** Reads the account's own privileges; needs none. */
export async function readPrivileges(connection: MysqlConnection): Promise<Privileges> {
  const [role] = await connection.query<"roles">("SELECT CURRENT_ROLE() AS roles");
  const using = role?.roles === undefined || role.roles === null || role.roles === "NONE" ? "" : ` USING ${role.roles}`;
  const rows = await connection.query(`SHOW GRANTS FOR CURRENT_USER()${using}`);
  return parseGrants(rows.map((row) => Object.values(row)[0] ?? ""));
}

/** What the statements of SHOW GRANTS allow. Grants on single tables and columns are left out: no part of a whole schema. */
export function parseGrants(statements: readonly string[]): Privileges {
  const grants = statements.flatMap(parseGrant);
  const has = ({ privileges }: Grant, wanted: string): boolean =>
    privileges.has(wanted) || (privileges.has("ALL PRIVILEGES") && wanted !== "GRANT OPTION");
  const everywhere = (wanted: string): boolean =>
    grants.some((grant) => grant.schema === undefined && has(grant, wanted));
  return {
    everywhere,
    on: (schema, wanted) =>
      everywhere(wanted) || grants.some((grant) => matches(grant.schema, schema) && has(grant, wanted)),
  };
}

function parseGrant(statement: string): Grant[] {
  const tokens = tokenize(statement);
  const on = tokens.findIndex((token) => isKeyword(token, "ON"));
  const [schema, dot, object] = tokens.slice(on + 1);
  if (!isKeyword(tokens[0], "GRANT") || on < 0 || !isMark(dot, ".") || !isMark(object, "*")) return [];
  const privileges = new Set(splitPrivileges(tokens.slice(1, on)));
  if (isMark(schema, "*")) return [{ privileges, schema: undefined }];
  return schema === undefined ? [] : [{ privileges, schema: schema.text }];
}

/** `SELECT, CREATE VIEW, …`; a privilege with a list of columns is none on the whole. */
function splitPrivileges(tokens: readonly Token[]): string[] {
  const names: string[] = [];
  let words: string[] = [];
  for (const token of [...tokens, undefined]) {
    if (token !== undefined && !isMark(token, ",")) {
      words.push(token.text.toUpperCase());
      continue;
    }
    names.push(words.join(" "));
    words = [];
  }
  return names;
}

function matches(pattern: string | undefined, schema: string): boolean {
  if (pattern === undefined) return false;
  const parts = pattern.match(/\\[_%]|[\s\S]/g) ?? [];
  const source = parts.map((part) => {
    if (part === "%") return "[\\s\\S]*";
    if (part === "_") return "[\\s\\S]";
    return part.slice(-1).replace(/[\\^$.*+?()[\]{}|/-]/, String.raw`\$&`);
  });
  return new RegExp(`^${source.join("")}$`).test(schema);
}
