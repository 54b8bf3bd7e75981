import { reportError, type ErrorReport } from "../core/errors.ts";
import { findSource } from "../core/policy.ts";
import type { RestoreTestPolicy, SourcePolicy } from "../core/policy-schema.ts";
import { noProgress } from "../core/progress.ts";
import { silentLogger } from "../core/log.ts";
import { engineOf } from "../sources/engines.ts";
import type { EngineContext, Finding } from "../sources/engine.ts";
import type { Context } from "../vault/context.ts";

export interface CheckReport {
  /** Whether everything required is there and could be looked at. */
  ok: boolean;
  /** `keyId` is what the policy may name, to be independent of a key service. */
  keys: { key: string; keyId?: string; error?: ErrorReport }[];
  vaults: { vault: string; error?: ErrorReport }[];
  sources: { source: string; findings: Finding[]; error?: ErrorReport }[];
  /** The servers that restore tests go to. */
  targets: { source: string; test: string; findings: Finding[]; error?: ErrorReport }[];
  /** What the policy asks for and this version does not do yet. */
  notYet: string[];
}

/** Looks at keys, vaults and the requirements of every source, and reports all of it at once. Throws SOURCE_UNKNOWN. */
export async function checkEverything(context: Context, sourceName?: string): Promise<CheckReport> {
  const { policy } = context;
  const wanted = sourceName === undefined ? policy.sources : [findSource(policy, sourceName)];
  const keys = await Promise.all([
    tried({ key: "encrypt" }, async () => ({ keyId: (await context.recipients()).vault.keyId })),
    tried({ key: "sign" }, async () => ({ keyId: (await context.signer()).signingKey.keyId })),
  ]);
  const vaults = await Promise.all(
    [...context.vaults.values()].map(({ name, storage }) => tried({ vault: name }, () => storage.prepare())),
  );
  const sources = await Promise.all(wanted.map((source) => checkSource(context, source)));
  const targets = await Promise.all(
    wanted.flatMap((source) => source.restoreTests.map((test) => checkTarget(context, source, test))),
  );
  const asked = [...sources, ...targets];
  const ok =
    [...keys, ...vaults, ...asked].every((part) => !part.error) && asked.every(({ findings }) => allMet(findings));
  return { ok, keys, vaults, sources, targets, notYet: wanted.flatMap(notYetDone) };
}

async function checkSource(context: Context, source: SourcePolicy): Promise<CheckReport["sources"][number]> {
  return lookedAt({ source: source.name }, async () => {
    const url = await context.resolve(source.url, `sources.${source.name}.url`);
    return engineOf(source.kind).preflight({ ...quietly(), source, url });
  });
}

async function checkTarget(
  context: Context,
  source: SourcePolicy,
  test: RestoreTestPolicy,
): Promise<CheckReport["targets"][number]> {
  return lookedAt({ source: source.name, test: test.kind }, async () => {
    const url = await context.resolve(test.target, `sources.${source.name}.restoreTests.${test.kind}.target`);
    return engineOf(source.kind).preflightTarget({ ...quietly(), url });
  });
}

function quietly(): EngineContext {
  return { logger: silentLogger, progress: noProgress, signal: new AbortController().signal };
}

async function lookedAt<Part extends object>(
  part: Part,
  look: () => Promise<Finding[]>,
): Promise<Part & { findings: Finding[]; error?: ErrorReport }> {
  try {
    return { ...part, findings: await look() };
  } catch (error: unknown) {
    return { ...part, findings: [], error: reportError(error) };
  }
}

function allMet(findings: readonly Finding[]): boolean {
  return findings.every(({ ok, level }) => level !== "required" || ok === true);
}

/** What a policy asks for that can't happen as it stands. */
function notYetDone({ name, schedule }: SourcePolicy): string[] {
  if (schedule.verify !== undefined) return [];
  return [`${name}: retention: nothing is removed without schedule.verify, since no backup is ever proven`];
}

async function tried<Part extends object, Found extends object>(
  part: Part,
  look: () => Promise<Found | void>,
): Promise<Part & Partial<Found> & { error?: ErrorReport }> {
  try {
    return { ...part, ...(await look()) };
  } catch (error: unknown) {
    return { ...part, error: reportError(error) };
  }
}
