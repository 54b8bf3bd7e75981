/** A stretch of a blob. Bytes past its end are left out without an error: whoever reads compares sizes. */
export interface ByteRange {
  offset: number;
  length: number;
}

export interface BlobStat {
  name: string;
  sizeBytes: number;
  /** By the storage's own clock. Good for retention; never part of a proof. */
  createdAt: Date;
  /** Until then the storage refuses to remove it, as it says itself. Absent: it does not say so, and nothing is immutable. */
  immutableUntil?: Date;
  /** The storage refuses to remove it while this is true. */
  legalHold?: boolean;
  /** Absent where the storage has no tiers. */
  tier?: Tier;
}

/** What a blob costs, and how soon it can be read: what is archived has to be brought back first, which takes hours. */
export type Tier = "hot" | "cool" | "cold" | "archive";

/** What the storage confirmed to hold. */
export interface CreatedBlob {
  sizeBytes: number;
  /** Hex, of the bytes in the order they were handed over; empty where the caller wants none. */
  sha256: string;
}

export interface CallOptions {
  /** Stops the call with the signal's own reason. */
  signal?: AbortSignal;
}

export interface CreateOptions extends CallOptions {
  /**
   * Asked once, after the last byte, where the caller hashes the same stream already: nothing is hashed twice. `unwanted` where
   * the bytes say their hash themselves.
   */
  sha256?: (() => string) | "unwanted";
}

/**
 * Blobs that are written once and never changed. Names pass `assertBlobName`.
 *
 * Every method throws STORAGE_UNAVAILABLE (retryable), STORAGE_REFUSED or STORAGE_FULL for what the storage itself
 * answers, STORAGE_PATH_INVALID for a name that is not allowed, and whatever the caller's own stream or signal throws, as it is.
 */
export interface Storage {
  /** The vault's name in the policy, for messages. */
  readonly label: string;

  /**
   * Writes a blob that does not exist yet. It appears whole or not at all, durable when the call returns.
   * Chunks must not be changed after they were handed over. Throws BLOB_EXISTS; of several callers one wins.
   */
  create(name: string, data: AsyncIterable<Uint8Array> | Uint8Array, options?: CreateOptions): Promise<CreatedBlob>;

  /**
   * As `create`, of a blob that `source` holds under the same name, whose bytes the service fetches from there itself. `data` is
   * that blob: it passes here for its hash, and nothing is fetched but what passed. Undefined, with `data` not begun, where no
   * way leads from one to the other. Throws STORAGE_REFUSED also where the way turns out to be closed.
   */
  createFrom?(
    name: string,
    source: Storage,
    data: AsyncIterable<Uint8Array>,
    options?: CreateOptions,
  ): Promise<CreatedBlob | undefined>;

  /** A URL by which another service may read one blob for some hours: a secret, for its signature is in it. */
  readUrl?(name: string): Promise<string>;

  /** Undefined where there is no such blob; a storage that can't be asked throws. */
  stat(name: string): Promise<BlobStat | undefined>;

  /** The bytes in order, in pieces of the storage's own size, with bounded memory. Throws BLOB_MISSING, and BLOB_DAMAGED
   * where the blob is replaced or cut while it is read. What was written is not compared with any hash here. */
  read(name: string, range?: ByteRange, options?: CallOptions): AsyncIterable<Buffer>;

  /** In the order of names, from the first one greater than `after`. */
  list(prefix: string, options?: CallOptions & { after?: string }): AsyncIterable<BlobStat>;

  /** Durable when it returns; a blob that is absent is fine. */
  remove(name: string): Promise<void>;

  /** What a storage may have besides; absent where it has none of it. */
  readonly controls?: StorageControls;
}

/** How a storage keeps a blob, beyond its bytes. What was asked for is true only when `stat` or `list` say so. */
export interface StorageControls {
  /** Throws BLOB_MISSING, and STORAGE_REFUSED where the storage has no tiers or takes none now. */
  setTier(name: string, tier: Tier): Promise<void>;
  /** Throws BLOB_MISSING, and STORAGE_REFUSED where the storage knows no legal holds. */
  setLegalHold(name: string, isHeld: boolean): Promise<void>;
}

export interface StateRecord {
  value: Buffer;
  /** Opaque; equal etags mean an unchanged record. */
  etag: string;
}

/**
 * Small records that change: leases, heads, caches. Nothing here is part of a backup, and all of it can be rebuilt.
 * Keys pass `assertStateKey`; values are small. Throws the same codes as `Storage`.
 */
export interface StateStore {
  get(key: string): Promise<StateRecord | undefined>;

  /**
   * Compare-and-set, atomic among processes and machines: returns the new etag, or throws STATE_CONFLICT when the record
   * is not the one expected. After a conflict the truth is what `get` returns: in rare cases (an answer lost twice, a
   * process paused for a minute) a write is reported as a conflict although it landed. The reverse never happens.
   */
  put(key: string, value: Uint8Array, condition: { etag: string } | "absent"): Promise<string>;

  /** Throws STATE_CONFLICT when an etag is given and the record has another. A record that is absent is fine. */
  remove(key: string, etag?: string): Promise<void>;

  /** Keys in order. */
  list(prefix: string): AsyncIterable<string>;
}

export interface VaultStorage {
  readonly data: Storage;
  readonly state: StateStore;
  /** What the storage's own clock shows. */
  now(): Promise<Date>;
  /** Makes the containers or folders where they are absent and the rights allow it. Safe to repeat. */
  prepare(): Promise<void>;
}
