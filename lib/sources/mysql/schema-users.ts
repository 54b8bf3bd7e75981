import type { MysqlConnection } from "./connection.ts";
import { quoteString } from "./quoting.ts";
import type { UserModel } from "./schema-model.ts";

/** Accounts that every server has for itself. */
const SYSTEM_USERS = new Set(["mysql.infoschema", "mysql.session", "mysql.sys"]);

/** Reads accounts and roles with their grants; needs SELECT on mysql.user. Roles come first: others may be granted them. */
export async function readUsers(connection: MysqlConnection): Promise<UserModel[]> {
  const rows = await connection.query<"user" | "host" | "isRole">(
    `SELECT user, host, account_locked = 'Y' AND password_expired = 'Y' AND authentication_string = '' AS isRole
      FROM mysql.user ORDER BY isRole DESC, user, host`,
  );
  const users: UserModel[] = [];
  for (const row of rows) {
    const [user, host] = [row.user ?? "", row.host ?? ""];
    if (SYSTEM_USERS.has(user)) continue;
    const account = `${quoteString(user)}@${quoteString(host)}`;
    const created = await connection.query(`SHOW CREATE USER ${account}`);
    const grants = await connection.query(`SHOW GRANTS FOR ${account}`);
    users.push({
      user,
      host,
      createSql: firstValue(created[0]),
      grants: grants.map(firstValue),
      isRole: row.isRole === "1",
    });
  }
  return users;
}

/** The one column of these statements is named after the account. */
function firstValue(row: Record<string, string | null> | undefined): string {
  return Object.values(row ?? {})[0] ?? "";
}
