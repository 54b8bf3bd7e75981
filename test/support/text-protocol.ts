/** A field of a row: its bytes, or NULL. */
export type Field = Buffer | null;

const MAX_PAYLOAD = 0xff_ffff;

/** The packets of rows as the server sends them, the first with `sequence`, and the EOF after them. */
export function rowPackets(rows: readonly Field[][], sequence = 0): Buffer {
  const packets: Buffer[] = [];
  let next = sequence;
  for (const payload of [...rows.map(rowPayload), Buffer.from([0xfe, 0, 0, 2, 0])]) {
    for (const packet of cutIntoPackets(payload, next)) {
      packets.push(packet);
      next += 1;
    }
  }
  return Buffer.concat(packets);
}

/** A payload in packets of at most 16 MiB - 1; one that fills its last packet is followed by an empty one. */
export function cutIntoPackets(payload: Buffer, sequence: number): Buffer[] {
  const packets: Buffer[] = [];
  for (let start = 0; start <= payload.length; start += MAX_PAYLOAD) {
    const piece = payload.subarray(start, start + MAX_PAYLOAD);
    const header = Buffer.alloc(4);
    header.writeUIntLE(piece.length, 0, 3);
    header[3] = (sequence + packets.length) & 0xff;
    packets.push(Buffer.concat([header, piece]));
    if (piece.length < MAX_PAYLOAD) break;
  }
  return packets;
}

function rowPayload(row: readonly Field[]): Buffer {
  return Buffer.concat(row.flatMap((field) => (field === null ? [Buffer.from([0xfb])] : [lengthOf(field), field])));
}

function lengthOf({ length }: Buffer): Buffer {
  if (length < 0xfb) return Buffer.from([length]);
  const size = length < 0x1_0000 ? 2 : length < 0x100_0000 ? 3 : 8;
  const encoded = Buffer.alloc(size + 1);
  encoded[0] = size === 2 ? 0xfc : size === 3 ? 0xfd : 0xfe;
  encoded.writeUIntLE(length, 1, Math.min(size, 6));
  return encoded;
}

/** An ERR packet's payload. */
export function errorPayload(number: number, sqlState: string, message: string): Buffer {
  const head = Buffer.from([0xff, number & 0xff, number >> 8]);
  return Buffer.concat([head, Buffer.from(`#${sqlState}${message}`)]);
}

/** A row as LOAD DATA text without its line end, byte by byte: what the kernel has to produce. */
export function toLine(row: readonly Field[]): Buffer {
  const fields = row.map((field) => (field === null ? Buffer.from(String.raw`\N`) : escape(field)));
  return Buffer.concat(fields.flatMap((field, index) => (index === 0 ? [field] : [Buffer.from("\t"), field])));
}

function escape(field: Buffer): Buffer {
  const special = new Map([
    [0x5c, "\\\\"],
    [0x09, "\\t"],
    [0x0a, "\\n"],
    [0x00, "\\0"],
  ]);
  return Buffer.concat([...field].map((byte) => Buffer.from(special.get(byte) ?? [byte])));
}
