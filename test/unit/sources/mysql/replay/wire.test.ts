import { describe, expect, it } from "vitest";
import { AnswerReader } from "../../../../../lib/sources/mysql/replay/answer.ts";
import { statementPackets } from "../../../../../lib/sources/mysql/replay/statement-packets.ts";

const packet = (sequence: number, ...payload: number[]): Buffer =>
  Buffer.from([payload.length, 0, 0, sequence, ...payload]);
const EOF = [0xfe, 0, 0, 2, 0];

/** Pushes the bytes one by one; returns after how many the answer was complete. */
function readByByte(bytes: Buffer): { reader: AnswerReader; endedAt: number } {
  const reader = new AnswerReader();
  for (let at = 0; at < bytes.length; at++) {
    if (reader.push(bytes.subarray(at, at + 1))) return { reader, endedAt: at + 1 };
  }
  return { reader, endedAt: -1 };
}

describe("answers to a statement", () => {
  it.each([
    ["OK", [packet(1, 0, 0, 0, 2, 0, 0, 0)]],
    ["OK with a large row count", [packet(1, 0, 0xfc, 1, 2, 0, 2, 0, 0, 0)]],
    ["a result set", [packet(1, 1), packet(2, 3, 100), packet(3, ...EOF), packet(4, 1, 49), packet(5, ...EOF)]],
    [
      "two result sets",
      [packet(1, 1), packet(2, 3), packet(3, ...EOF), packet(4, 0xfe, 0, 0, 8, 0), packet(5, 0, 0, 0, 2, 0, 0, 0)],
    ],
  ])("end with %s, however it is cut", (_, packets) => {
    const bytes = Buffer.concat(packets);
    const { reader, endedAt } = readByByte(bytes);
    expect(endedAt).toBe(bytes.length);
    expect(reader.error).toBeUndefined();
    expect(new AnswerReader().push(bytes)).toBe(true);
  });

  it("carry an error's number, and its words in the cause only", () => {
    const reader = new AnswerReader();
    expect(
      reader.push(Buffer.concat([packet(1, 0xff, 0x26, 0x04, ...Buffer.from("#23000Duplicate entry 'secret'"))])),
    ).toBe(true);
    expect(reader.error?.message).toBe("replaying: server error 1062 (SQLSTATE 23000)");
    expect(String(reader.error?.cause)).toContain("secret");
  });

  it("are refused when something follows them", () => {
    const ok = packet(1, 0, 0, 0, 2, 0, 0, 0);
    expect(() => new AnswerReader().push(Buffer.concat([ok, ok]))).toThrow(
      expect.objectContaining({ code: "SOURCE_PROTOCOL" }),
    );
  });

  it("are refused when the server asks for a file", () => {
    expect(() => new AnswerReader().push(packet(1, 0xfb, 47))).toThrow(
      expect.objectContaining({ code: "SOURCE_PROTOCOL" }),
    );
  });
});

describe("statements on the wire", () => {
  it.each([0, 1, 0xff_fffd, 0xff_fffe, 0xff_ffff, 0x1ff_fffd, 0x1ff_fffe])(
    "are cut into packets (%i bytes)",
    (length) => {
      const sql = Buffer.alloc(length, 0x61);
      const bytes = Buffer.concat([...statementPackets([sql.subarray(0, 10), sql.subarray(10)])]);
      const payload: Buffer[] = [];
      let [at, size, sequence] = [0, 0xff_ffff, 0];
      while (size === 0xff_ffff) {
        size = bytes.readUIntLE(at, 3);
        expect(bytes[at + 3]).toBe(sequence++);
        payload.push(bytes.subarray(at + 4, at + 4 + size));
        at += 4 + size;
      }
      expect(at).toBe(bytes.length);
      expect(Buffer.concat(payload).equals(Buffer.concat([Buffer.from([3]), sql]))).toBe(true);
    },
  );
});
