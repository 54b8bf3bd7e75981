import type { BackupWriter, EngineContent } from "../../vault/backup-writer.ts";
import type { EngineContext } from "../engine.ts";
import type { BackupSession } from "./backup-session.ts";
import { rowsBlob, typedBlob } from "./blob-names.ts";
import { selectRows, selectTypedRows } from "./columns.ts";
import type { MysqlConnection } from "./connection.ts";
import { formatFingerprint } from "./fingerprint.ts";
import { type JsonProofs, readJsonProofs } from "./json-shape.ts";
import type { Part } from "./ranges.ts";
import { type RowQuery, RowReader, type RowTotals } from "./row-stream.ts";
import type { TableModel } from "./schema-model.ts";

/** What became of one part. */
export interface StoredPart {
  table: TableModel;
  rows: number;
  /** Sum of the rows' XXH64. */
  sum: bigint;
  plainBytes: number;
  /** None when the part has no rows: an empty table costs no blob. Two when some of its rows are typed. */
  blobs: EngineContent["blobs"];
}

/** Streams parts into blobs, on any number of connections at once. */
export class PartReader {
  readonly #context: EngineContext;
  readonly #session: BackupSession;
  readonly #writer: BackupWriter;
  readonly #totalBytes: number;
  readonly #proofs = new Map<TableModel, Promise<JsonProofs>>();
  #doneBytes = 0;
  #doneRows = 0;

  constructor(context: EngineContext, session: BackupSession, writer: BackupWriter, totalBytes: number) {
    this.#context = context;
    this.#session = session;
    this.#writer = writer;
    this.#totalBytes = totalBytes;
  }

  /** A function that reads one part after the other on `connection`, which stands on the snapshot. */
  on(connection: MysqlConnection): (part: Part, number: number) => Promise<StoredPart> {
    const reader = new RowReader(connection);
    return async (part, number) => {
      const stored = await this.#store(reader, part, number);
      // As long as the transaction holds the table's metadata lock, nobody can change what was just read.
      await this.#session.watch.check(part.table);
      await connection.execute("ROLLBACK TO SAVEPOINT part");
      this.#doneRows += stored.rows;
      return stored;
    };
  }

  async #store(reader: RowReader, part: Part, number: number): Promise<StoredPart> {
    const { table, condition } = part;
    const stored: StoredPart = { table, rows: 0, sum: 0n, plainBytes: 0, blobs: [] };
    const proofs = await this.#proofsOf(table);
    const { skipped } = await this.#write(reader, selectRows(table, condition, proofs), rowsBlob(number), part, stored);
    const typed = skipped === 0 ? undefined : selectTypedRows(table, condition, proofs);
    if (typed !== undefined) await this.#write(reader, typed, typedBlob(number), part, stored);
    return stored;
  }

  async #write(
    reader: RowReader,
    query: RowQuery,
    blobName: string,
    part: Part,
    stored: StoredPart,
  ): Promise<RowTotals> {
    const rows = reader.read(query);
    const first = await rows.next();
    if (first.done === true) return first.value;
    const counted = new CountedRows(first.value, rows, (bytes) => this.#report(bytes));
    const entry = await this.#writer.writeBlob(blobName, counted);
    const { totals } = counted;
    const { table, number } = part;
    stored.rows += totals.rows;
    stored.sum += totals.sum;
    stored.plainBytes += totals.bytes;
    stored.blobs.push({
      ...entry,
      role: "rows",
      rows: totals.rows,
      fingerprint: formatFingerprint(totals.sum),
      table: { schema: table.schema, name: table.name, part: number },
    });
    return totals;
  }

  #proofsOf(table: TableModel): Promise<JsonProofs> {
    const proofs = this.#proofs.get(table) ?? readJsonProofs(this.#session.control, table);
    this.#proofs.set(table, proofs);
    return proofs;
  }

  #report(bytes: number): void {
    this.#doneBytes += bytes;
    const [doneBytes, doneRows] = [this.#doneBytes, this.#doneRows];
    this.#context.progress({ phase: "reading rows", doneBytes, totalBytes: this.#totalBytes, doneRows });
  }
}

/** The pieces of a read that has begun; keeps what it adds up to. */
class CountedRows implements AsyncIterable<Buffer> {
  totals: RowTotals = { rows: 0, sum: 0n, bytes: 0, skipped: 0 };
  readonly #first: Buffer;
  readonly #rest: AsyncGenerator<Buffer, RowTotals>;
  readonly #onBytes: (bytes: number) => void;

  constructor(first: Buffer, rest: AsyncGenerator<Buffer, RowTotals>, onBytes: (bytes: number) => void) {
    this.#first = first;
    this.#rest = rest;
    this.#onBytes = onBytes;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Buffer> {
    try {
      for (let text: Buffer | undefined = this.#first; text !== undefined; text = await this.#next()) {
        yield text;
        this.#onBytes(text.length);
      }
    } finally {
      // A writer that stops early must not leave the server sending.
      await this.#rest.return(this.totals);
    }
  }

  async #next(): Promise<Buffer | undefined> {
    const next = await this.#rest.next();
    if (next.done !== true) return next.value;
    this.totals = next.value;
    return undefined;
  }
}
