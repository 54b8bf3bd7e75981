import { randomBytes } from "node:crypto";
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { openBackupWriter } from "../../../lib/vault/backup-writer.ts";
import { dataName, fullPlace, logPlace, proofsPlace, runPlace } from "../../../lib/vault/names.ts";
import { readProofs } from "../../../lib/vault/proofs.ts";
import { openDirectoryVault } from "../../../lib/vault/storage/directory.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { ship } from "../../support/memory-log.ts";
import { memoryContext, runVerify, SetClock } from "../../support/memory-context.ts";
import { contentOf, pieces, SOURCE, testKeys, writeBackup, writerOptions } from "../../support/vault-fixture.ts";

const { trusted } = testKeys();
const START = "2026-11-20T03:00:00.000Z";
const HEADER = 36;

let folder: string;
let clock: SetClock;
let vaults: [Vault, Vault];
let backup: string;
let older: string;
let segments: string[];
let receipts: string[];
let names: Record<
  "rows" | "otherRows" | "manifest" | "olderManifest" | "segment" | "olderSegment" | "run" | "olderRun",
  string
>;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "resguardo-damage-"));
  clock = new SetClock(START);
  vaults = [open("primary"), open("offsite")];
  for (const { storage } of vaults) await storage.prepare();
  older = (await writeBackup(vaults, { clock: clock.now })).manifest.id;
  segments = await ship(["one", "two", "three"], vaults, clock.now);
  clock.pass(24);
  backup = await writeLargeBackup();
  segments.push(...(await ship(["four", "five", "six"], vaults, clock.now)));
  receipts = [];
  for (let run = 0; run < 2; run++) {
    clock.pass(1);
    receipts.push((await runVerify(contextOf())).receipt.id);
  }
  names = {
    rows: dataName(SOURCE, backup, "rows/000001"),
    otherRows: dataName(SOURCE, backup, "rows/000002"),
    manifest: fullPlace(SOURCE).nameOf(backup),
    olderManifest: fullPlace(SOURCE).nameOf(older),
    segment: logPlace(SOURCE).nameOf(segments[4] ?? ""),
    olderSegment: logPlace(SOURCE).nameOf(segments[0] ?? ""),
    run: runPlace(SOURCE).nameOf(receipts[1] ?? ""),
    olderRun: runPlace(SOURCE).nameOf(receipts[0] ?? ""),
  };
  await cp(folder, `${folder}-before`, { recursive: true });
});

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
  await rm(`${folder}-before`, { recursive: true, force: true });
});

beforeEach(async () => {
  await rm(folder, { recursive: true, force: true });
  await cp(`${folder}-before`, folder, { recursive: true });
  // Past the day within which nothing is read again.
  clock.at = new Date(Date.parse(START) + 72 * 3_600_000);
});

function open(name: string): Vault {
  return { name, storage: openDirectoryVault(name, join(folder, name)) };
}

function contextOf(source: Record<string, unknown> = {}) {
  return memoryContext(vaults, clock, source);
}

/** Two rows blobs of three chunks each, those of equal length. */
async function writeLargeBackup(): Promise<string> {
  const writer = openBackupWriter(writerOptions(vaults, { clock: clock.now }));
  const schema = await writer.writeBlob("schema.json", pieces('{"version":1}'));
  const lines = () => Buffer.concat([Buffer.from(randomBytes(5 * 1024 * 1024).toString("hex")), Buffer.from("\n")]);
  const parts = [];
  for (const part of [1, 2]) parts.push(await writer.writeBlob(`rows/00000${part}`, pieces(lines())));
  return (await writer.commit(contentOf(schema, parts, [["x"], ["y"]]))).manifest.id;
}

const pathOf = (vault: number, name: string) => join(folder, vaults[vault]?.name ?? "", "data", ...name.split("/"));
const bytesOf = (vault: number, name: string) => readFile(pathOf(vault, name));
const originalOf = (name: string) => readFile(join(`${folder}-before`, "offsite", "data", ...name.split("/")));
const put = (vault: number, name: string, bytes: Buffer) => writeFile(pathOf(vault, name), bytes);
const remove = (vault: number, name: string) => rm(pathOf(vault, name), { recursive: true });

async function flip(vault: number, name: string, at: number): Promise<void> {
  const bytes = await bytesOf(vault, name);
  const place = at < 0 ? bytes.length + at : at;
  bytes[place] = (bytes[place] ?? 0) ^ 0x10;
  await put(vault, name, bytes);
}

async function flipIn(vault: number, name: string, text: string): Promise<void> {
  await flip(vault, name, (await bytesOf(vault, name)).indexOf(text) + text.length + 20);
}

/** Frames of a sealed blob, cut by their own lengths. */
function framesOf(bytes: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = HEADER; at < bytes.length;) {
    const end = at + 4 + (bytes.readUInt32LE(at) & 0x7fff_ffff);
    frames.push(bytes.subarray(at, end));
    at = end;
  }
  return frames;
}

