import { createHash } from "node:crypto";
import { toAppError } from "../core/errors.ts";
import { retry } from "../core/retry.ts";
import type { Clock } from "../core/time.ts";
import { signEnvelope } from "./envelope.ts";
import type { SessionSigner } from "./keys/session-key.ts";
import { logPlace } from "./names.ts";
import type { VaultOutcome } from "./outcome.ts";
import { VaultOutcomes } from "./outcome.ts";
import { publishKeys } from "./public-keys.ts";
import { encodeHead } from "./segment-head.ts";
import type { SegmentManifest } from "./segment-manifest.ts";
import type { Recipients, SealedSegment } from "./segment-writer.ts";
import type { Vault } from "./vault.ts";

export interface SegmentStoreOptions {
  vaults: readonly Vault[];
  source: string;
  signer: SessionSigner;
  recipients: Recipients;
  clock: Clock;
  /** SHA-256 of the newest segment's manifest in each vault, by its name. */
  previous: ReadonlyMap<string, string>;
  signal: AbortSignal;
}

/** How long one vault may fail before the others go on without it. */
const DEADLINE_MS = 20_000;

/**
 * Writes segments one after the other into all vaults. A vault that failed gets no further one, so that what it lacks is always
 * the end of the log, which `copyMissingSegments` brings.
 */
export class SegmentStore {
  readonly #options: SegmentStoreOptions;
  readonly #outcomes: VaultOutcomes;
  readonly #previous: Map<string, string>;

  constructor(options: SegmentStoreOptions) {
    this.#options = options;
    this.#outcomes = new VaultOutcomes(options.vaults);
    this.#previous = new Map(options.previous);
  }

  /** Signs and stores a segment. Throws when no vault took it, and what the signer throws. */
  async store(segment: SealedSegment): Promise<SegmentManifest> {
    const { source, signer, recipients, clock } = this.#options;
    const vaults = this.#outcomes.live.map(({ name }) => ({ name, previous: this.#previous.get(name) ?? null }));
    const manifest = { ...segment.manifest, vaults };
    const envelope = await signEnvelope("resguardo-segment", manifest, signer, clock);
    const name = logPlace(source).nameOf(manifest.id);
    const blob = [encodeHead(envelope), ...segment.frames];
    const published = [
      { ...recipients.vault, use: "vault" as const },
      { ...recipients.breakGlass, use: "break-glass" as const },
    ];
    const sha256 = createHash("sha256").update(envelope).digest("hex");
    await this.#outcomes.forEach(async (vault) => {
      await this.#patiently(async () => {
        await publishKeys(vault, published, signer, clock);
        await createBlob(vault, name, blob);
      });
      this.#previous.set(vault.name, sha256);
    });
    return manifest;
  }

  report(): VaultOutcome[] {
    return this.#outcomes.report();
  }

  async #patiently(work: () => Promise<void>): Promise<void> {
    await retry(work, { deadlineMs: DEADLINE_MS, signal: this.#options.signal });
  }
}

/** A blob that is there with the same bytes is ours: of an attempt whose answer got lost, or copied from a vault that was faster. */
async function createBlob(vault: Vault, name: string, parts: readonly Buffer[]): Promise<void> {
  try {
    // Its manifest, in front, has the hash of what comes behind it.
    await vault.storage.data.create(name, streamOf(parts), { sha256: "unwanted" });
  } catch (error: unknown) {
    if (toAppError(error).code !== "BLOB_EXISTS" || !(await isSame(vault, name, parts))) throw error;
  }
}

async function isSame(vault: Vault, name: string, parts: readonly Buffer[]): Promise<boolean> {
  const expected = createHash("sha256");
  for (const part of parts) expected.update(part);
  const found = createHash("sha256");
  for await (const piece of vault.storage.data.read(name)) found.update(piece);
  return expected.digest("hex") === found.digest("hex");
}

async function* streamOf(parts: readonly Buffer[]): AsyncGenerator<Buffer, void, void> {
  yield* parts;
}
