const HEADER_SIZE = 4;
const MAX_PAYLOAD = 0xff_ffff;
/** Far below what any server takes as one packet. */
const FILE_PAYLOAD = 256 * 1024;
const COM_QUERY = Buffer.from([0x03]);

/** The packets of a file that the server asked for, from packet number `sequence` on; an empty one ends it. */
export function* filePackets(blocks: readonly Buffer[], sequence: number): Generator<Buffer> {
  let number = sequence;
  for (const block of blocks) {
    for (let from = 0; from < block.length; from += FILE_PAYLOAD) {
      const piece = block.subarray(from, from + FILE_PAYLOAD);
      yield packetHeader(piece.length, number++);
      yield piece;
    }
  }
  yield packetHeader(0, number);
}

/** A COM_QUERY of any length, as pieces to be written one after the other: headers, and slices of the parts. */
export function* statementPackets(parts: readonly (Buffer | string)[]): Generator<Buffer> {
  const payload = [COM_QUERY, ...parts.map((part) => (typeof part === "string" ? Buffer.from(part) : part))];
  let left = payload.reduce((sum, { length }) => sum + length, 0);
  let [index, offset] = [0, 0];
  // A packet of the full length says that another follows, which may be empty.
  for (let sequence = 0; ; sequence++) {
    const length = Math.min(left, MAX_PAYLOAD);
    yield packetHeader(length, sequence);
    left -= length;
    for (let wanted = length; wanted > 0;) {
      const part = payload[index] ?? Buffer.alloc(0);
      const slice = part.subarray(offset, offset + wanted);
      if (slice.length > 0) yield slice;
      wanted -= slice.length;
      offset += slice.length;
      if (offset === part.length) [index, offset] = [index + 1, 0];
    }
    if (length < MAX_PAYLOAD) return;
  }
}

function packetHeader(length: number, sequence: number): Buffer {
  const header = Buffer.alloc(HEADER_SIZE);
  header.writeUIntLE(length, 0, 3);
  header[3] = sequence & 0xff;
  return header;
}
