import type { BackupWriter, EngineContent } from "../../vault/backup-writer.ts";
import type { EngineContext } from "../engine.ts";
import { selectRows } from "./columns.ts";
import type { MysqlConnection } from "./connection.ts";
import type { DefinitionWatch } from "./definition-watch.ts";
import { formatFingerprint } from "./fingerprint.ts";
import { quoteTable } from "./quoting.ts";
import type { Part } from "./ranges.ts";
import { RowReader, type RowTotals } from "./row-stream.ts";
import type { TableModel } from "./schema-model.ts";

/** What became of one part. */
export interface StoredPart extends RowTotals {
  table: TableModel;
  /** Absent when the part has no rows: an empty table costs no blob. */
  blob?: EngineContent["blobs"][number];
}

/** Streams parts into blobs, on any number of connections at once. */
export class PartReader {
  readonly #context: EngineContext;
  readonly #watch: DefinitionWatch;
  readonly #writer: BackupWriter;
  readonly #totalBytes: number;
  #doneBytes = 0;
  #doneRows = 0;

  constructor(context: EngineContext, watch: DefinitionWatch, writer: BackupWriter, totalBytes: number) {
    this.#context = context;
    this.#watch = watch;
    this.#writer = writer;
    this.#totalBytes = totalBytes;
  }

  /** A function that reads one part after the other on `connection`, which stands on the snapshot. */
  on(connection: MysqlConnection): (part: Part, blobName: string) => Promise<StoredPart> {
    const reader = new RowReader(connection);
    return async (part, blobName) => {
      const stored = await this.#store(reader, part, blobName);
      // As long as the transaction holds the table's metadata lock, nobody can change what was just read.
      await this.#watch.check(part.table);
      await connection.execute("ROLLBACK TO SAVEPOINT part");
      this.#doneRows += stored.rows;
      return stored;
    };
  }

  async #store(reader: RowReader, part: Part, blobName: string): Promise<StoredPart> {
    const { table, number } = part;
    const rows = reader.read(selectRows(part.table, part.condition), `reading ${quoteTable(table.schema, table.name)}`);
    const first = await rows.next();
    if (first.done === true) return { table, ...first.value };
    let totals: RowTotals = { rows: 0, sum: 0n, bytes: 0 };
    const entry = await this.#writer.writeBlob(
      blobName,
      this.#counted(first.value, rows, (found) => (totals = found)),
    );
    const place = { schema: table.schema, name: table.name, part: number };
    const fingerprint = formatFingerprint(totals.sum);
    return { table, ...totals, blob: { ...entry, role: "rows", rows: totals.rows, fingerprint, table: place } };
  }

  async *#counted(
    first: Buffer,
    rest: AsyncGenerator<Buffer, RowTotals>,
    finish: (totals: RowTotals) => void,
  ): AsyncGenerator<Buffer> {
    try {
      let text: Buffer | undefined = first;
      while (text !== undefined) {
        this.#doneBytes += text.length;
        yield text;
        this.#report();
        const next = await rest.next();
        if (next.done === true) finish(next.value);
        text = next.done === true ? undefined : next.value;
      }
    } finally {
      // A writer that stops early must not leave the server sending.
      await rest.return({ rows: 0, sum: 0n, bytes: 0 });
    }
  }

  #report(): void {
    const [doneBytes, doneRows] = [this.#doneBytes, this.#doneRows];
    this.#context.progress({ phase: "reading rows", doneBytes, totalBytes: this.#totalBytes, doneRows });
  }
}
