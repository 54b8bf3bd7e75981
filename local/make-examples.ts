import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { runCommandLine } from "../cli/program.ts";
import { startDemo } from "./demo/demo.ts";
import { startAzurite } from "./servers/azurite.ts";
import { cacheFolder, projectRoot } from "./servers/cache.ts";

// `npm run examples`: docs/examples/, made by real runs of the demo: a backup, its log, two restore tests, and the contract from
// their receipts. Nothing in it is written by hand but the templates.

const LANGUAGES = ["es", "en"] as const;

process.exitCode = await makeExamples();

async function makeExamples(): Promise<number> {
  await using azurite = await startAzurite();
  await using demo = await startDemo(azurite.connectionString, say);
  Object.assign(process.env, demo.env);
  const examples = join(projectRoot(), "docs", "examples");
  const evidence = join(cacheFolder(), "demo", "evidence");
  await mkdir(examples, { recursive: true });
  const filled = LANGUAGES.map((lang) => ({ lang, out: join(examples, `continuity-contract.${lang}.md`) }));
  for (const { out } of filled) await rm(out, { force: true });
  const today = new Date().toISOString().slice(0, 10);
  const tomorrow = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
  const commands = [
    ["backup", "shop"],
    ["ship", "shop", "--for", "5s"],
    ["drill", "shop", "--kind", "pitr"],
    ["drill", "shop", "--kind", "from-zero"],
    ["verify", "shop"],
    ...filled.map(({ lang, out }) => {
      const template = join(examples, `continuity-contract.${lang}.template.md`);
      return ["contract", "--template", template, "--lang", lang, "--out", out];
    }),
    ["receipts", "verify"],
    ["evidence", "--from", today, "--to", tomorrow, "--lang", "es", "--out", evidence],
    ["evidence", "verify", evidence],
  ];
  for (const command of commands) {
    say(`$ resguardo ${command.join(" ")}`);
    const exitCode = await runCommandLine(command);
    if (exitCode !== 0) return exitCode;
  }
  return 0;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
