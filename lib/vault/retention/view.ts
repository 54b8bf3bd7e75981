import type { Tier } from "../storage/storage.ts";

/** What a vault holds of a source, as retention sees it: facts, read and verified before, and no names believed. */
export interface RetentionView {
  fulls: readonly FullFact[];
  /** Fulls whose manifest can't be believed, with the instant that the storage says it was written at. */
  damaged: readonly { id: string; writtenAt: number }[];
  chains: readonly ChainFact[];
  /** Segments that no chain has, each by itself. */
  strays: readonly SegmentFact[];
  orphans: readonly OrphanFact[];
  /** Run records and ledgers of proofs. */
  records: readonly RecordFact[];
  /** Names of hold records that can't be believed: nobody knows what they hold. */
  damagedHolds: readonly string[];
  /** Whether the storage has tiers. */
  hasTiers: boolean;
}

/** When something may be removed at the earliest, by the storage. Milliseconds of the epoch. */
export interface Protection {
  immutableUntil?: number | undefined;
  legalHold?: boolean | undefined;
}

export interface FullFact extends Protection {
  id: string;
  sha256: string;
  /** Of its manifest and its data. */
  sizeBytes: number;
  /** The latest of its signed times and the storage's own of its manifest: it is no older than this. Milliseconds. */
  time: number;
  /** The instant that it brings back, by the source's clock. Milliseconds. */
  consistentAt: number;
  isProven: boolean;
  /** Bytes of its data in each tier. */
  tiers?: ReadonlyMap<Tier, number> | undefined;
  /** Why it is held, by a signed record. */
  hold?: string | undefined;
  /** The log that leads on from it, and the first segment of it that a restore needs: indexes. */
  log?: { chain: number; start: number } | undefined;
}

/** Log without anything missing, oldest first. */
export interface ChainFact {
  segments: readonly SegmentFact[];
}

export interface SegmentFact extends Protection {
  id: string;
  sha256: string;
  sizeBytes: number;
  /** Names of the blobs that it lies in: its own, or one that it shares with others. */
  blobs: readonly string[];
  /** Nothing in it, nor before it in its chain, is younger, by the source's clock; undefined where that is not known. */
  end?: number | undefined;
}

export interface OrphanFact extends Protection {
  id: string;
  sizeBytes: number;
  /** When something was last added to it, by the storage's clock. */
  newestAt: number;
}

export interface RecordFact extends Protection {
  kind: "run" | "proofs";
  id: string;
  sha256: string;
  sizeBytes: number;
  /** The latest of its signed times. */
  time: number;
}

/** The policy's retention in numbers. Milliseconds. */
export interface RetentionRules {
  fullMs: number;
  logMs: number;
  keep: { daily: number; weekly: number; monthly: number; yearly: number };
  minimumProven: number;
  receiptsMs: number;
  orphansMs: number;
  /** Fulls that lie further apart than this are not what the schedule asks for. */
  maxGapMs: number;
}
