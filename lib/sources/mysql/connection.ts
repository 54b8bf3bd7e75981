import { Socket } from "node:net";
import { readFile } from "node:fs/promises";
import type { Readable } from "node:stream";
import { createConnection, type Connection, type ConnectionOptions, type QueryOptions } from "mysql2";
import { AppError } from "../../core/errors.ts";
import { toSourceError } from "./driver-errors.ts";
import { connectPlain, type PlainSocket, type TakeBytes } from "./plain-socket.ts";
import { describeTarget, type MysqlTarget } from "./url.ts";

/** A row as the text protocol sends it: text or NULL, whatever the type (numbers, dates and JSON too). */
export type TextRow<Names extends string = string> = Record<Names, string | null>;

export type SqlValue = string | number | bigint | Buffer | null;

export interface StatementResult {
  affectedRows: number;
  warnings: number;
}

export interface OpenOptions {
  /** Allows `loadLocal`; without it the connection refuses every request of the server for a file. */
  localInfile?: boolean;
  /** Aborting it destroys the connection; what runs on it rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
  connectTimeoutMs?: number;
}

/** The socket of a connection while its bytes go elsewhere. */
export interface DivertedSocket {
  readonly socket: Socket;
  restore(): void;
}

/** One session of ours on a server. Statements run one after the other, in the order of the calls. */
export interface MysqlConnection {
  readonly target: MysqlTarget;
  readonly threadId: number;
  /** `9.7.4` or `8.4.6-cloud`. */
  readonly serverVersion: string;
  /** Runs a SELECT or SHOW. `?` in `sql` takes a value; names must be quoted by `quoteName`. */
  query<Names extends string>(sql: string, values?: SqlValue[]): Promise<TextRow<Names>[]>;
  /** Runs any other statement. */
  execute(sql: string, values?: SqlValue[]): Promise<StatementResult>;
  /** Runs `LOAD DATA LOCAL INFILE`, whatever its file name, with the bytes of `data`. */
  loadLocal(sql: string, data: Readable): Promise<StatementResult>;
  /**
   * The socket below, for a reader that speaks the protocol itself while no statement runs: bytes go to `take`, which
   * must be done with them when it returns, until `restore` is called.
   */
  divert(take: TakeBytes): DivertedSocket;
  /** The socket below, for one that speaks the protocol both ways and listens to `data` itself. */
  socket(): Socket;
  /** Says goodbye to the server. */
  close(): Promise<void>;
  /** Cuts the connection; whatever it was doing ends. */
  destroy(): void;
  [Symbol.asyncDispose](): Promise<void>;
}

// CLIENT_QUERY_ATTRIBUTES would change the shape of COM_QUERY, and IGNORE_SPACE and ODBC the meaning of statements.
const FLAGS = ["-CLIENT_QUERY_ATTRIBUTES", "-IGNORE_SPACE", "-ODBC", "-FOUND_ROWS"];

// Every session reads and writes the same bytes, whatever the server's defaults are.
const SESSION = [
  "time_zone = '+00:00'",
  "sql_mode = ''",
  "autocommit = 1",
  "transaction_isolation = 'REPEATABLE-READ'",
  "net_read_timeout = 3600",
  "net_write_timeout = 3600",
  "wait_timeout = 86400",
  "lock_wait_timeout = 600",
  "information_schema_stats_expiry = 0",
  "max_execution_time = 0",
  "group_concat_max_len = 1073741824",
  "sql_quote_show_create = 1",
  "sql_select_limit = DEFAULT",
  "show_gipk_in_create_table_and_information_schema = ON",
  "print_identified_with_as_hex = ON",
].join(", ");

/** A busy server may take its time; one that never answers must not keep a job for ever. */
const SET_UP_TIMEOUT_MS = 30_000;

/** Connects, logs in and sets the session up. Throws the SOURCE_… codes, or the signal's reason. */
export async function openConnection(target: MysqlTarget, options: OpenOptions = {}): Promise<MysqlConnection> {
  options.signal?.throwIfAborted();
  const settings = await driverOptions(target, options);
  const plain = target.tls === "disabled" ? connectPlain(target.host, target.port) : undefined;
  const driver = createConnection(plain === undefined ? settings : { ...settings, stream: plain.socket });
  const setUp = new AbortController();
  const signal = options.signal ? AbortSignal.any([options.signal, setUp.signal]) : setUp.signal;
  const session = new Session(target, driver, plain, signal);
  const timeout = setTimeout(() => setUp.abort(noAnswer(target)), SET_UP_TIMEOUT_MS);
  try {
    await session.connected();
    await session.execute(`SET SESSION ${SESSION}`);
    const [row] = await session.query<"version">("SELECT VERSION() AS version");
    session.serverVersion = row?.version ?? "";
    return session;
  } catch (error: unknown) {
    session.destroy();
    throw error;
  } finally {
    clearTimeout(timeout);
  }
}

/** A firewall that forgot a connection can do so right after the login. */
function noAnswer(target: MysqlTarget): AppError {
  const what = `${describeTarget(target)} took the login and then gave no answer for ${SET_UP_TIMEOUT_MS / 1000} s`;
  return new AppError("SOURCE_CONNECTION_LOST", what);
}

class Session implements MysqlConnection {
  readonly target: MysqlTarget;
  serverVersion = "";
  readonly #driver: Connection;
  readonly #plain: PlainSocket | undefined;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.destroy();

