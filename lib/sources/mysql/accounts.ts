import type { MysqlConnection } from "./connection.ts";
import type { NotCarriedOver } from "./programs.ts";
import { quoteName, quoteString } from "./quoting.ts";
import { renameGrant } from "./rename.ts";
import { type RestoreRecord, stepOf } from "./restore-record.ts";
import { refusalOf } from "./restore-session.ts";
import type { UserModel } from "./schema-model.ts";
import type { RestoreSelection } from "./selection.ts";
import { isKeyword, tokenize } from "./tokens.ts";

/**
 * Makes the accounts that the target lacks, without their grants: definers of programs should be there before these are.
 * An account that the target has is left as it is, and returned.
 */
export async function createAccounts(
  connection: MysqlConnection,
  selection: RestoreSelection,
  record: RestoreRecord,
  steps: ReadonlySet<string>,
): Promise<{ own: UserModel[]; left: NotCarriedOver[] }> {
  const own: UserModel[] = [];
  const left: NotCarriedOver[] = [];
  for (const user of selection.users) {
    const step = stepOf.user(user.user, user.host);
    if (!steps.has(step) && (await exists(connection, user))) {
      left.push({ object: describe(user), reason: "the target has an account of that name; it was left as it is" });
      continue;
    }
    await record.add(connection, step);
    const { createSql } = splitDefaultRole(user.createSql);
    const sql = createSql.replace(/^CREATE USER /, "CREATE USER IF NOT EXISTS ");
    const reason = await refusalOf(() => connection.execute(sql));
    if (reason === undefined) own.push(user);
    else left.push({ object: describe(user), reason });
  }
  return { own, left };
}

/** Gives accounts their grants and default roles, when everything that these name is there. Returns what was refused. */
export async function grantAccounts(
  connection: MysqlConnection,
  selection: RestoreSelection,
  accounts: readonly UserModel[],
): Promise<NotCarriedOver[]> {
  const left: NotCarriedOver[] = [];
  const run = async (user: UserModel, what: string, sql: string): Promise<void> => {
    const reason = await refusalOf(() => connection.execute(sql));
    if (reason !== undefined) left.push({ object: `${what} of ${describe(user)}`, reason });
  };
  for (const user of accounts) {
    for (const grant of user.grants) await run(user, `"${grant}"`, renameGrant(grant, selection.mapping));
  }
  for (const user of accounts) {
    const { roles } = splitDefaultRole(user.createSql);
    if (roles === undefined) continue;
    await run(user, "default role", `SET DEFAULT ROLE ${roles} TO ${quoteString(user.user)}@${quoteString(user.host)}`);
  }
  return left;
}

async function exists(connection: MysqlConnection, { user, host }: UserModel): Promise<boolean> {
  const sql = "SELECT 1 AS found FROM mysql.user WHERE user = ? AND host = ?";
  return (await connection.query(sql, [user, host])).length > 0;
}

/** Takes `DEFAULT ROLE …` out of SHOW CREATE USER, as the roles are granted later. */
export function splitDefaultRole(createSql: string): { createSql: string; roles?: string } {
  const tokens = tokenize(createSql);
  const at = tokens.findIndex((token, index) => isKeyword(token, "DEFAULT") && isKeyword(tokens[index + 1], "ROLE"));
  const end = tokens.findIndex((token, index) => index > at + 1 && token.kind === "word");
  const [start, first, next] = [tokens[at], tokens[at + 2], tokens[end]];
  if (at < 0 || start === undefined || first === undefined || next === undefined) return { createSql };
  return {
    createSql: createSql.slice(0, start.start) + createSql.slice(next.start),
    roles: createSql.slice(first.start, next.start).trim(),
  };
}

function describe({ user, host, isRole }: UserModel): string {
  return `${isRole ? "role" : "account"} ${quoteName(user)}@${quoteName(host)}`;
}
