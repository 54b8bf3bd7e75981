import { access, readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { parsePolicy } from "../../../lib/core/policy.ts";

const ROOT = path.resolve(import.meta.dirname, "../../..");
const readme = await readFile(path.join(ROOT, "README.md"), "utf8");

describe("the README", () => {
  it("shows a policy that the product accepts", () => {
    const policies = [...readme.matchAll(/```json\n([^]*?)```/g)].map(([, text]) => text ?? "");
    const shown = policies.filter((text) => text.includes('"environment"'));
    expect(shown).toHaveLength(1);
    for (const text of shown) expect(parsePolicy(text, ROOT).policy.sources).not.toHaveLength(0);
  });

  it("links only to files that are there", async () => {
    const links = [...readme.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, target]) => target ?? "");
    const missing = await Promise.all(
      links.map((link) =>
        access(path.join(ROOT, link)).then(
          () => [],
          () => [link],
        ),
      ),
    );
    expect(missing.flat()).toEqual([]);
  });

  it("names only npm scripts that there are", async () => {
    const { scripts } = Object(JSON.parse(await readFile(path.join(ROOT, "package.json"), "utf8")));
    const named = [...readme.matchAll(/npm (?:run ([\w:-]+)|(start|test))/g)].map(
      ([, script, short]) => script ?? short,
    );
    expect(Object.keys(Object(scripts))).toEqual(expect.arrayContaining(named));
  });
});
