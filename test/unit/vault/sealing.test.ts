import { createDecipheriv, createHash, hkdfSync, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { zstdDecompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { deriveBlobKey } from "../../../lib/vault/sealed-format.ts";
import { seal } from "../../../lib/vault/sealing.ts";
import { unseal } from "../../../lib/vault/unsealing.ts";
import { collect, pieces } from "../../support/vault-fixture.ts";

const MIB = 1024 * 1024;
const CONTEXT = {
  dataKey: Buffer.from("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", "hex"),
  backupId: "20261121T230413123Z-9f3a5c1e",
  blobName: "rows/000001",
};

async function roundTrip(...parts: Uint8Array[]): Promise<{ plain: Buffer; chunks: number; plainBytes: number }> {
  const sealing = seal(pieces(...parts), CONTEXT);
  const sealed = await collect(sealing.bytes);
  return { plain: await collect(unseal(pieces(sealed) as AsyncGenerator<Buffer>, CONTEXT)), ...sealing.totals };
}

describe("seal", () => {
  it.each([
    ["nothing", [], 1],
    ["one byte", [Buffer.from([0])], 1],
    ["empty pieces", [Buffer.alloc(0), Buffer.from("a"), Buffer.alloc(0)], 1],
    ["exactly one chunk", [randomBytes(4 * MIB)], 1],
    ["one byte more than a chunk", [randomBytes(4 * MIB + 1)], 2],
    ["a piece of many chunks", [randomBytes(9 * MIB)], 3],
    ["pieces of the usual size", [randomBytes(MIB), randomBytes(2 * MIB), randomBytes(MIB)], 3],
    ["a short piece between long ones", [randomBytes(MIB), Buffer.from("short"), randomBytes(MIB)], 3],
  ])("gives back %s", async (_what, parts, chunks) => {
    const result = await roundTrip(...parts);
    const expected = Buffer.concat(parts);
    expect(result.plain.equals(expected)).toBe(true);
    expect(result).toMatchObject({ chunks, plainBytes: expected.length });
  });

  it("gathers many short pieces into few chunks", async () => {
    const parts = Array.from({ length: 5000 }, () => randomBytes(1000));
    const { plain, chunks } = await roundTrip(...parts);
    expect(plain.equals(Buffer.concat(parts))).toBe(true);
    expect(chunks).toBe(5);
  });

  it("gives a piece back only when its memory may be changed", async () => {
    const parts = Array.from({ length: 12 }, () => randomBytes(MIB));
    const expected = Buffer.concat(parts);
    const recycled: Uint8Array[] = [];
    const recycle = (piece: Uint8Array) => void recycled.push(piece.fill(0));
    const sealed = await collect(seal(pieces(...parts), { ...CONTEXT, recycle }).bytes);
    const plain = await collect(unseal(pieces(sealed) as AsyncGenerator<Buffer>, CONTEXT));
    expect(plain.equals(expected)).toBe(true);
    expect(recycled).toHaveLength(12);
  });

  it("seals the same bytes differently each time", async () => {
    const [one, other] = await Promise.all([1, 2].map(() => collect(seal(pieces("same"), CONTEXT).bytes)));
    expect(one?.subarray(4, 36)).not.toEqual(other?.subarray(4, 36));
    expect(one?.subarray(36)).not.toEqual(other?.subarray(36));
  });

  it("throws what the stream throws", async () => {
    const failing = (async function* () {
      yield randomBytes(MIB);
      throw new RangeError("the source broke");
    })();
    await expect(collect(seal(failing, CONTEXT).bytes)).rejects.toThrow("the source broke");
  });

  it("asks for no more than a few chunks ahead of its reader", async () => {
    let handedOver = 0;
    const endless = (async function* () {
      for (;;) {
        handedOver++;
        yield Buffer.alloc(MIB);
      }
    })();
    const frames = seal(endless, CONTEXT).bytes[Symbol.asyncIterator]();
    for (let frame = 0; frame < 10; frame++) await frames.next();
    await frames.return?.();
    expect(handedOver).toBeLessThanOrEqual(14);
  });

  it("makes the documented bytes, whatever zstd makes of the text", async () => {
    const golden = readFileSync(new URL("../../golden/sealed-v1.bin", import.meta.url));
    const salt = Buffer.from("golden salt of thirty-two bytes.");
    const plain = [Buffer.alloc(300_000, "resguardo\n"), Buffer.from("1\tone\n2\t\\N\n")];
    const sealed = await collect(seal(pieces(...plain), { ...CONTEXT, random: () => salt }).bytes);
    expect(sealed.subarray(0, 36).equals(golden.subarray(0, 36))).toBe(true);
    expect(openByHand(sealed)).toEqual(openByHand(golden));
  });

  it("derives the key that the test vector of docs/format.md shows", () => {
    const format = readFileSync(new URL("../../../docs/format.md", import.meta.url), "utf8");
    const golden = readFileSync(new URL("../../golden/sealed-v1.bin", import.meta.url));
    const { key, info } = deriveBlobKey(CONTEXT, golden.subarray(4, 36));
    const shown = [
      CONTEXT.dataKey.toString("hex"),
      info.toString("utf8"),
      key.toString("hex"),
      golden.toString("hex", 40, 91),
      golden.toString("hex", 91, 107),
      golden.toString("hex", 111, 131),
      golden.toString("hex", 131),
      createHash("sha256").update(golden).digest("hex"),
    ];
    expect(shown.filter((text) => !format.includes(text))).toEqual([]);
  });

  it("opens the golden blob", async () => {
    const golden = readFileSync(new URL("../../golden/sealed-v1.bin", import.meta.url));
    const plain = await collect(unseal(pieces(golden) as AsyncGenerator<Buffer>, CONTEXT));
    expect(plain.equals(Buffer.concat([Buffer.alloc(300_000, "resguardo\n"), Buffer.from("1\tone\n2\t\\N\n")]))).toBe(
      true,
    );
  });
});

/** The frames of a blob as docs/format.md lays them out, read without the code under test. */
function openByHand(blob: Buffer): { isLast: boolean; plain: string }[] {
  const info = Buffer.from(`resguardo/v1/${CONTEXT.backupId}/${CONTEXT.blobName}`);
  const key = Buffer.from(hkdfSync("sha256", CONTEXT.dataKey, blob.subarray(4, 36), info, 32));
  const frames: { isLast: boolean; plain: string }[] = [];
  for (let at = 36; at < blob.length;) {
    const head = blob.readUInt32LE(at);
    const end = at + 4 + (head & 0x7fff_ffff);
    const nonce = Buffer.alloc(12);
    nonce.writeUInt32BE(frames.length, 7);
    nonce[11] = head >>> 31;
    const cipher = createDecipheriv("aes-256-gcm", key, nonce).setAuthTag(blob.subarray(end - 16, end));
    cipher.setAAD(Buffer.concat([info, nonce]));
    const zstd = Buffer.concat([cipher.update(blob.subarray(at + 4, end - 16)), cipher.final()]);
    frames.push({ isLast: head >>> 31 === 1, plain: zstdDecompressSync(zstd).toString("latin1") });
    at = end;
  }
  return frames;
}
