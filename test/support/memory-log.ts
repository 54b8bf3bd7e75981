import { newId } from "../../lib/core/ids.ts";
import { logPlace } from "../../lib/vault/names.ts";
import type { SegmentContent } from "../../lib/vault/segment-manifest.ts";
import { SegmentStore } from "../../lib/vault/segment-store.ts";
import { logKey, OpenSegment } from "../../lib/vault/segment-writer.ts";
import type { Clock } from "../../lib/core/time.ts";
import type { Vault } from "../../lib/vault/vault.ts";
import { type MemoryTestVault, memoryVault, SOURCE, testKeys, tickingClock, TOOL } from "./vault-fixture.ts";

const keys = testKeys();
const START: SegmentContent["follows"] = { kind: "start", reason: "first", message: "the first segment" };

const END = { file: "binlog.000007", offset: 1234 };
const POSITION = {
  serverUuid: "3e11fa47-71ca-11e1-9e33-c80aa9429562",
  gtidMode: "ON",
  before: "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-42",
  added: "",
  runs: [],
  formatDescription: null,
  resumesTransaction: false,
  unfinishedBytes: 0,
  boundary: END,
  end: END,
};

function contentOf(follows: SegmentContent["follows"]): SegmentContent {
  return {
    server: { kind: "mysql", version: "9.7.4" },
    follows,
    firstCommitAt: null,
    lastCommitAt: null,
    caughtUpAt: null,
    transactions: 0,
    isComplete: true,
    position: POSITION,
  };
}

/** Writes one segment for each of `texts` into the vaults, each following the one before; returns their ids. */
export async function ship(texts: readonly string[], vaults: readonly Vault[], clock: Clock): Promise<string[]> {
  const { recipients } = keys;
  const { signer } = testKeys(clock);
  const signal = new AbortController().signal;
  const store = new SegmentStore({ vaults, source: SOURCE, signer, recipients, clock, previous: new Map(), signal });
  const ids: string[] = [];
  for (const text of texts) {
    const segment = new OpenSegment({
      id: newId(clock()),
      source: { name: SOURCE, kind: "mysql" },
      environment: "test",
      policyHash: "0".repeat(64),
      tool: TOOL,
      key: logKey(recipients, clock()),
      clock,
    });
    if (text !== "") await segment.write(Buffer.from(text));
    const previous = ids.at(-1);
    await store.store(
      await segment.close(contentOf(previous === undefined ? START : { kind: "segment", id: previous })),
    );
    ids.push(segment.id);
  }
  return ids;
}

/** A vault with one segment for each of `texts`. */
export async function shipped(texts: readonly string[], vault = memoryVault()) {
  const ids = await ship(texts, [vault], tickingClock());
  return { vault, ids, names: ids.map((id) => logPlace(SOURCE).nameOf(id)) };
}

/** Flips a bit of a blob; a negative place counts from its end. */
export function change(vault: MemoryTestVault, name: string, at: number): void {
  const blob = vault.storage.blobs.get(name);
  if (blob === undefined) throw new Error(`no blob ${name}`);
  const bytes = Buffer.from(blob.bytes);
  const index = at < 0 ? bytes.length + at : at;
  bytes[index] = (bytes[index] ?? 0) ^ 1;
  vault.storage.blobs.set(name, { ...blob, bytes });
}
