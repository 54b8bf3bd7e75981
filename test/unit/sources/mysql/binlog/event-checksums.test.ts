import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  assertAllIntact,
  assertIntact,
  ChecksumOfParts,
  GAP,
} from "../../../../../lib/sources/mysql/binlog/event-checksums.ts";
import { makeEvent } from "../../../../support/binlog-events.ts";

const SIZES = [0, 1, 7, 300, 70_000];

function join(events: readonly Buffer[]): Buffer {
  return Buffer.concat(events.flatMap((event, index) => (index === 0 ? [event] : [GAP, event])));
}

describe("the checksums of events", () => {
  it("are right for one event and for many with gaps between them", () => {
    const events = SIZES.map((size, index) => makeEvent({ type: 30, position: index * 1000, body: randomBytes(size) }));
    for (const event of events) expect(() => assertIntact(event)).not.toThrow();
    expect(() => assertAllIntact(join(events))).not.toThrow();
  });

  it("turn the sum over an event into a fresh start, whatever is in it", () => {
    const event = makeEvent({ type: 2, position: 4, body: randomBytes(50) });
    const after = Buffer.from("anything");
    expect(crc32(Buffer.concat([event, GAP, after]))).toBe(crc32(after));
  });

  it("tell which of many events is damaged, wherever one bit differs", () => {
    const events = SIZES.map((size, index) => makeEvent({ type: 30 + index, position: 4, body: randomBytes(size) }));
    for (const [index, { length }] of events.entries()) {
      const damaged = events.map((event) => Buffer.from(event));
      const at = 20 + Math.floor((length - 24) * 0.7);
      damaged[index]?.writeUInt8((damaged[index]?.readUInt8(at) ?? 0) ^ 0x10, at);
      expect(() => assertAllIntact(join(damaged))).toThrow(`type ${30 + index} that ends at`);
    }
  });

  it("notice two damaged events whose checksums were exchanged", () => {
    const events = [1, 2].map((type) => makeEvent({ type, position: 4, body: randomBytes(40) }));
    const ends = events.map((event) => Buffer.from(event.subarray(-4)));
    for (const [index, event] of events.entries()) ends[1 - index]?.copy(event, event.length - 4);
    expect(() => assertAllIntact(join(events))).toThrow("type 1 that ends at");
  });

  it("are summed over an event in parts", () => {
    const event = makeEvent({ type: 40, position: 9, body: randomBytes(5000) });
    const sum = (bytes: Buffer): ChecksumOfParts => {
      const checksum = new ChecksumOfParts(bytes);
      for (let at = 0; at < bytes.length; at += 333) checksum.add(bytes.subarray(at, at + 333));
      return checksum;
    };
    expect(() => sum(event).assertIntact()).not.toThrow();
    event.writeUInt8(event.readUInt8(2000) ^ 1, 2000);
    expect(() => sum(event).assertIntact()).toThrow("type 40 that ends at");
  });
});
