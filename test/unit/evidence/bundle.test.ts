import { appendFile, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { evidenceAnswer } from "../../../lib/evidence/answer.ts";
import { verifyBundle, writeBundle } from "../../../lib/evidence/bundle.ts";
import { collectEvidence } from "../../../lib/evidence/report.ts";
import { runPlace } from "../../../lib/vault/names.ts";
import { type EvidenceWorld, evidenceWorld } from "../../support/evidence-world.ts";
import { SOURCE } from "../../support/vault-fixture.ts";

const PERIOD = { from: new Date("2026-03-01T00:00:00Z"), to: new Date("2026-04-01T00:00:00Z") };
const ATTACK = `"><script>alert(1)</script>`;

async function worldOfMarch(): Promise<EvidenceWorld> {
  const world = evidenceWorld({
    schedule: { full: "0 0 3 * * *" },
    restoreTests: [{ kind: "pitr", schedule: "0 0 5 1 * *", target: { env: "SCRATCH_URL" } }],
  });
  world.at("2026-02-27T03:10:00.000Z");
  await world.run("backup", { seconds: 500 });
  world.at("2026-03-01T05:30:00.000Z");
  await world.run("drill-pitr", {
    seconds: 1200,
    details: { figures: { rtoSeconds: 1200, rtoPromisedSeconds: 3600 } },
  });
  world.at("2026-03-02T03:10:00.000Z");
  await world.run("backup", { seconds: 500 });
  const error = { code: "SOURCE_UNREACHABLE", message: ATTACK } as const;
  world.at("2026-03-03T03:10:00.000Z");
  await world.run("backup", { seconds: 500, state: "failed", error });
  world.at("2026-03-03T04:00:00.000Z");
  await world.run("watch", { seconds: 1800, details: { seen: { [`vault:${ATTACK}`]: "breached" } } });
  world.at("2026-04-02T00:00:00.000Z");
  return world;
}

async function bundleOf(world: EvidenceWorld) {
  const root = await mkdtemp(path.join(tmpdir(), "evidence-"));
  const dir = path.join(root, "out");
  const { report, receipts } = await collectEvidence(world.context, PERIOD);
  const signer = await world.context.signer();
  const options = { lang: "es", vaults: [world.vault], signer, clock: world.context.clock } as const;
  await writeBundle(report, receipts, { dir, ...options });
  return {
    dir,
    report,
    again: () => writeBundle(report, receipts, { dir, ...options }),
    verify: async () => verifyBundle(dir, await world.context.trustedKeys()),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

describe("a folder of evidence", () => {
  it("is proven offline, with the receipts as they were signed", async () => {
    const world = await worldOfMarch();
    await using bundle = await bundleOf(world);
    expect(await bundle.verify()).toMatchObject({ ok: true, receipts: 4, problems: [], manifest: { files: 6 } });
    const [name = ""] = await readdir(path.join(bundle.dir, "receipts", SOURCE));
    const stored = world.vault.storage.blobs.get(runPlace(SOURCE).nameOf(name.replace(".json", "")))?.bytes;
    expect(await readFile(path.join(bundle.dir, "receipts", SOURCE, name))).toEqual(stored);
    await expect(bundle.again()).rejects.toMatchObject({ code: "EVIDENCE_EXISTS" });
  });

  it("tells of the whole period what was to run and what became of it", async () => {
    await using bundle = await bundleOf(await worldOfMarch());
    const of = (job: string) => bundle.report.population.find((each) => each.job === job);
    expect(of("backup")).toMatchObject({ scheduled: 31, run: 2, failed: 1, missed: 30 });
    expect(bundle.report.tests).toMatchObject([{ activity: "drill-pitr", state: "on-time" }]);
    expect(bundle.report.breaches).toMatchObject([{ state: "breached", from: "2026-03-03T03:30:00.000Z" }]);
    expect(bundle.report.chain.ok).toBe(true);
  });

  it("shows a file that was changed, removed, added, or turned into a link", async () => {
    await using bundle = await bundleOf(await worldOfMarch());
    await appendFile(path.join(bundle.dir, "report.html"), " ");
    await rm(path.join(bundle.dir, "report.json"));
    await symlink("/etc/hostname", path.join(bundle.dir, "report.json"));
    await writeFile(path.join(bundle.dir, "more.json"), "{}");
    const { ok, problems } = await bundle.verify();
    expect(ok).toBe(false);
    expect(problems.map(({ file, problem }) => `${problem} ${file}`).toSorted()).toEqual([
      "changed report.html",
      "missing report.json",
      "unlisted more.json",
    ]);
  });

  it("is refused when its manifest was changed, is another record, or is gone", async () => {
    await using bundle = await bundleOf(await worldOfMarch());
    const manifest = path.join(bundle.dir, "manifest.json");
    const good = await readFile(manifest, "utf8");
    const envelope = Object(JSON.parse(good));
    const payload = Buffer.from(String(envelope.payload), "base64url").toString("utf8").replace("2026-03", "2026-02");
    await writeFile(manifest, JSON.stringify({ ...envelope, payload: Buffer.from(payload).toString("base64url") }));
    await expect(bundle.verify()).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
    const [name = ""] = await readdir(path.join(bundle.dir, "receipts", SOURCE));
    await writeFile(manifest, await readFile(path.join(bundle.dir, "receipts", SOURCE, name)));
    await expect(bundle.verify()).rejects.toMatchObject({ code: "MANIFEST_INVALID" });
    await rm(manifest);
    await expect(bundle.verify()).rejects.toMatchObject({ code: "EVIDENCE_INVALID" });
  });

  it("has a report that loads nothing and quotes everything", async () => {
    await using bundle = await bundleOf(await worldOfMarch());
    const html = await readFile(path.join(bundle.dir, "report.html"), "utf8");
    expect(html).not.toContain("<script");
    expect(html).not.toMatch(/(?:src|href)=/);
    expect(html).toContain("&#60;script&#62;");
    expect(html).toContain('<html lang="es">');
    expect(html.match(/<svg /g)).toHaveLength(2);
    expect(html.match(/<circle /g)).toHaveLength(1);
    expect(html.match(/<rect /g)).toHaveLength(2);
  });
});

describe("a product that was put to work in the middle of a day", () => {
  it("is not asked for the test that was due before its first receipt", async () => {
    const world = evidenceWorld({
      restoreTests: [{ kind: "pitr", schedule: "0 0 5 * * *", target: { env: "SCRATCH_URL" } }],
    });
    world.at("2026-03-10T03:00:00.000Z");
    await world.run("backup");
    world.at("2026-03-10T05:30:00.000Z");
    await world.run("drill-pitr");
    world.at("2026-03-11T06:00:00.000Z");
    const { report } = await collectEvidence(world.context, PERIOD);
    expect(report.tests).toMatchObject([{ activity: "drill-pitr", state: "on-time" }]);
  });
});

describe("GET /api/evidence", () => {
  it("answers the report, 206 where the chain is broken, 400 for no period, 503 where nothing can be read", async () => {
    const world = await worldOfMarch();
    const open = async () => world.context;
    const period = { from: "2026-03-01", to: "2026-04-01" };
    expect(await evidenceAnswer(open, period)).toMatchObject({ status: 200, body: { receipts: { length: 4 } } });
    expect((await evidenceAnswer(open, {})).status).toBe(200);
    expect((await evidenceAnswer(open, { from: "yesterday" })).status).toBe(400);
    expect((await evidenceAnswer(open, { from: period.to, to: period.from })).status).toBe(400);
    expect((await evidenceAnswer(() => Promise.reject(new Error("no policy")), period)).status).toBe(503);
    const names = [...world.vault.storage.blobs.keys()].filter((name) => name.includes("/runs/")).toSorted();
    world.vault.storage.blobs.delete(names[1] ?? "");
    expect((await evidenceAnswer(open, period)).status).toBe(206);
  });
});
