import { type AppError, reportError, toAppError } from "../core/errors.ts";
import { idTime, newId } from "../core/ids.ts";
import { parseSchedule } from "../core/schedule.ts";
import { engineOf } from "../sources/engines.ts";
import type { ShipReport } from "../sources/engine.ts";
import type { Work, WorkContext, WorkResult } from "../sources/work.ts";
import { listBackups } from "../vault/catalogue.ts";
import { vaultsOf } from "../vault/context.ts";
import { findLogHead, type LogHead, rememberLogHead } from "../vault/log-head.ts";
import { copyMissingSegments } from "../vault/segment-copy.ts";
import type { ValidSegment } from "../vault/segment-head.ts";
import { indexSegments } from "../vault/segment-index.ts";
import { SegmentStore } from "../vault/segment-store.ts";
import { logKey, OpenSegment, type SegmentSink } from "../vault/segment-writer.ts";
import type { Vault } from "../vault/vault.ts";
import type { JobMessage } from "./message.ts";

/** Ships a source's log: catches up, then tails it until the next job is due, or as long as an operator asked. */
export function shipWork(message: Extract<JobMessage, { job: "ship" }>): Work {
  return async (work) => {
    const { context, source, logger, signal } = work;
    const started = performance.now();
    const url = await context.resolve(source.url, `sources.${source.name}.url`);
    const log = await openLog(work);
    const report = await engineOf(source.kind).ship({
      ...work,
      url,
      identity: `${context.policy.environment}/${source.name}`,
      clock: context.clock,
      previous: log.end && { id: log.end.id, content: log.end.content },
      sink: log.sink,
      fulls: () => fullPositions(work, log.vaults),
      until: endOf(message, work),
    });
    const behind = log.store.report().filter((vault) => vault.state === "behind");
    const done = log.store.report().flatMap(({ vault, state }) => (state === "done" ? [vault] : []));
    for (const { vault, error } of behind) logger.error("vault-behind", { vault, ...error });
    signal.throwIfAborted();
    await log.remember();
    const names = [...log.behind, ...behind.map(({ vault }) => vault)];
    return {
      figures: {
        ...describe(report),
        seconds: (performance.now() - started) / 1000,
        lastSegment: log.lastStored() ?? null,
        vaults: done.join(", "),
        behind: names.join(", ") || null,
      },
      followUps: [
        ...(report.gaps.length > 0 ? ["backup" as const] : []),
        ...(names.length > 0 ? ["copy" as const] : []),
      ],
    };
  };
}

function describe({ gaps, lastCommitAt, ...figures }: ShipReport): WorkResult["figures"] {
  return {
    ...figures,
    lastCommitAt: lastCommitAt ?? null,
    gaps: gaps.map(({ reason, message }) => `${reason}: ${message}`).join("; ") || null,
  };
}

function endOf(message: Extract<JobMessage, { job: "ship" }>, { context, source }: WorkContext): Date {
  const now = context.clock();
  if (message.dueAt === undefined) return new Date(now.getTime() + (message.forSeconds ?? 0) * 1000);
  const { ship } = source.schedule;
  return (ship === undefined ? undefined : parseSchedule(ship).next(now)) ?? now;
}

/** The log in the vaults, ready to be continued. */
interface OpenedLog {
  end: ValidSegment | undefined;
  vaults: Vault[];
  /** Vaults that did not answer, or lack more of the log than could be copied at once: a copy brings them up to the others. */
  behind: string[];
  sink: SegmentSink;
  store: SegmentStore;
  /** Id of the newest segment that this run stored. */
  lastStored(): string | undefined;
  remember(): Promise<void>;
}

