import { AppError } from "../../lib/core/errors.ts";
import { findReceipt } from "../../lib/evidence/find-receipt.ts";
import { proveReceipts, type ProvenReceipts, sourcesIn } from "../../lib/vault/prove-receipts.ts";
import type { RunRecordEntry } from "../../lib/vault/run-record.ts";
import type { Vault } from "../../lib/vault/vault.ts";
import { print, type AddCommand } from "../command.ts";
import { openOffline, type OfflineOptions } from "../open-vault.ts";
import { formatCount } from "../table.ts";

interface ReceiptsFlags extends OfflineOptions {
  source?: string;
}

const VAULT_HELP = "a vault of the policy, or dir:PATH; default: all of the policy, compared with each other";

export const addReceipts: AddCommand = (program, state) => {
  program
    .command("receipts")
    .description("prove that no receipt was removed, changed or inserted, with public keys alone")
    .argument("<verb>", "verify")
    .option("--vault <vault>", VAULT_HELP)
    .option("--name <name>", "of a dir:PATH, the vault's name in the policy; default: that of the folder")
    .option("--key <file>", "public signing key (PEM) to believe; default: the policy's")
    .option("--source <source>", "only this source; default: every one that the vaults hold")
    .action(async (verb: string, options: ReceiptsFlags) => {
      if (verb !== "verify") throw new AppError("USAGE", `receipts: found "${verb}", expected verify`);
      const { vaults, trusted } = await openOffline(options);
      const sources = options.source === undefined ? await allSources(vaults) : [options.source];
      const proof = await proveReceipts({ vaults, trusted, sources, now: new Date() });
      if (proof.receipts.every(({ start }) => start === "empty")) {
        throw new AppError("NO_RECEIPTS", "found no receipt in any of the vaults, which proves nothing");
      }
      print(options, proof, [...proof.receipts.flatMap(describeProof), proof.ok ? "PROVEN" : "NOT PROVEN"]);
      if (!proof.ok) state.exitCode = 1;
    });
};

export const addReceipt: AddCommand = (program, state) => {
  program
    .command("receipt")
    .description("show the receipt of a run")
    .argument("<run>", "id of the run")
    .option("--vault <vault>", VAULT_HELP)
    .option("--name <name>", "of a dir:PATH, the vault's name in the policy; default: that of the folder")
    .option("--key <file>", "public signing key (PEM) to believe; default: the policy's")
    .action(async (run: string, options: OfflineOptions) => {
      const { vaults, trusted } = await openOffline(options);
      const { receipt, vaults: holders } = await findReceipt(run, {
        vaults,
        trusted,
        sources: await allSources(vaults),
      });
      print(options, { ...receipt, vaults: holders }, describeReceipt(receipt, holders));
      if (receipt.state === "invalid") state.exitCode = 1;
    });
};

async function allSources(vaults: readonly Vault[]): Promise<string[]> {
  const names = await Promise.all(vaults.map(sourcesIn));
  return [...new Set(names.flat())].toSorted();
}

function describeProof(proven: ProvenReceipts): string[] {
  const { source, vault, start, records, named, heads, withoutJoin, copied, announced, newest } = proven;
  const ends = heads.length === 0 ? "none" : heads.map(({ id }) => id).join(", ");
  return [
    `${source} in ${vault}: ${formatCount(records)} receipts, ${formatCount(named)} named by later ones, newest ${newest ?? "none"}`,
    `  from the first one on: ${start === "whole" ? "yes" : start === "cut" ? "no, older ones were removed" : "there is none"}`,
    `  removed as announced: ${formatCount(announced)}; copied from another vault: ${formatCount(copied)}`,
    `  ends of the chain, whose removal only another vault would show: ${ends}`,
    ...(withoutJoin > 0
      ? [`  ${formatCount(withoutJoin)} were written before receipts named all ends: a fork among them proves less`]
      : []),
    ...proven.problems.map(({ fault, name, missing, error }) =>
      `  ${fault.toUpperCase()} ${name}: ${error?.message ?? missing?.map((hash) => `lacks ${hash}`).join(", ") ?? WHY[fault]}`.trimEnd(),
    ),
    ...proven.brokenRemovals.map(({ name }) => `  REMOVED the removal record before ${name}`),
    ...(proven.lostSinceProof === null ? [] : [`  REMOVED ${proven.lostSinceProof}: a ledger of proofs saw it`]),
    ...proven.absent.map((id) => `  ABSENT ${id}: another vault has it`),
  ];
}

const WHY = {
  removed: "something it names is gone",
  changed: "it is not what was signed",
  unnamed: "no later receipt names it: it was put there, or those that named it are gone",
  late: "it was named only long after it was signed: copied in, or put there",
} as const;

function describeReceipt(receipt: RunRecordEntry, holders: readonly string[]): string[] {
  if (receipt.state === "invalid") return [`${receipt.name}: ${receipt.error.code}: ${receipt.error.message}`];
  const { content, sha256, signedAt, signingKeyId } = receipt;
  const { job, source, state, startedAt, finishedAt, environment, tool, policyHash, error, details } = content;
  return [
    `${job} of ${source}: ${state.toUpperCase()}`,
    `  run        ${content.id}`,
    `  from       ${startedAt} to ${finishedAt}`,
    `  by         ${tool.name} ${tool.version} (${tool.commit ?? "no commit"}), environment ${environment}`,
    `  policy     ${policyHash}`,
    `  signed     ${signedAt} by ${signingKeyId}`,
    `  record     ${sha256} in ${holders.join(", ")}`,
    ...(error ? [`  error      ${error.code}: ${error.message}`] : []),
    ...Object.entries(details).flatMap(([name, value]) => describeDetail(name, value)),
  ];
}

function describeDetail(name: string, value: unknown): string[] {
  if (value === null || typeof value !== "object") return [`  ${name.padEnd(10)} ${String(value)}`];
  const entries = Array.isArray(value) ? value : Object.entries(value);
  return [
    `  ${name}`,
    ...entries.map((entry) => `    ${Array.isArray(entry) ? entry.map(asText).join(": ") : asText(entry)}`),
  ];
}

function asText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
