import { createCipheriv, randomBytes } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import {
  aadOf,
  deriveBlobKey,
  FRAME_HEAD_BYTES,
  HEADER_BYTES,
  LAST_FRAME_FLAG,
  MAGIC,
  nonceOf,
  type SealContext,
} from "../../../lib/vault/sealed-format.ts";
import { seal } from "../../../lib/vault/sealing.ts";
import { unseal } from "../../../lib/vault/unsealing.ts";
import { collect, pieces } from "../../support/vault-fixture.ts";

const CONTEXT: SealContext = {
  dataKey: randomBytes(32),
  backupId: "20261121T230413123Z-9f3a5c1e",
  blobName: "rows/000001",
};
const CHUNK = 256 * 1024;

/** Three chunks of random bytes, sealed and taken apart into the header and the frames. */
async function sealedFrames(context = CONTEXT): Promise<Buffer[]> {
  const sealed = await collect(seal(pieces(randomBytes(CHUNK), randomBytes(CHUNK), randomBytes(CHUNK)), context).bytes);
  const parts = [sealed.subarray(0, HEADER_BYTES)];
  for (let start = HEADER_BYTES; start < sealed.length;) {
    const end = start + FRAME_HEAD_BYTES + (sealed.readUInt32LE(start) & ~LAST_FRAME_FLAG);
    parts.push(sealed.subarray(start, end));
    start = end;
  }
  return parts;
}

function open(sealed: Buffer | Buffer[], context = CONTEXT): Promise<Buffer> {
  return collect(unseal(pieces(...[sealed].flat()) as AsyncGenerator<Buffer>, context));
}

/** A blob with one authentic chunk of any content, as only a holder of the key can make it. */
function forgeAuthentic(zstd: Buffer): Buffer {
  const salt = randomBytes(32);
  const blobKey = deriveBlobKey(CONTEXT, salt);
  const nonce = nonceOf(0, true);
  const cipher = createCipheriv("aes-256-gcm", blobKey.key, nonce).setAAD(aadOf(blobKey, nonce));
  const body = Buffer.concat([cipher.update(zstd), cipher.final(), cipher.getAuthTag()]);
  const head = Buffer.alloc(4);
  head.writeUInt32LE((body.length | LAST_FRAME_FLAG) >>> 0);
  return Buffer.concat([MAGIC, salt, head, body]);
}