  constructor(
    target: MysqlTarget,
    driver: Connection,
    plain: PlainSocket | undefined,
    signal: AbortSignal | undefined,
  ) {
    this.target = target;
    this.#driver = driver;
    this.#plain = plain;
    this.#signal = signal;
    signal?.addEventListener("abort", this.#onAbort, { once: true });
    // A connection that breaks between statements fails the next one; without a listener it would end the process.
    driver.on("error", () => {});
  }

  get threadId(): number {
    return this.#driver.threadId;
  }

  async connected(): Promise<void> {
    await this.#run(undefined, (done) => this.#driver.connect((error) => done(error)));
  }

  async query<Names extends string>(sql: string, values: SqlValue[] = []): Promise<TextRow<Names>[]> {
    const rows = await this.#statement({ sql, values });
    if (!Array.isArray(rows)) throw new AppError("INVARIANT", "a statement without rows was run as a query");
    return rows as TextRow<Names>[];
  }

  async execute(sql: string, values: SqlValue[] = []): Promise<StatementResult> {
    return toResult(await this.#statement({ sql, values }));
  }

  async loadLocal(sql: string, data: Readable): Promise<StatementResult> {
    return toResult(await this.#statement({ sql, infileStreamFactory: () => data }));
  }

  divert(take: TakeBytes): DivertedSocket {
    if (this.#plain !== undefined) {
      const plain = this.#plain;
      plain.divert(take);
      return { socket: plain.socket, restore: () => plain.divert(undefined) };
    }
    const socket = this.socket();
    const listeners = socket.listeners("data") as TakeBytes[];
    for (const listener of listeners) socket.off("data", listener);
    socket.on("data", take);
    const restore = (): void => {
      socket.off("data", take);
      for (const listener of listeners) socket.on("data", listener);
    };
    return { socket, restore };
  }

  socket(): Socket {
    const stream: unknown = Reflect.get(this.#driver, "stream");
    if (!(stream instanceof Socket)) throw new AppError("INVARIANT", "mysql2 keeps its socket elsewhere");
    return stream;
  }

  async close(): Promise<void> {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    await new Promise<void>((resolve) => this.#driver.end(() => resolve()));
    this.#driver.destroy();
  }

  destroy(): void {
    this.#signal?.removeEventListener("abort", this.#onAbort);
    this.#driver.destroy();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.destroy();
  }

  #statement(options: QueryOptions & Pick<ConnectionOptions, "infileStreamFactory">): Promise<unknown> {
    return this.#run(options.sql, (done) => this.#driver.query(options, done));
  }

  #run(sql: string | undefined, start: (done: (error: unknown, result?: unknown) => void) => void): Promise<unknown> {
    this.#signal?.throwIfAborted();
    return new Promise((resolve, reject: (reason: Error) => void) => {
      const onAbort = (): void => reject(abortReason(this.#signal));
      this.#signal?.addEventListener("abort", onAbort, { once: true });
      start((error, result) => {
        this.#signal?.removeEventListener("abort", onAbort);
        if (error === null || error === undefined) resolve(result);
        else reject(toSourceError(error, `${verbOf(sql)} on ${describeTarget(this.target)}`));
      });
    });
  }
}

async function driverOptions(target: MysqlTarget, options: OpenOptions): Promise<ConnectionOptions> {
  const result: ConnectionOptions = {
    host: target.host,
    port: target.port,
    user: target.user,
    password: target.password,
    charset: "UTF8MB4_0900_AI_CI",
    connectTimeout: options.connectTimeoutMs ?? 10_000,
    flags: options.localInfile === true ? FLAGS : [...FLAGS, "-LOCAL_FILES"],
    // Its own way to text warns on the console about JSON.
    typeCast: (field) => field.buffer()?.toString() ?? null,
    connectAttributes: { program_name: "resguardo" },
    keepAliveInitialDelay: 30_000,
  };
  if (target.tls !== "disabled") {
    result.ssl = { rejectUnauthorized: true, verifyIdentity: target.tls === "verify-identity" };
    if (target.caPath !== undefined) result.ssl.ca = await readAuthorities(target.caPath);
  }
  return result;
}

async function readAuthorities(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error: unknown) {
    throw new AppError("SOURCE_URL_INVALID", `database URL: the file of ssl-ca can't be read: "${path}"`, {
      hint: "Point ssl-ca to a readable PEM file.",
      cause: error,
    });
  }
}

function toResult(result: unknown): StatementResult {
  const fields = typeof result === "object" && result !== null ? result : {};
  const number = (name: string): number => Number(Reflect.get(fields, name) ?? 0);
  return { affectedRows: number("affectedRows"), warnings: number("warningStatus") };
}

/** The first word of a statement: enough to say what failed, too little to hold data. */
function verbOf(sql: string | undefined): string {
  return sql === undefined ? "connecting" : (/^\s*(\w+)/.exec(sql)?.[1]?.toUpperCase() ?? "statement");
}

function abortReason(signal: AbortSignal | undefined): Error {
  const reason: unknown = signal?.reason;
  return reason instanceof Error ? reason : new AppError("INVARIANT", "aborted without a reason", { cause: reason });
}
