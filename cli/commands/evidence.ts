import { writeFile } from "node:fs/promises";
import { InvalidArgumentError } from "commander";
import { AppError } from "../../lib/core/errors.ts";
import { type BundleCheck, verifyBundle, writeBundle } from "../../lib/evidence/bundle.ts";
import { fillContract, type FilledContract } from "../../lib/evidence/contract.ts";
import { contractFacts } from "../../lib/evidence/contract-facts.ts";
import { NOBODY, parsePeople } from "../../lib/evidence/people.ts";
import { collectEvidence, readBasis } from "../../lib/evidence/report.ts";
import type { Lang } from "../../lib/evidence/words.ts";
import { openCommandContext, print, type AddCommand, type CommonOptions } from "../command.ts";
import { openOffline, type OfflineOptions } from "../open-vault.ts";
import { parseInstant } from "../parse-instant.ts";
import { formatCount } from "../table.ts";
import { readText } from "./calendar.ts";

interface EvidenceFlags extends OfflineOptions {
  from?: string;
  to?: string;
  lang: Lang;
  out?: string;
}

export const addEvidence: AddCommand = (program, state) => {
  program
    .command("evidence")
    .description("write a signed folder that proves a period: every run, test and breach, as a report and as JSON")
    .argument("[verb]", "verify, to prove such a folder offline")
    .argument("[folder]", "the folder to be proven")
    .option("--from <time>", "start of the period, a day or a time")
    .option("--to <time>", "end of the period, not included")
    .option("--lang <lang>", "of the report: en or es", parseLang, "en")
    .option("--out <folder>", "a new folder")
    .option("--key <file>", "with verify: public signing key (PEM) to believe; then no policy is read")
    .action(async (verb: string | undefined, folder: string | undefined, options: EvidenceFlags) => {
      if (verb !== undefined) {
        const check = await verify(verb, folder, options);
        print(options, check, describeCheck(check));
        if (!check.ok) state.exitCode = 1;
        return;
      }
      const { from, to, out, lang } = options;
      if (from === undefined || to === undefined || out === undefined) {
        throw new AppError("USAGE", "evidence: expected --from, --to and --out");
      }
      const context = await openCommandContext(options);
      const period = { from: new Date(parseInstant(from, "--from")), to: new Date(parseInstant(to, "--to")) };
      const { report, receipts } = await collectEvidence(context, period);
      const vaults = [...context.vaults.values()];
      const signer = await context.signer();
      const manifest = await writeBundle(report, receipts, { dir: out, lang, vaults, signer, clock: context.clock });
      const isWhole = report.invalid.length + report.unreadable.length === 0;
      print(options, { out, files: manifest.files, chain: report.chain.ok, complete: isWhole }, [
        `${out}: ${formatCount(receipts.length)} receipts, ${formatCount(report.tests.length)} tests were due`,
        `the chain of receipts is ${report.chain.ok ? "proven" : "NOT PROVEN"}`,
        ...(isWhole ? [] : ["INCOMPLETE: some records can't be believed, or a vault could not be asked"]),
      ]);
      if (!isWhole || !report.chain.ok) state.exitCode = 1;
    });
};

interface ContractFlags extends CommonOptions {
  template: string;
  out: string;
  people?: string;
  lang: Lang;
}

export const addContract: AddCommand = (program) => {
  program
    .command("contract")
    .description("fill the continuity contract from receipts, and list what is still open")
    .requiredOption("--template <file>", "the contract with its placeholders, in Spanish or English")
    .requiredOption("--out <file>", "a new file")
    .option("--people <file>", "JSON with names, contacts and approvals; docs/json.md shows its fields")
    .option("--lang <lang>", "of the values: en or es", parseLang, "es")
    .action(async ({ template, out, people, lang, ...options }: ContractFlags) => {
      const context = await openCommandContext(options);
      const known = people === undefined ? NOBODY : parsePeople(await readText(people));
      const facts = contractFacts(await readBasis(context), known, context.policyHash, lang);
      const filled = fillContract(await readText(template), facts, lang);
      await writeNew(out, filled.text);
      print(options, { out, placeholders: filled.placeholders }, describeContract(out, filled));
    });
};

async function verify(verb: string, folder: string | undefined, options: EvidenceFlags): Promise<BundleCheck> {
  if (verb !== "verify" || folder === undefined) throw new AppError("USAGE", "evidence: expected verify FOLDER");
  return verifyBundle(folder, await trustedBy(options));
}

async function trustedBy({ key, ...options }: EvidenceFlags) {
  if (key === undefined) return (await openCommandContext(options)).trustedKeys();
  // The folder of the key holds no vault: the key alone is believed.
  return (await openOffline({ ...options, vault: "dir:.", key })).trusted;
}

function describeCheck({ ok, manifest, signedAt, signingKeyId, receipts, problems }: BundleCheck): string[] {
  return [
    `evidence of ${manifest.environment} from ${manifest.from} to ${manifest.to}`,
    `signed ${signedAt} by ${signingKeyId}; ${formatCount(manifest.files)} files, of them ${formatCount(receipts)} receipts`,
    ...problems.map(({ file, problem, message }) => `${problem.toUpperCase()} ${file}: ${message}`),
    ok ? "PROVEN" : "NOT PROVEN",
  ];
}

function describeContract(out: string, { placeholders }: FilledContract): string[] {
  const open = placeholders.filter(({ state }) => state === "open");
  return [
    `${out}: ${placeholders.length - open.length} of ${placeholders.length} placeholders filled`,
    ...open.map(({ line, what, why }) => `  open, line ${line}: ${what}: ${why ?? ""}`),
  ];
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: "wx" });
  } catch (error: unknown) {
    throw new AppError("USAGE", `${file}: can't be made: it exists, or its folder does not`, { cause: error });
  }
}

function parseLang(text: string): Lang {
  if (text === "en" || text === "es") return text;
  throw new InvalidArgumentError("expected en or es");
}
