import { describe, expect, it } from "vitest";
import { type Guards, NO_GUARDS, RowKernel } from "../../../../lib/sources/mysql/row-kernel.ts";
import { cutIntoPackets, errorPayload, type Field, rowPackets, toLine } from "../../../support/text-protocol.ts";
import { seededRandom } from "../../../support/random.ts";
import { xxh64 } from "../../../support/xxh64.ts";

const kernel = new RowKernel();
const CONTEXT = "reading `a`.`b`";

/** Pushes packets in pieces of the given lengths, over and over, and collects what comes out. */
function read(
  packets: Buffer,
  columns: number,
  pieces: readonly number[] = [packets.length],
  options: Partial<Guards> = {},
) {
  const texts: Buffer[] = [];
  const emit = (text: Buffer) => void texts.push(Buffer.from(text));
  kernel.reset(columns, { ...NO_GUARDS, ...options }, 0);
  let state = "more";
  for (let start = 0, turn = 0; start < packets.length; turn++) {
    const length = pieces[turn % pieces.length] ?? 1;
    state = kernel.push(packets.subarray(start, start + length), CONTEXT, emit);
    start += length;
  }
  kernel.flush(emit);
  return { state, text: Buffer.concat(texts), rows: kernel.rows, sum: kernel.sum, skipped: kernel.skipped };
}

function expected(rows: readonly Field[][]) {
  const lines = rows.map(toLine);
  return {
    state: "ended",
    text: Buffer.concat(lines.flatMap((line) => [line, Buffer.from("\n")])),
    rows: rows.length,
    sum: BigInt.asUintN(
      64,
      lines.reduce((sum, line) => sum + xxh64(line), 0n),
    ),
    skipped: 0,
  };
}

const text = (value: string): Field => Buffer.from(value);

describe("the reference XXH64", () => {
  it("agrees with the published vectors", () => {
    expect(xxh64(Buffer.from(""))).toBe(0xef46db3751d8e999n);
    expect(xxh64(Buffer.from("a"))).toBe(0xd24ec4f1a98c6e5bn);
    expect(xxh64(Buffer.from("abc"))).toBe(0x44bc2cf5ad770999n);
    expect(xxh64(Buffer.from("The quick brown fox jumps over the lazy dog"))).toBe(0x0b242d361fda71bcn);
  });
});

