import { describe, expect, it } from "vitest";
import { DumpParser } from "../../../../../lib/sources/mysql/binlog/dump-packets.ts";
import { EVENT, EVENT_FLAG } from "../../../../../lib/sources/mysql/binlog/event.ts";
import { type EventFields, makeEvent, toPackets } from "../../../../support/binlog-events.ts";
import { seededRandom } from "../../../../support/random.ts";

const END = Buffer.from("01000000fe", "hex");

function formatDescription(): Buffer {
  const head = Buffer.alloc(57);
  head.writeUInt16LE(4);
  head.writeUInt8(19, 56);
  return Buffer.concat([head, Buffer.alloc(41), Buffer.from([1])]);
}

/** What a server sends at the start of a file. */
const OPENING: EventFields[] = [
  { type: EVENT.rotate, position: 0, body: Buffer.from("binlog.000001"), flags: EVENT_FLAG.artificial, timestamp: 0 },
  { type: EVENT.formatDescription, position: 4, body: formatDescription() },
];

/** Events of many sizes, heartbeats among them. */
function randomEvents(random: () => number, count: number): EventFields[] {
  return Array.from({ length: count }, (_, index) => {
    const kind = random();
    if (kind < 0.05) return { type: EVENT.heartbeatV2, position: 0, body: Buffer.from("now"), timestamp: 0 };
    const length = kind < 0.07 ? 300_000 + random() * 400_000 : kind < 0.2 ? random() * 20_000 : random() * 200;
    const body = Buffer.alloc(Math.floor(length), `${index}:${random()} `);
    return { type: kind < 0.5 ? EVENT.writeRows : EVENT.tableMap, position: 4 + index, body };
  });
}

function wireOf(events: readonly EventFields[]): Buffer {
  return Buffer.concat([...events.map((event) => toPackets(makeEvent(event))), END]);
}

function logOf(events: readonly EventFields[]): Buffer {
  return Buffer.concat(events.filter(({ position }) => position > 0).map(makeEvent));
}

/** Reads in cuts of random length; each cut's memory is overwritten once its pieces were looked at. */
function parse(wire: Buffer, cutLength: () => number) {
  const parser = new DumpParser(true);
  const log: Buffer[] = [];
  const madeUp: number[] = [];
  let longest = 0;
  for (let at = 0; at < wire.length;) {
    const cut = Buffer.from(wire.subarray(at, at + Math.max(1, Math.floor(cutLength()))));
    at += cut.length;
    for (const piece of parser.push(cut)) {
      if (piece.kind === "made-up") madeUp.push(piece.header.type);
      else log.push(Buffer.from(piece.bytes));
      longest = Math.max(longest, piece.bytes.length);
    }
    cut.fill(0xee);
  }
  return { log: Buffer.concat(log), madeUp, longest, ended: parser.ended };
}

describe("DumpParser", () => {
  it("gives back the bytes of the log, wherever the stream is cut", () => {
    for (let seed = 1; seed <= 30; seed++) {
      const random = seededRandom(seed);
      const events = [...OPENING, ...randomEvents(random, 200)];
      const longestCut = [3, 60, 2000, 70_000, 1_000_000][seed % 5] ?? 1;
      // A stream of many thousand cuts would say nothing more.
      const used = longestCut < 100 ? events.filter(({ body }) => body.length < 1000) : events;
      const found = parse(wireOf(used), () => random() * longestCut);
      expect(found.log.equals(logOf(used)), `seed ${seed}`).toBe(true);
      expect(found.ended).toBe(true);
      expect(found.madeUp).toEqual(used.filter(({ position }) => position === 0).map(({ type }) => type));
    }
  });

  it("hands on an event of several packets as it comes, also one that fills its packets", () => {
    for (const length of [20_000_000, 0xff_ffff - 1 - 23, 2 * 0xff_ffff - 1 - 23]) {
      const events = [...OPENING, { type: EVENT.writeRows, position: 500, body: Buffer.alloc(length, "long ") }];
      const found = parse(wireOf(events), () => 65_536);
      expect(found.log.equals(logOf(events)), `${length} bytes`).toBe(true);
      expect(found.longest).toBeLessThanOrEqual(65_536);
    }
  });

  it("refuses a bit that differs, in an event of any size", () => {
    for (const length of [0, 30, 100_000, 400_000]) {
      const events = [...OPENING, { type: EVENT.xid, position: 500, body: Buffer.alloc(8) }];
      const head = wireOf(events).length - END.length;
      const wire = wireOf([...events, { type: EVENT.writeRows, position: 900, body: Buffer.alloc(length) }]);
      wire.writeUInt8(1, head + 4 + 1 + 6);
      expect(() => parse(wire, () => 5000), `${length} bytes`).toThrow("type 30 that ends at");
    }
  });

  it("refuses an event whose packet has another length, bytes after the end, and the server's own error", () => {
    const event = makeEvent({ type: EVENT.writeRows, position: 900, body: Buffer.alloc(100) });
    event.writeUInt32LE(event.length - 1, 9);
    expect(() => parse(toPackets(event), () => 50)).toThrow("says it has 122 bytes, its packet has 123");
    expect(() => parse(Buffer.concat([END, END]), () => 50)).toThrow("bytes after the last event");
    const refusal = Buffer.concat([Buffer.from("ffd404", "hex"), Buffer.from("#HY000no such file")]);
    const packet = Buffer.concat([Buffer.from([refusal.length, 0, 0, 0]), refusal]);
    expect(() => parse(packet, () => 50)).toThrow("server error 1236");
  });
});
