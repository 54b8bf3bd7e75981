import { hkdfSync } from "node:crypto";

/*
 * The sealed blob, byte by byte (docs/format.md, "Sealed blobs"):
 *   "RSG1" | salt (32) | frame | frame | …
 *   frame = u32le (length of what follows in this frame; top bit: this is the last frame) | ciphertext | tag (16)
 */
export const MAGIC = Buffer.from("RSG1", "ascii");
export const SALT_BYTES = 32;
export const HEADER_BYTES = MAGIC.length + SALT_BYTES;
export const FRAME_HEAD_BYTES = 4;
export const TAG_BYTES = 16;
/** Most plain bytes in a chunk. */
export const MAX_CHUNK_BYTES = 4 * 1024 * 1024;
/** A reader refuses longer frames: zstd never makes a chunk of 4 MiB that long. */
export const MAX_FRAME_BYTES = 8 * 1024 * 1024;
export const LAST_FRAME_FLAG = 0x8000_0000;
export const CIPHER = "aes-256-gcm";

/** What binds a sealed blob to its place. */
export interface SealContext {
  /** 32 bytes. */
  dataKey: Uint8Array;
  /** The backup the blob belongs to. */
  backupId: string;
  /** Its name in that backup's manifest. */
  blobName: string;
}

/** The key of one blob, and what its chunks authenticate besides themselves. */
export interface BlobKey {
  key: Buffer;
  /** `resguardo/v1/BACKUP/BLOB`: an identifier has no slash, so two places never share a context. */
  info: Buffer;
}

/** A blob's own key. The random salt makes it new for each blob, so that nonces may simply count. */
export function deriveBlobKey(context: SealContext, salt: Uint8Array): BlobKey {
  const info = Buffer.from(`resguardo/v1/${context.backupId}/${context.blobName}`, "utf8");
  return { key: Buffer.from(hkdfSync("sha256", context.dataKey, salt, info, 32)), info };
}

/** Seven zero bytes, the chunk's number from 0 (u32be), and 1 for the last chunk or 0. */
export function nonceOf(chunk: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(12);
  nonce.writeUInt32BE(chunk, 7);
  nonce.writeUInt8(isLast ? 1 : 0, 11);
  return nonce;
}

/** Additional authenticated data of a chunk. */
export function aadOf(blobKey: BlobKey, nonce: Buffer): Buffer {
  return Buffer.concat([blobKey.info, nonce]);
}
