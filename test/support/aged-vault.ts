import { newId } from "../../lib/core/ids.ts";
import { openBackupWriter } from "../../lib/vault/backup-writer.ts";
import { listBackups } from "../../lib/vault/catalogue.ts";
import type { Context } from "../../lib/vault/context.ts";
import { writeProofs } from "../../lib/vault/proofs-record.ts";
import type { SegmentContent } from "../../lib/vault/segment-manifest.ts";
import { SegmentStore } from "../../lib/vault/segment-store.ts";
import { logKey, OpenSegment } from "../../lib/vault/segment-writer.ts";
import { openMemoryVault } from "../../lib/vault/storage/memory.ts";
import type { Vault } from "../../lib/vault/vault.ts";
import { testPolicy } from "./policies.ts";
import { contentOf, type MemoryTestVault, pieces, SOURCE, testKeys, TOOL, writerOptions } from "./vault-fixture.ts";

const HOUR_MS = 3_600_000;
const SERVER = "3e11fa47-71ca-11e1-9e33-c80aa9429562";

/** A vault that was used for days: a full each day at three, log each six hours, of a server that commits once an hour. */
export interface AgedVault {
  vault: MemoryTestVault;
  context: Context;
  /** Full backups, oldest first. */
  fulls: string[];
  /** Log segments, oldest first. */
  segments: string[];
  /** What the clock shows, for the context and the storage; it may be set. */
  time: { now: Date };
  /** Signs that these fulls are proven now: of the newest ledger, nothing else counts. */
  prove(ids: readonly string[]): Promise<void>;
  /** A context whose vault is this one instead. */
  contextWith(vault: Vault): Context;
}

export async function agedVault(days: number, source: Record<string, unknown> = {}): Promise<AgedVault> {
  const start = Date.UTC(2026, 9, 1);
  const time = { now: new Date(start) };
  const clock = () => time.now;
  const keys = testKeys(clock);
  const vault: MemoryTestVault = { name: "primary", storage: openMemoryVault("primary", clock) };
  const fulls: string[] = [];
  const segments: string[] = [];
  for (let hour = 0; hour < days * 24; hour++) {
    time.now = new Date(start + hour * HOUR_MS);
    if (hour % 24 === 3) fulls.push(await writeFull(vault, { ...keys, clock }, hour));
    if (hour % 6 !== 5) continue;
    segments.push(
      await writeSegment(vault, { ...keys, clock }, { from: hour - 5, to: hour, follows: segments.at(-1) }),
    );
  }
  const contextWith = (used: Vault): Context => contextOf(used, source, clock);
  const prove = async (ids: readonly string[]): Promise<void> => {
    // Ledgers sort by their ids, and those by the millisecond.
    time.now = new Date(time.now.getTime() + 1);
    await proveFulls(context, ids);
  };
  const context = contextWith(vault);
  await prove(fulls);
  return { vault, context, fulls, segments, time, prove, contextWith };
}

/** The context of a policy with one source and this one vault; `source` replaces fields of it. */
export function contextOf(vault: Vault, source: Record<string, unknown>, clock: () => Date): Context {
  const keys = testKeys(clock);
  const { policy, hash } = testPolicy({ vaults: ["primary"], ...source });
  return {
    policy,
    policyHash: hash,
    tool: TOOL,
    clock,
    vaults: new Map([[vault.name, vault]]),
    resolve: () => Promise.reject(new Error("nothing is to be resolved")),
    recipients: async () => keys.recipients,
    decryptionKey: async () => keys.decryption,
    signer: async () => keys.signer,
    trustedKeys: async () => keys.trusted,
  };
}

/** Signs, in every vault of the context's one source, that these of its fulls are proven there now. */
export async function proveFulls(context: Context, ids: readonly string[]): Promise<void> {
  const { policyHash, tool, clock } = context;
  const at = clock().toISOString();
  const vaults = [...context.vaults.values()];
  const trusted = await context.trustedKeys();
  const nothing = { places: {}, failed: [], since: at };
  const states = vaults.map(async (vault) => {
    const backups = await listBackups({ vault, source: SOURCE, trusted });
    const proven = backups.filter(({ id }) => ids.includes(id)).map(({ id, sha256 = "" }) => ({ id, sha256, at }));
    return { ...nothing, vault: vault.name, fulls: proven };
  });
  const spent = { day: at.slice(0, 10), bytes: 0, seconds: 0 };
  await writeProofs(
    {
      id: newId(clock()),
      source: SOURCE,
      startedAt: at,
      finishedAt: at,
      environment: "test",
      tool,
      policyHash,
      spent,
      states: await Promise.all(states),
    },
    { vaults, signer: await context.signer(), clock },
  );
}

type Keys = Pick<ReturnType<typeof testKeys>, "signer" | "recipients"> & { clock: () => Date };

async function writeFull(vault: Vault, { signer, recipients, clock }: Keys, hour: number): Promise<string> {
  const writer = openBackupWriter({ ...writerOptions([vault], { clock }), signer, recipients });
  const schema = await writer.writeBlob("schema.json", pieces('{"version":1}'));
  const part = await writer.writeBlob("rows/000001", pieces("1\tone\n"));
  const { manifest } = await writer.commit({
    ...contentOf(schema, [part], [["1\tone"]]),
    consistentAt: clock().toISOString(),
    position: { gtidSet: `${SERVER}:1-${hour + 1}`, file: "binlog.000001", offset: 4 + hour, serverUuid: SERVER },
  });
  return manifest.id;
}

interface Stretch {
  from: number;
  to: number;
  follows: string | undefined;
}

async function writeSegment(vault: Vault, { signer, recipients, clock }: Keys, stretch: Stretch): Promise<string> {
  const segment = new OpenSegment({
    id: newId(clock()),
    source: { name: SOURCE, kind: "mysql" },
    environment: "test",
    policyHash: "0".repeat(64),
    tool: TOOL,
    key: logKey(recipients, clock()),
    clock,
  });
  await segment.write(Buffer.from(`${stretch.from} to ${stretch.to}`));
  const previous = new Map<string, string>();
  const signal = new AbortController().signal;
  const store = new SegmentStore({ vaults: [vault], source: SOURCE, signer, recipients, clock, previous, signal });
  return (await store.store(await segment.close(segmentContent(clock, stretch)))).id;
}

function segmentContent(clock: () => Date, { from, to, follows }: Stretch): SegmentContent {
  const now = clock().getTime();
  const place = { file: "binlog.000001", offset: 4 + to };
  return {
    server: { kind: "mysql", version: "9.7.4" },
    follows:
      follows === undefined
        ? { kind: "start", reason: "first", message: "the first segment" }
        : { kind: "segment", id: follows },
    firstCommitAt: new Date(now - (to - from) * HOUR_MS).toISOString(),
    lastCommitAt: new Date(now).toISOString(),
    caughtUpAt: new Date(now).toISOString(),
    transactions: to - from + 1,
    isComplete: true,
    position: {
      serverUuid: SERVER,
      gtidMode: "ON",
      before: from === 0 ? "" : `${SERVER}:1-${from}`,
      added: `${SERVER}:${from + 1}-${to + 1}`,
      runs: [{ file: "binlog.000001", from: 4 + from, to: 5 + to }],
      formatDescription: null,
      resumesTransaction: false,
      unfinishedBytes: 0,
      boundary: place,
      end: place,
    },
  };
}
