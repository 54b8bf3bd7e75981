import { SESSION_FLAG, type StatementSession } from "../binlog/query-event.ts";
import { quoteString } from "../quoting.ts";

/**
 * The SET clauses that bring a session to the state in which a logged statement ran. Numbers of collations, locales and
 * modes are taken as the server logged them; SET reads them.
 */
export function sessionClauses(session: StatementSession): [name: string, value: string][] {
  const clauses: [string, string][] = [];
  const set = (name: string, value: string | number | bigint | undefined): void => {
    if (value !== undefined) clauses.push([name, String(value)]);
  };
  const { flags, charset, autoIncrement } = session;
  if (flags !== undefined) {
    set("sql_auto_is_null", flags & SESSION_FLAG.autoIsNull ? 1 : 0);
    set("foreign_key_checks", flags & SESSION_FLAG.noForeignKeyChecks ? 0 : 1);
    set("unique_checks", flags & SESSION_FLAG.relaxedUniqueChecks ? 0 : 1);
  }
  set("sql_mode", session.sqlMode);
  // Where they are not logged, they are 1, whatever the target's defaults are.
  set("auto_increment_increment", autoIncrement?.increment ?? 1);
  set("auto_increment_offset", autoIncrement?.offset ?? 1);
  set("character_set_client", charset?.client);
  set("collation_connection", charset?.connection);
  set("collation_server", charset?.server);
  set("collation_database", session.databaseCollation ?? "DEFAULT");
  set("time_zone", session.timeZone === undefined ? undefined : quoteString(session.timeZone));
  set("lc_time_names", session.lcTimeNames ?? 0);
  set("explicit_defaults_for_timestamp", toBit(session.explicitDefaultsForTimestamp));
  set("default_collation_for_utf8mb4", session.defaultUtf8mb4Collation);
  set("default_table_encryption", toBit(session.defaultTableEncryption));
  set("enable_cascade_triggers", toBit(session.enableCascadeTriggers));
  return clauses;
}

/** Keeps what a session was last told, so that only differences are sent. */
export class SessionState {
  readonly #known = new Map<string, string>();

  /** The SET statement for what differs; undefined for nothing. */
  change(clauses: readonly [name: string, value: string][]): string | undefined {
    const changed = clauses.filter(([name, value]) => this.#known.get(name) !== value);
    for (const [name, value] of changed) this.#known.set(name, value);
    if (changed.length === 0) return undefined;
    return `SET ${changed.map(([name, value]) => `@@SESSION.${name} = ${value}`).join(", ")}`;
  }

  /** Everything is sent again: the session was changed by others. */
  forget(): void {
    this.#known.clear();
  }
}

function toBit(value: boolean | undefined): number | undefined {
  return value === undefined ? undefined : Number(value);
}