async function swapChunks(vault: number, name: string): Promise<void> {
  const bytes = await bytesOf(vault, name);
  const [first = Buffer.alloc(0), second = Buffer.alloc(0), ...rest] = framesOf(bytes);
  await put(vault, name, Buffer.concat([bytes.subarray(0, HEADER), second, first, ...rest]));
}

/** As somebody would who can't sign: another payload under the old signature. */
async function editManifest(vault: number): Promise<void> {
  const envelope = JSON.parse((await bytesOf(vault, names.manifest)).toString()) as { payload: string };
  const payload = JSON.parse(Buffer.from(envelope.payload, "base64url").toString()) as { totals: { rows: number } };
  payload.totals.rows++;
  const edited = { ...envelope, payload: Buffer.from(JSON.stringify(payload)).toString("base64url") };
  await put(vault, names.manifest, Buffer.from(JSON.stringify(edited)));
}

type Name = keyof typeof names;

/** Damage to one blob; what is expected to be found is that blob. */
const DAMAGES: readonly [what: string, blob: Name, damage: (vault: number, name: string) => Promise<void>][] = [
  ["a bit of the magic number", "rows", (vault, name) => flip(vault, name, 0)],
  ["a bit of the salt", "rows", (vault, name) => flip(vault, name, 20)],
  ["a bit of a chunk's length", "rows", (vault, name) => flip(vault, name, HEADER)],
  ["the flag of the last chunk", "rows", (vault, name) => flip(vault, name, HEADER + 3)],
  ["a bit of a ciphertext", "rows", (vault, name) => flip(vault, name, 1_000_000)],
  ["a bit of a tag", "rows", (vault, name) => flip(vault, name, -1)],
  [
    "a blob that ends early",
    "rows",
    async (vault, name) => put(vault, name, (await bytesOf(vault, name)).subarray(0, -1)),
  ],
  ["an empty blob", "rows", (vault, name) => put(vault, name, Buffer.alloc(0))],
  [
    "a blob with bytes behind it",
    "rows",
    async (vault, name) => put(vault, name, Buffer.concat([await bytesOf(vault, name), Buffer.from("x")])),
  ],
  ["a blob that is gone", "rows", remove],
  ["two chunks that changed places", "rows", swapChunks],
  ["another blob in its place", "rows", async (vault, name) => put(vault, name, await bytesOf(vault, names.otherRows))],
  ["a bit of a manifest's payload", "manifest", (vault, name) => flipIn(vault, name, '"payload"')],
  ["a bit of a manifest's signature", "manifest", (vault, name) => flipIn(vault, name, '"signature"')],
  ["a bit of a certificate", "manifest", (vault, name) => flipIn(vault, name, '"protected"')],
  ["an edited manifest", "manifest", (vault) => editManifest(vault)],
  [
    "an older manifest in its place",
    "manifest",
    async (vault, name) => put(vault, name, await bytesOf(vault, names.olderManifest)),
  ],
  [
    "a manifest that ends early",
    "manifest",
    async (vault, name) => put(vault, name, (await bytesOf(vault, name)).subarray(0, 500)),
  ],
  ["a bit of a segment's magic number", "segment", (vault, name) => flip(vault, name, 0)],
  ["a bit of the length of its manifest", "segment", (vault, name) => flip(vault, name, 4)],
  ["a bit of its manifest", "segment", (vault, name) => flipIn(vault, name, '"payload"')],
  ["a bit of its data", "segment", (vault, name) => flip(vault, name, -20)],
  [
    "a segment that ends early",
    "segment",
    async (vault, name) => put(vault, name, (await bytesOf(vault, name)).subarray(0, -5)),
  ],
  [
    "an older segment in its place",
    "segment",
    async (vault, name) => put(vault, name, await bytesOf(vault, names.olderSegment)),
  ],
  ["a segment that is gone", "segment", remove],
  ["a bit of a receipt", "run", (vault, name) => flipIn(vault, name, '"payload"')],
  [
    "an older receipt in its place",
    "run",
    async (vault, name) => put(vault, name, await bytesOf(vault, names.olderRun)),
  ],
  ["a receipt that is gone", "olderRun", remove],
];

describe("a vault with one thing wrong", () => {
  it.each(DAMAGES)("%s: it is found, proven nowhere, and healed", async (_what, blob, damage) => {
    const name = names[blob];
    await damage(0, name);
    const watching = await runVerify(contextOf({ verify: { heal: false } }));
    expect(watching.failure).toBeDefined();
    expect(watching.verification.problems).toContainEqual(expect.objectContaining({ vault: "primary", blob: name }));
    expect(watching.verification.problems.every(({ vault }) => vault === "primary")).toBe(true);
    const proofs = await readProofs({ vault: open("primary"), source: SOURCE, trusted, now: clock.now() });
    if (blob === "segment") expect(proofs.has(segments[4] ?? "")).toBe(false);
    if (blob === "rows" || blob === "manifest") expect(proofs.has(backup)).toBe(false);

    clock.pass(1);
    const healing = await runVerify(contextOf());
    expect(healing.failure).toBeUndefined();
    expect(healing.verification.healed).toContainEqual(
      expect.objectContaining({ vault: "primary", blob: name, from: "offsite" }),
    );
    expect(await bytesOf(0, name)).toEqual(await originalOf(name));
    clock.pass(1);
    const after = await runVerify(contextOf());
    expect(after.verification).toMatchObject({ failed: 0, notLooked: 0, problems: [] });
    const provenNow = await readProofs({ vault: open("primary"), source: SOURCE, trusted, now: clock.now() });
    expect([...provenNow.keys()].toSorted()).toEqual([backup, older, ...segments].toSorted());
  });
});

