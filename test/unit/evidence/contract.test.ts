import { readFile } from "node:fs/promises";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { contractFacts } from "../../../lib/evidence/contract-facts.ts";
import { fillContract } from "../../../lib/evidence/contract.ts";
import { parseExercise, recordExercise } from "../../../lib/evidence/exercise.ts";
import { NOBODY, parsePeople, type People } from "../../../lib/evidence/people.ts";
import { readBasis } from "../../../lib/evidence/report.ts";
import type { Lang } from "../../../lib/evidence/words.ts";
import { type EvidenceWorld, evidenceWorld } from "../../support/evidence-world.ts";

const EXAMPLES = path.resolve(import.meta.dirname, "../../../docs/examples");
const template = (lang: Lang) => readFile(path.join(EXAMPLES, `continuity-contract.${lang}.template.md`), "utf8");
const LANGUAGES = ["es", "en"] as const;

const PEOPLE = {
  team: { "DBA Lead": { name: "Ana | Díaz", contact: "ana@example.com" } },
  approvals: { "VP Engineering": { name: "Luis Paz", date: "2026-08-31", signature: "LP" } },
  audit: { date: "2026-12-01", auditor: "Auditores SA" },
};

async function fill(world: EvidenceWorld, lang: Lang, people: People = NOBODY) {
  const facts = contractFacts(await readBasis(world.context), people, world.context.policyHash, lang);
  return fillContract(await template(lang), facts, lang);
}

/** A year of tests: a drill a month, a failed full recovery test, a tabletop exercise. */
async function yearOfTests(): Promise<EvidenceWorld> {
  const world = evidenceWorld({
    restoreTests: [{ kind: "pitr", schedule: "0 0 5 1 * *", target: { env: "SCRATCH_URL" } }],
  });
  for (let month = 1; month <= 11; month++) {
    world.at(`2026-${String(month).padStart(2, "0")}-01T05:10:00.000Z`);
    await world.run("drill-pitr", { seconds: 600, details: { figures: { rtoSeconds: 600 } } });
  }
  const times = { startedAt: "2026-10-20T09:00:00Z", endedAt: "2026-10-20T12:30:00Z" };
  const dr = { kind: "full-dr", title: "DR", result: "failed", rtoSeconds: 12_600, lessons: ["DNS <slow>"], ...times };
  await recordExercise(world.context, parseExercise(JSON.stringify(dr), world.time.now), "ana");
  world.at("2026-11-20T00:00:00.000Z");
  return world;
}

describe.each(LANGUAGES)("the contract in %s", (lang) => {
  it("leaves every placeholder marked when nothing is known but what the calendar asks for", async () => {
    const { text, placeholders } = await fill(evidenceWorld(), lang);
    const original = await template(lang);
    expect(placeholders).toHaveLength(45);
    const filled = placeholders.filter(({ state }) => state === "filled");
    expect(filled).toHaveLength(5);
    for (const { from } of filled) expect(from?.[0]).toMatch(/calendar|calendario/);
    for (const { line, state, why } of placeholders) {
      if (state === "open") expect(text.split("\n")[line - 1], why).toContain("[P");
    }
    expect(original).toContain("[PLACEHOLDER");
  });

  it("fills what receipts tell, and names the receipt of each value", async () => {
    const world = await yearOfTests();
    const { receipts } = await readBasis(world.context);
    const { text, placeholders } = await fill(world, lang);
    const drill = receipts.findLast(({ content }) => content.job === "drill-pitr");
    const dr = receipts.find(({ content }) => content.job === "exercise-full-dr");
    if (!drill || !dr) throw new Error("there are receipts");
    const citing = (id: string) => placeholders.filter(({ from }) => from?.join().includes(id));
    expect(citing(drill.content.id)[0]?.value).toContain("2026-11-01 05:10 UTC");
    expect(citing(dr.content.id).map(({ value }) => value)).toEqual(
      expect.arrayContaining(["2026-10-20 12:30 UTC", expect.stringContaining("FAIL"), "3.50 h", "DNS <slow>"]),
    );
    expect(text).toContain(`SHA-256 ${dr.sha256}`);
    expect(text).toContain("DNS \\<slow\\>");
    expect(text).toContain("p50 10 min");
    // The restore from zero that the contract wants, and that this policy does not plan, is overdue.
    expect(text).toMatch(/(?:OVERDUE since|VENCIDA desde) 2026-04-01 00:00 UTC/);
    // Nothing measures availability here, so nothing is said of it.
    expect(placeholders.filter(({ what }) => /disponibilidad|availability/.test(what))).toMatchObject([
      { state: "open" },
    ]);
  });

  it("takes people and approvals from the file, and no more than it says", async () => {
    const { text, placeholders } = await fill(evidenceWorld(), lang, parsePeople(JSON.stringify(PEOPLE)));
    const values = placeholders.flatMap(({ value }) => value ?? []);
    for (const value of [
      "Ana | Díaz",
      "ana@example.com",
      "Luis Paz",
      "2026-08-31",
      "LP",
      "Auditores SA",
      "2026-12-01",
    ]) {
      expect(values).toContain(value);
    }
    expect(text).toContain("Ana \\| Díaz");
    // Six months after the last approval; September has no 31st, nor has February.
    expect(values).toContain("2027-02-28");
    const open = placeholders.filter(({ what }) => what.includes("incident commander"));
    expect(open).toMatchObject([{ state: "open" }, { state: "open" }]);
  });
});

describe("a template", () => {
  it("that has nothing to fill in is refused", async () => {
    const facts = contractFacts(await readBasis(evidenceWorld().context), NOBODY, "0", "en");
    expect(() => fillContract("# A contract\n", facts, "en")).toThrow("no [PLACEHOLDER]");
  });

  it("that asks for something else keeps it marked, and says so", async () => {
    const facts = contractFacts(await readBasis(evidenceWorld().context), NOBODY, "0", "en");
    const { text, placeholders } = fillContract("# C\n## 1\n- Favourite colour: [PLACEHOLDER]\n", facts, "en");
    expect(placeholders).toMatchObject([{ line: 3, state: "open", why: expect.stringContaining("no receipt") }]);
    expect(text).toContain("colour: [PLACEHOLDER]");
  });
});

describe("a file of people or of an exercise", () => {
  it("is refused with the names of its wrong fields", () => {
    expect(() => parsePeople('{"team": {"DBA": {"phone": "1"}}}')).toThrow(/team\.DBA/);
    expect(() => parseExercise("{}", new Date())).toThrow(/kind.*title/);
    const times = { startedAt: "2026-01-02T00:00:00Z", endedAt: "2026-01-01T00:00:00Z" };
    const file = JSON.stringify({ kind: "tabletop", title: "t", result: "passed", ...times });
    expect(() => parseExercise(file, new Date())).toThrow("before startedAt");
  });
});