describe("unseal", () => {
  it("reads pieces of any size", async () => {
    const plain = randomBytes(700_000);
    const sealed = await collect(seal(pieces(plain), CONTEXT).bytes);
    for (const size of [1 << 16, 4093, 7]) {
      const cut = Array.from({ length: Math.ceil(sealed.length / size) }, (_, i) =>
        sealed.subarray(i * size, (i + 1) * size),
      );
      expect((await open(cut)).equals(plain)).toBe(true);
    }
  });

  it("finds a changed bit in every region of the blob", async () => {
    const sealed = await collect(seal(pieces(randomBytes(CHUNK), randomBytes(3000)), CONTEXT).bytes);
    const [, first] = await sealedFrames();
    const ends = [
      4,
      36,
      40,
      40 + 1000,
      (first?.length ?? 0) + 30,
      sealed.length - 3020,
      sealed.length - 8,
      sealed.length,
    ];
    for (const end of ends) {
      for (const bit of [0, 7]) {
        const damaged = Buffer.from(sealed);
        damaged[end - 1] = (damaged[end - 1] ?? 0) ^ (1 << bit);
        await expect(open(damaged)).rejects.toMatchObject({
          code: expect.stringMatching(/^(?:CHUNK_FORGED|BLOB_DAMAGED|BLOB_TRUNCATED)$/),
        });
      }
    }
  });

  it("finds that a blob was cut, wherever it was", async () => {
    const frames = await sealedFrames();
    const sealed = Buffer.concat(frames);
    const boundaries = frames.map((_, index) => Buffer.concat(frames.slice(0, index)).length);
    for (const length of [1, 35, 39, 100, sealed.length - 1, ...boundaries]) {
      await expect(open(sealed.subarray(0, length))).rejects.toMatchObject({ code: "BLOB_TRUNCATED" });
    }
  });

  it("finds that the rest was cut off and the last flag moved", async () => {
    const [header, first] = await sealedFrames();
    const flagged = Buffer.from(first ?? []);
    flagged[3] = (flagged[3] ?? 0) | 0x80;
    await expect(open([header ?? Buffer.alloc(0), flagged])).rejects.toMatchObject({ code: "CHUNK_FORGED" });
  });

  it("finds chunks that were swapped, dropped or repeated", async () => {
    const [header, a, b, c] = (await sealedFrames()) as [Buffer, Buffer, Buffer, Buffer];
    for (const frames of [
      [header, b, a, c],
      [header, a, c],
      [header, a, a, b, c],
    ]) {
      await expect(open(frames)).rejects.toMatchObject({ code: "CHUNK_FORGED" });
    }
  });

  it("finds a chunk of another blob, another backup and another run", async () => {
    const own = (await sealedFrames()) as [Buffer, Buffer, Buffer, Buffer];
    const others = [
      { ...CONTEXT, blobName: "rows/000002" },
      { ...CONTEXT, backupId: "20261121T230413123Z-00000000" },
      { ...CONTEXT, dataKey: randomBytes(32) },
      CONTEXT,
    ];
    for (const context of others) {
      const other = (await sealedFrames(context)) as [Buffer, Buffer, Buffer, Buffer];
      await expect(open([own[0], own[1], other[2], own[3]])).rejects.toMatchObject({ code: "CHUNK_FORGED" });
    }
  });

  it("does not open a whole blob in another place", async () => {
    const sealed = await sealedFrames();
    await expect(open(sealed, { ...CONTEXT, blobName: "rows/000002" })).rejects.toMatchObject({ code: "CHUNK_FORGED" });
    await expect(open(sealed, { ...CONTEXT, backupId: "20261122T230413123Z-9f3a5c1e" })).rejects.toMatchObject({
      code: "CHUNK_FORGED",
    });
  });

  it("refuses bytes after the last chunk", async () => {
    await expect(open([...(await sealedFrames()), Buffer.from("x")])).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
  });

  it("refuses what is no sealed blob, and a chunk that says it is too long", async () => {
    await expect(open(Buffer.from("{".repeat(100)))).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
    await expect(open(Buffer.alloc(0))).rejects.toMatchObject({ code: "BLOB_TRUNCATED" });
    const [header = Buffer.alloc(0)] = await sealedFrames();
    for (const length of [8 * 1024 * 1024 + 1, 0x7fffffff, 15]) {
      const head = Buffer.alloc(4);
      head.writeUInt32LE(length);
      await expect(open([header, head, Buffer.alloc(64)])).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
    }
  });

  it("stops a chunk that unfolds to more than 4 MiB", async () => {
    const bomb = zstdCompressSync(Buffer.alloc(64 * 1024 * 1024));
    expect(bomb.length).toBeLessThan(10_000);
    await expect(open(forgeAuthentic(bomb))).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
  });

  it("refuses an authentic chunk that is not zstd", async () => {
    await expect(open(forgeAuthentic(Buffer.from("plain text")))).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
    const whole = zstdCompressSync(randomBytes(1000));
    await expect(open(forgeAuthentic(whole.subarray(0, -5)))).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
  });

  it("closes the stream that it reads when its reader stops early, and when it fails", async () => {
    const frames = await sealedFrames();
    let closed = 0;
    const watched = async function* () {
      try {
        yield* frames;
      } finally {
        closed++;
      }
    };
    for await (const chunk of unseal(watched(), CONTEXT)) {
      expect(chunk).toHaveLength(CHUNK);
      break;
    }
    await expect(collect(unseal(watched(), { ...CONTEXT, blobName: "other" }))).rejects.toThrow("authentication");
    expect(closed).toBe(2);
  });
});