async function openLog(work: WorkContext): Promise<OpenedLog> {
  const { context, source, signal } = work;
  const { clock, policy, policyHash, tool } = context;
  const trusted = await context.trustedKeys();
  const recipients = await context.recipients();
  const queryOf = (vault: Vault) => ({ vault, source: source.name, trusted, signal });
  const { heads, behind } = await readHeads(work, queryOf);
  const end = newestOf(heads);
  const newestIds = heads.flatMap(({ head }) => head.newestId ?? []).toSorted();
  let lastId = newestIds.at(-1) ?? "";
  let lastStored: string | undefined;
  const store = new SegmentStore({
    vaults: heads.map(({ vault }) => vault),
    source: source.name,
    signer: await context.signer(),
    recipients,
    clock,
    previous: new Map(end === undefined ? [] : heads.map(({ vault }) => [vault.name, end.sha256])),
    signal,
  });
  let firstId: string | undefined;
  const sink: SegmentSink = {
    open: () => {
      lastId = idAfter(lastId, clock());
      firstId ??= lastId;
      const key = logKey(recipients, clock());
      const { name, kind } = source;
      const environment = policy.environment;
      return new OpenSegment({ id: lastId, source: { name, kind }, environment, policyHash, tool, key, clock });
    },
    store: async (segment) => {
      signal.throwIfAborted();
      lastStored = (await store.store(segment)).id;
    },
  };
  const remember = async (): Promise<void> => {
    await Promise.all(
      heads.map(async ({ vault }) => {
        await rememberLogHead(queryOf(vault), lastId);
        if (firstId !== undefined) await indexSegments(queryOf(vault), firstId);
      }),
    );
  };
  return { end, vaults: heads.map(({ vault }) => vault), behind, sink, store, lastStored: () => lastStored, remember };
}

/** Ids sort in the order of the log, also where the clock was set back. */
function idAfter(lastId: string, now: Date): string {
  const floor = lastId === "" ? 0 : idTime(lastId).getTime() + 1;
  return newId(new Date(Math.max(now.getTime(), floor)));
}

interface VaultHead {
  vault: Vault;
  head: LogHead;
}

/** The end of the log in each vault that answers, after each has got what it lacks from the one that is furthest. */
async function readHeads(
  { context, source, logger }: WorkContext,
  queryOf: (vault: Vault) => Parameters<typeof findLogHead>[0],
): Promise<{ heads: VaultHead[]; behind: string[] }> {
  const behind: string[] = [];
  const heads: VaultHead[] = [];
  let failure: AppError | undefined;
  const tried = async (vault: Vault, look: () => Promise<void>): Promise<void> => {
    try {
      await look();
    } catch (error: unknown) {
      failure = toAppError(error);
      if (failure.kind !== "storage") throw error;
      behind.push(vault.name);
      logger.error("vault-behind", { vault: vault.name, ...reportError(error) });
    }
  };
  for (const vault of vaultsOf(context, source)) {
    await tried(vault, async () => void heads.push({ vault, head: await findLogHead(queryOf(vault)) }));
  }
  const end = newestOf(heads);
  const leader = heads.find(({ head }) => head.segment !== undefined && head.segment === end)?.vault;
  const complete: VaultHead[] = [];
  for (const { vault, head } of heads) {
    await tried(vault, async () => {
      if (leader !== undefined && head.segment?.id !== end?.id) {
        const { copied, left } = await copyMissingSegments(queryOf(leader), vault, head.segment?.id ?? "");
        if (left > 0) behind.push(vault.name);
        logger.info("log-copied", { vault: vault.name, from: leader.name, blobs: copied, left });
      }
      complete.push({ vault, head });
    });
  }
  if (complete.length === 0 && failure) throw failure;
  return { heads: complete, behind };
}

function newestOf(heads: readonly VaultHead[]): ValidSegment | undefined {
  const segments = heads.flatMap(({ head }) => head.segment ?? []);
  return segments.toSorted((a, b) => (a.id < b.id ? -1 : 1)).at(-1);
}

async function fullPositions({ context, source }: WorkContext, [vault]: readonly Vault[]) {
  if (vault === undefined) return [];
  const backups = await listBackups({ vault, source: source.name, trusted: await context.trustedKeys() });
  return backups.flatMap((backup) => (backup.state === "valid" ? [backup.content.position] : []));
}
