import { readFile } from "node:fs/promises";
import path from "node:path";
import { format, type FormatConfig } from "oxfmt";
import { z } from "zod";
import { policySchema } from "../../lib/core/policy-schema.ts";
import { readmeTables } from "./tables.ts";

/** The generated files of the project at `root`: path to the text that each of them should have, formatted. */
export async function generatedFiles(root: string): Promise<Map<string, string>> {
  const readme = fillMarkers(await readFile(path.join(root, "README.md"), "utf8"), readmeTables());
  const style: FormatConfig = JSON.parse(await readFile(path.join(root, ".oxfmtrc.json"), "utf8"));
  const texts = new Map([
    ["README.md", readme],
    ["docs/policy.schema.json", JSON.stringify(policyJsonSchema(), null, 2)],
  ]);
  for (const [file, text] of texts) texts.set(file, await formatted(file, text, style));
  return texts;
}

/** The policy's JSON Schema, for editors. What one field says of another (a vault's name, say) only the product checks. */
export function policyJsonSchema(): Record<string, unknown> {
  return { title: "Resguardo policy", ...z.toJSONSchema(policySchema, { io: "input", target: "draft-7" }) };
}

/** Puts each table between `<!-- generated:NAME -->` and `<!-- /generated -->`. Throws when a marker is missing. */
export function fillMarkers(text: string, tables: Readonly<Record<string, string>>): string {
  return Object.entries(tables).reduce((result, [name, content]) => {
    const section = new RegExp(`(<!-- generated:${name} -->)[^]*?(<!-- /generated -->)`);
    if (!section.test(result)) {
      throw new Error(
        `README.md: expected "<!-- generated:${name} -->" and "<!-- /generated -->" after it, found none`,
      );
    }
    return result.replace(section, (_all, start: string, end: string) => `${start}\n\n${content}\n\n${end}`);
  }, text);
}

async function formatted(file: string, text: string, style: FormatConfig): Promise<string> {
  const { code, errors } = await format(file, text, style);
  const [error] = errors;
  if (error) throw new Error(`${file}: ${error.message}`);
  return code;
}