describe("the row kernel", () => {
  it("tells NULL, the empty string and a backslash with an N apart", () => {
    const rows = [[null, text(""), text(String.raw`\N`)]];
    expect(read(rowPackets(rows), 3)).toEqual(expected(rows));
    expect(read(rowPackets(rows), 3).text.toString()).toBe("\\N\t\t\\\\N\n");
  });

  it("escapes backslash, TAB, LF and NUL, and keeps each of the other byte values", () => {
    const rows = Array.from({ length: 256 }, (_, byte) => [Buffer.from([byte]), Buffer.from([0x41, byte, byte, 0x42])]);
    rows.push([Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)), Buffer.alloc(100, 0)]);
    expect(read(rowPackets(rows), 2)).toEqual(expected(rows));
  });

  it("hashes rows of every length from 0 to 300 bytes", () => {
    const rows = Array.from({ length: 301 }, (_, length) => [Buffer.alloc(length, 0x61 + (length % 26))]);
    expect(read(rowPackets(rows), 1)).toEqual(expected(rows));
  });

  it("gives the same text wherever the input is cut in two", () => {
    const rows = [
      [text("first"), null, Buffer.alloc(300, 0x5c)],
      [text(""), text("\t\n\0\\"), Buffer.alloc(40, 0x78)],
      [null, null, null],
    ];
    const packets = rowPackets(rows);
    const whole = expected(rows);
    for (let cut = 1; cut < packets.length; cut++) {
      expect(read(packets, 3, [cut, packets.length - cut]), `cut at ${cut}`).toEqual(whole);
    }
  });

  it("gives the same text when every byte comes alone", () => {
    const rows = [
      [text("one"), Buffer.alloc(70_000, 0x0a)],
      [null, text("two")],
    ];
    expect(read(rowPackets(rows), 2, [1])).toEqual(expected(rows));
  });

  it("takes rows of every size around the limits of packets, fields and buffers", () => {
    const sizes = [250, 251, 252, 65_534, 65_535, 65_536, 65_537, 262_140, 262_144, 2_097_151, 2_097_152, 2_097_153];
    const rows = sizes.map((size) => [text(String(size)), Buffer.alloc(size, 0x79)]);
    expect(read(rowPackets(rows), 2, [65_536])).toEqual(expected(rows));
  });

  it.each([0xff_fff9, 0xff_fffa, 0xff_fffb, 0xff_fffc, 0x100_0005, 0x1ff_fff0, 0x200_0003])(
    "takes a field of %i bytes, whose row goes on in another packet or fills one",
    (size) => {
      const rows = [
        [Buffer.alloc(size, 0x7a), text("end")],
        [text("next"), null],
      ];
      const packets = rowPackets(rows);
      const found = read(packets, 2, [65_536]);
      const wanted = Buffer.concat([Buffer.alloc(size, 0x7a), Buffer.from("\tend\nnext\t\\N\n")]);
      expect(found.text.equals(wanted)).toBe(true);
      expect(found.rows).toBe(2);
    },
    60_000,
  );

  it("hands text over in bounded pieces, however long the row is", () => {
    const packets = rowPackets([[Buffer.alloc(20_000_000, 0x00)]]);
    const sizes: number[] = [];
    kernel.reset(1, NO_GUARDS, 0);
    kernel.push(packets, CONTEXT, (piece) => sizes.push(piece.length));
    kernel.flush((piece) => sizes.push(piece.length));
    expect(Math.max(...sizes)).toBeLessThanOrEqual(2 * 1024 * 1024);
    expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(40_000_001);
  });

  it("leaves out guards that are NULL, and skips rows with other ones", () => {
    const rows = [
      [null, null, text("kept")],
      [text("x"), null, text("skipped")],
      [null, text(""), Buffer.alloc(100_000, 0x73)],
      [null, null, Buffer.alloc(100_000, 0x6b)],
      [null, text("y"), Buffer.alloc(0x100_0005, 0x73)],
      [null, null, null],
    ];
    const kept = [[text("kept")], [Buffer.alloc(100_000, 0x6b)], [null]];
    for (const pieces of [[1 << 18], [65_536], [7919]]) {
      expect(read(rowPackets(rows), 3, pieces, { nulls: 2 })).toEqual({ ...expected(kept), skipped: 3 });
    }
  });

  it.each([
    ["no scalar", "{}", 0],
    ["numbers of every form", '{"a": -1, "b": [1.5, 1e20, 2E-7, -0.0], "c": 0}', 6],
    ["digits and signs inside strings and keys", '{"1": "2-3", "a\\"4": ["-5", "\\\\", "6"]}', 0],
    ["true, false and null", "[true, false, null]", 0],
    ["a date", '["2024-01-31"]', 1],
    ["a time", '["10:11:12.000000", "-838:59:59.000000"]', 2],
    ["an instant", '{"at": "2024-01-31 10:11:12.123456"}', 1],
    [
      "opaque values of all lengths",
      `[${[0, 4, 8, 12, 16].map((n) => `"base64:type15:${"A".repeat(n)}"`).join(", ")}]`,
      5,
    ],
    ["keys that look like dates", '{"2024-01-31": "x", "base64:type15:": [1]}', 1],
    ["strings of 10, 16 and 26 characters", `["abcdefghij", "${"k".repeat(16)}", "${"l".repeat(26)}"]`, 0],
    ["long strings with escapes", `["${'x\\"'.repeat(100)}", 7, "${"y".repeat(99)}"]`, 1],
    ["a scalar", "5", 1],
  ])("finds in %s what text may not bring back", (_, document, doubtful) => {
    const row = (count: number | null) => [count === null ? null : text(String(count)), text("id"), text(document)];
    const guards = { checks: [1] };
    for (const pieces of [[1 << 20], [3]]) {
      expect(read(rowPackets([row(doubtful)]), 3, pieces, guards).rows).toBe(1);
      expect(read(rowPackets([row(null)]), 3, pieces, guards).rows).toBe(1);
      expect(read(rowPackets([row(doubtful + 1), row(doubtful - 1)]), 3, pieces, guards)).toMatchObject({
        rows: 0,
        skipped: 2,
      });
    }
  });

  it("leaves rows with a failed check, and long ones, to the read that takes just these", () => {
    const long = Buffer.from(`"${"z".repeat(600_000)}"`);
    const rows: Field[][] = [
      [null, text("1"), text("a"), text("[1]")],
      [null, text("0"), text("b"), text("[1]")],
      [null, text("no number"), text("c"), text("[]")],
      [null, text("0"), text("d"), long],
      [text("typed"), text("1"), text("e"), text("[2]")],
      [null, null, null, null],
      [null, text("12"), text("f"), text("[1, 2]")],
      [null, text("0"), null, null],
    ];
    const own = (...numbers: number[]) => expected(numbers.map((number) => rows[number]?.slice(2) ?? []));
    for (const pieces of [[1 << 20], [65_536], [1021]]) {
      const guards = { nulls: 1, checks: [1] };
      expect(read(rowPackets(rows), 4, pieces, guards)).toEqual({ ...own(0, 5, 7), skipped: 5 });
      expect(read(rowPackets(rows), 4, pieces, { ...guards, takeFailed: true })).toEqual({
        ...own(1, 2, 3, 6),
        skipped: 1,
      });
    }
  });

  it("looks at each of several checked columns", () => {
    const documents = ["[1]", "{}", "[1, 2]"];
    const row = (...counts: string[]) => [...counts.map(text), text("x"), ...documents.map(text)];
    const guards = { checks: [1, 2, 3] };
    expect(read(rowPackets([row("1", "0", "2")]), 7, [65_536], guards).rows).toBe(1);
    for (const counts of [
      ["0", "0", "2"],
      ["1", "1", "2"],
      ["1", "0", "1"],
    ]) {
      expect(read(rowPackets([row(...counts)]), 7, [65_536], guards)).toMatchObject({ rows: 0, skipped: 1 });
    }
  });

  it("agrees with a plain implementation on random rows cut at random places", () => {
    const random = seededRandom(20_261_121);
    const number = (limit: number) => Math.floor(random() * limit);
    const bytes = () => {
      const length = number(random() < 0.05 ? 100_000 : 40);
      const special = random() < 0.3;
      return Buffer.from(Array.from({ length }, () => (special ? ([0, 9, 10, 92, 78][number(5)] ?? 0) : number(256))));
    };
    for (let round = 0; round < 60; round++) {
      const columns = 1 + number(6);
      const row = () => Array.from({ length: columns }, () => (random() < 0.2 ? null : bytes()));
      const rows = Array.from({ length: number(60) }, row);
      const pieces = Array.from({ length: 5 }, () => 1 + number(random() < 0.5 ? 50 : 90_000));
      expect(read(rowPackets(rows), columns, pieces), `round ${round}`).toEqual(expected(rows));
    }
  });

  it("throws the server's error in the middle of the rows, without its text", () => {
    const row = rowPackets([[text("1")]]).subarray(0, 6);
    const [error = Buffer.alloc(0)] = cutIntoPackets(errorPayload(1412, "HY000", "secret row data"), 1);
    expect(() => read(Buffer.concat([row, error]), 1, [3])).toThrow(
      expect.objectContaining({ code: "SOURCE_DDL_DURING_BACKUP", message: expect.not.stringContaining("secret") }),
    );
  });

  it.each([
    ["a field that is longer than its packet", Buffer.from([2, 0, 0, 0, 9, 65])],
    ["a row with too few fields", Buffer.from([2, 0, 0, 0, 1, 65])],
    ["a row with too many fields", Buffer.from([6, 0, 0, 0, 1, 65, 1, 65, 1, 65])],
    ["a packet out of order", Buffer.from([4, 0, 0, 7, 1, 65, 1, 65])],
    ["an empty packet", Buffer.from([0, 0, 0, 0, 1])],
    ["a field of an unknown kind", Buffer.from([4, 0, 0, 0, 0xff, 65, 1, 65, 0, 0])],
    ["bytes after the end", Buffer.concat([rowPackets([]), Buffer.from([1])])],
  ])("refuses %s", (_, packets) => {
    for (const pieces of [[packets.length], [1]]) {
      const act = () => read(packets, 2, pieces);
      expect(act).toThrow(expect.objectContaining({ name: "AppError" }));
    }
  });

  it("waits for more in the middle of a row, and says so", () => {
    const packets = rowPackets([[text("abc")]]);
    expect(read(packets.subarray(0, 6), 1).state).toBe("more");
  });
});
