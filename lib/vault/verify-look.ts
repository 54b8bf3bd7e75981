import type { TrustedKeys } from "./keys/key.ts";
import type { SegmentQuery, ValidSegment } from "./segment-head.ts";
import type { BlobRecord, Manifest } from "./manifest.ts";
import type { Vault } from "./vault.ts";

/** What the private key adds to a verification: what lies in the blobs is opened, counted and compared. */
export interface DeepCheck {
  /** Throws what is wrong with the blob, KEY_NOT_RECIPIENT, and what storage and key service throw. */
  openBlob(vault: Vault, manifest: Manifest, blob: BlobRecord, signal: AbortSignal | undefined): Promise<void>;
  /** As `openBlob`, of a segment with log in it. */
  openSegment(query: SegmentQuery, segment: ValidSegment): Promise<void>;
}

/** What each look at a blob gets. */
export interface Look {
  /** Name of the source. */
  source: string;
  trusted: TrustedKeys;
  signal: AbortSignal | undefined;
  deep: DeepCheck | undefined;
  /** Counts bytes that were read. */
  read: (bytes: number) => void;
}