describe("two vaults with something wrong", () => {
  it("are healed from each other where it is not the same", async () => {
    await flip(0, names.rows, 1_000_000);
    await remove(0, names.segment);
    await editManifest(1);
    await flip(1, names.otherRows, 30);
    await flip(1, names.olderSegment, -3);
    const first = await runVerify(contextOf());
    clock.pass(1);
    // What a manifest names is looked at once the manifest is good again.
    const second = await runVerify(contextOf());
    expect([first.failure, second.failure]).toEqual([undefined, undefined]);
    const healed = [...first.verification.healed, ...second.verification.healed];
    expect(healed.map(({ vault, blob }) => `${vault} ${blob}`).toSorted()).toEqual(
      [
        `primary ${names.rows}`,
        `primary ${names.segment}`,
        `offsite ${names.manifest}`,
        `offsite ${names.otherRows}`,
        `offsite ${names.olderSegment}`,
      ].toSorted(),
    );
    for (const vault of [0, 1]) {
      for (const name of Object.values(names)) expect(await bytesOf(vault, name)).toEqual(await originalOf(name));
    }
  });

  it("are not healed where it is the same, and call it proven in neither", async () => {
    await flip(0, names.rows, 500);
    await flip(1, names.rows, 600);
    const { failure, receipt } = await runVerify(contextOf());
    expect(failure).toMatchObject({ code: "BLOB_DAMAGED" });
    expect(receipt.details.figures).toMatchObject({ failed: 2, healed: 0, lost: 2 });
    for (const vault of ["primary", "offsite"]) {
      const proofs = await readProofs({ vault: open(vault), source: SOURCE, trusted, now: clock.now() });
      expect([...proofs.keys()].toSorted()).toEqual([older, ...segments].toSorted());
    }
  });
});

describe("a vault from which something was taken", () => {
  const day = () => segments.slice(0, 3).map((id) => logPlace(SOURCE).nameOf(id));
  const newest = () => segments.slice(4).map((id) => logPlace(SOURCE).nameOf(id));

  it.each([
    ["a whole day of the log", day],
    ["the newest segments", newest],
  ])("%s: each of them is named, and healed", async (_what, taken) => {
    for (const name of taken()) await remove(0, name);
    const { failure, verification } = await runVerify(contextOf());
    expect(failure).toBeUndefined();
    expect(verification.problems.map(({ blob }) => blob).toSorted()).toEqual(taken().toSorted());
    expect(verification.healed).toHaveLength(taken().length);
    for (const name of taken()) expect(await bytesOf(0, name)).toEqual(await originalOf(name));
  });

  it.each([
    ["a whole day of the log", day],
    ["the newest segments", newest],
  ])("%s, from both vaults: it is told and can't be healed", async (_what, taken) => {
    for (const vault of [0, 1]) for (const name of taken()) await remove(vault, name);
    const { failure, verification } = await runVerify(contextOf());
    expect(failure).toBeDefined();
    expect(new Set(verification.problems.map(({ vault }) => vault))).toEqual(new Set(["primary", "offsite"]));
    expect(verification.healed).toEqual([]);
  });

  it("the newest backup, the receipts and all ledgers: the other vault tells", async () => {
    await remove(0, dirname(names.manifest));
    await remove(0, dirname(dirname(names.rows)));
    await remove(0, proofsPlace(SOURCE).prefix.slice(0, -1));
    for (const id of receipts) await remove(0, runPlace(SOURCE).nameOf(id));
    const { failure, verification } = await runVerify(contextOf());
    expect(failure).toMatchObject({ code: "RECORD_REMOVED" });
    expect(verification.problems).toContainEqual(
      expect.objectContaining({ vault: "primary", blob: names.manifest, code: "RECORD_REMOVED" }),
    );
    expect(await bytesOf(0, names.olderRun)).toEqual(await originalOf(names.olderRun));
    // No ledger has seen the newest receipt: it makes the vault behind, and a copy brings it.
    expect(verification.behind).toMatchObject([{ vault: "primary", runs: 1 }]);
  });

  it("the newest backup from both: the ledgers tell", async () => {
    for (const vault of [0, 1]) {
      await remove(vault, dirname(names.manifest));
      await remove(vault, dirname(dirname(names.rows)));
    }
    const { verification } = await runVerify(contextOf());
    const gone = ["primary", "offsite"].map((vault) => ({ vault, blob: names.manifest, code: "RECORD_REMOVED" }));
    expect(verification.problems).toEqual(expect.arrayContaining(gone.map((one) => expect.objectContaining(one))));
  });
});
