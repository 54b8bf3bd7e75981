import { crc32 } from "node:zlib";
import { damaged } from "./cursor.ts";
import { EVENT_HEADER_SIZE, readHeader } from "./event.ts";

/*
 * Each event ends in the CRC-32 of its other bytes, and the CRC-32 of anything with its own CRC-32 behind it is always the
 * same number. Five bytes `GAP` turn that number into the one that a sum starts with. So where `GAP` stands between events,
 * one sum over all of them is right exactly when each of them is: a sum for each would cost more than the bytes themselves.
 */

const INTACT = 0x2144_df1c;

/** As long as what stands before an event in its packet: its length, a number, and a status. */
export const GAP: Buffer = Buffer.from("0080fdfbab", "hex");

/** Checks one whole event. Throws SOURCE_PROTOCOL. */
export function assertIntact(event: Buffer): void {
  if (crc32(event) !== INTACT) throw failed(event);
}

/** Checks events with `GAP` between them. Throws SOURCE_PROTOCOL that names the first damaged one. */
export function assertAllIntact(events: Buffer): void {
  if (crc32(events) === INTACT) return;
  for (let offset = 0; offset < events.length; offset += GAP.length) {
    const { size } = readHeader(events, offset);
    assertIntact(events.subarray(offset, (offset += size)));
  }
  throw damaged("the checksums of several fail");
}

/** The checksum of an event that comes in parts. */
export class ChecksumOfParts {
  readonly #head: Buffer;
  #crc = 0;

  /** `head`: the event's header. */
  constructor(head: Buffer) {
    this.#head = Buffer.from(head.subarray(0, EVENT_HEADER_SIZE));
  }

  add(part: Buffer): void {
    this.#crc = crc32(part, this.#crc);
  }

  /** Throws SOURCE_PROTOCOL. */
  assertIntact(): void {
    if (this.#crc !== INTACT) throw failed(this.#head);
  }
}

function failed(event: Buffer): Error {
  const { type, nextPosition } = readHeader(event);
  return damaged(`type ${type} that ends at ${nextPosition} fails its checksum`);
}
