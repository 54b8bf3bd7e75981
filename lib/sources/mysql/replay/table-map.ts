import { AppError } from "../../../core/errors.ts";
import { type BinlogEvent, EVENT_HEADER_SIZE } from "../binlog/event.ts";
import { readTableMap } from "../binlog/row-events.ts";
import type { TableName } from "../mapping.ts";
import type { ReplayScope } from "./scope.ts";

/** A table as the row events of a log refer to it, and what becomes of them. */
export interface MappedTable {
  tableId: number;
  from: TableName;
  /** Where its rows go; undefined where they are left out. */
  to: TableName | undefined;
  /** The body that was logged; the same id with another body is another table, or the same after a change. */
  loggedBody: Buffer;
  /** The event to be sent, without checksum. */
  event: Buffer;
}

/** Which table each id stands for, at the current place of the log. */
export class TableMaps {
  readonly #scope: ReplayScope;
  readonly #byId = new Map<number, MappedTable>();

  constructor(scope: ReplayScope) {
    this.#scope = scope;
  }

  /** Takes a TABLE_MAP event in. An id that means the same as before stays the same object. */
  add(event: BinlogEvent): MappedTable {
    const tableId = event.body.readUIntLE(0, 6);
    const known = this.#byId.get(tableId);
    if (known?.loggedBody.equals(event.body) === true) return known;
    const map = readTableMap(event);
    const from = { schema: map.schema, name: map.table };
    const to = this.#scope.table(from);
    const mapped: MappedTable = {
      tableId,
      from,
      to,
      // Copied: it outlives the memory that its event shares with others.
      loggedBody: Buffer.from(event.body),
      event: withNames(event, map.afterNames, to ?? from),
    };
    this.#byId.set(tableId, mapped);
    return mapped;
  }

  /** The table of a rows event. Throws SOURCE_PROTOCOL where no map came before it. */
  of(event: BinlogEvent): MappedTable {
    const tableId = event.body.readUIntLE(0, 6);
    const mapped = this.#byId.get(tableId);
    if (mapped === undefined) {
      throw new AppError("SOURCE_PROTOCOL", `binlog event: rows of table id ${tableId}, which no event named`);
    }
    return mapped;
  }
}

/** A TABLE_MAP event without checksum for another table. */
function withNames(event: BinlogEvent, afterNames: Buffer, to: TableName): Buffer {
  const head = event.bytes.subarray(0, EVENT_HEADER_SIZE + 8);
  const bytes = Buffer.concat([head, nameField(to.schema), nameField(to.name), afterNames]);
  bytes.writeUInt32LE(bytes.length, 9);
  return bytes;
}

function nameField(name: string): Buffer {
  const text = Buffer.from(name);
  return Buffer.concat([Buffer.from([text.length]), text, Buffer.from([0])]);
}
