import { describe, expect, it } from "vitest";
import { AppError } from "../../../lib/core/errors.ts";
import { readDamage } from "../../../lib/vault/damage.ts";
import { openEnvelope } from "../../../lib/vault/envelope.ts";
import { healBlob, type HealRequest } from "../../../lib/vault/heal.ts";
import { logPlace } from "../../../lib/vault/names.ts";
import { recordRemoval } from "../../../lib/vault/removal.ts";
import type { Vault } from "../../../lib/vault/vault.ts";
import { announce } from "../../support/announce.ts";
import { failingVault } from "../../support/failing-vault.ts";
import { bytesOf, type BlobKind, contentsOf, replaceBlob, twoVaults } from "../../support/two-vaults.ts";
import { merge } from "../../support/merge.ts";
import { change } from "../../support/memory-log.ts";
import { SOURCE, TOOL } from "../../support/vault-fixture.ts";

type Fixture = Awaited<ReturnType<typeof twoVaults>>;

const REASON = { code: "BLOB_DAMAGED", message: "found by the test" } as const;
const KINDS: BlobKind[] = ["data", "manifest", "segment", "merged", "run", "key"];

const DAMAGES: [what: string, damage: (fixture: Fixture, kind: BlobKind) => void][] = [
  ["was flipped in one bit", ({ vaults: [primary], names }, kind) => change(primary, names[kind], 50)],
  ["was flipped in its last byte", ({ vaults: [primary], names }, kind) => change(primary, names[kind], -4)],
  [
    "was cut",
    ({ vaults: [primary], names }, kind) =>
      replaceBlob(primary, names[kind], bytesOf(primary, names[kind]).subarray(0, -5)),
  ],
  ["was emptied", ({ vaults: [primary], names }, kind) => replaceBlob(primary, names[kind], Buffer.alloc(0))],
  ["was deleted", ({ vaults: [primary], names }, kind) => replaceBlob(primary, names[kind], undefined)],
  ["is foreign", ({ vaults: [primary], names }, kind) => replaceBlob(primary, names[kind], Buffer.from("{}"))],
  [
    "was replaced by an older one",
    ({ vaults: [primary], names, olderNames }, kind) =>
      replaceBlob(primary, names[kind], bytesOf(primary, olderNames[kind])),
  ],
];

function requestOf(fixture: Fixture, kind: BlobKind, vault: Vault, others: readonly Vault[]): HealRequest {
  const { names, expected, trusted, signer, clock } = fixture;
  const blob = { name: names[kind], expected: expected[kind], reason: REASON };
  return { vault, others, source: SOURCE, ...blob, trusted, signer, clock };
}

function healPrimary(fixture: Fixture, kind: BlobKind) {
  const [primary, offsite] = fixture.vaults;
  return healBlob(requestOf(fixture, kind, primary, [offsite]));
}

const isCopied = (name: string) => !name.startsWith("quarantine/") && !name.includes("/damage/");

function withoutNotes(contents: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(contents).filter(([name]) => isCopied(name)));
}

describe.each(KINDS)("healing a %s", (kind) => {
  it.each(DAMAGES)(
    "that %s puts the other vault's bytes in its place and keeps what was there",
    async (what, damage) => {
      const fixture = await twoVaults();
      const [primary, offsite] = fixture.vaults;
      // Each vault has its own record of a key, signed when it was published there.
      const before = { ...contentsOf(primary), [fixture.names[kind]]: contentsOf(offsite)[fixture.names[kind]] };
      damage(fixture, kind);
      const bad = primary.storage.blobs.get(fixture.names[kind])?.bytes;
      const outcome = await healPrimary(fixture, kind);
      expect(outcome).toMatchObject({ state: "healed", from: "offsite" });
      expect(withoutNotes(contentsOf(primary))).toEqual(before);
      if (outcome.state !== "healed") throw new Error("not healed");
      expect(outcome.quarantine === undefined).toBe(what === "was deleted");
      if (outcome.quarantine === undefined || bad === undefined) return;
      expect(bytesOf(primary, outcome.quarantine)).toEqual(bad);
      const note = bytesOf(primary, `${outcome.quarantine}.json`);
      const { payload } = openEnvelope(note, "resguardo-quarantine", fixture.trusted, "note");
      expect(payload).toMatchObject({ blob: fixture.names[kind], vault: "primary", reason: REASON });
    },
  );
});

describe("healing", () => {
  it("leaves a blob alone that is good", async () => {
    const fixture = await twoVaults();
    const before = fixture.vaults.map(contentsOf);
    for (const kind of KINDS) expect(await healPrimary(fixture, kind)).toEqual({ state: "good" });
    expect(fixture.vaults.map(contentsOf)).toEqual(before);
  });

  it("says in both vaults what is bad in both, once, and takes it back when it is good again", async () => {
    const fixture = await twoVaults();
    const { vaults, names, trusted } = fixture;
    const good = bytesOf(vaults[0], names.data);
    for (const vault of vaults) change(vault, names.data, 50);
    for (let look = 0; look < 2; look++) {
      expect(await healPrimary(fixture, "data")).toMatchObject({ state: "lost", error: REASON });
      for (const vault of vaults) {
        const known = await readDamage({ vault, source: SOURCE, trusted });
        expect([...known.keys()]).toEqual([names.data]);
        expect(Object.keys(contentsOf(vault)).filter((name) => !isCopied(name))).toHaveLength(1);
      }
    }
    replaceBlob(vaults[0], names.data, good);
    expect(await healPrimary(fixture, "data")).toEqual({ state: "good" });
    const known = await Promise.all(vaults.map((vault) => readDamage({ vault, source: SOURCE, trusted })));
    expect(known.map(({ size }) => size)).toEqual([0, 1]);
  });

  it("brings nothing back that was removed on purpose", async () => {
    const fixture = await twoVaults();
    const { vaults, manifest, names, signer, clock } = fixture;
    const item = { kind: "full" as const, id: manifest.id, sizeBytes: 1 };
    const run = { source: SOURCE, environment: "test", tool: TOOL, policyHash: "", reason: "retention", items: [item] };
    await recordRemoval({ ...run, vaults: [vaults[0]], signer, clock });
    for (const kind of ["data", "manifest"] as const) {
      replaceBlob(vaults[0], names[kind], undefined);
      expect(await healPrimary(fixture, kind)).toEqual({ state: "removed" });
      expect(vaults[0].storage.blobs.has(names[kind])).toBe(false);
    }
    replaceBlob(vaults[1], names.data, undefined);
    const [primary, offsite] = vaults;
    expect(await healBlob(requestOf(fixture, "data", offsite, [primary]))).toMatchObject({ state: "lost" });
  });

  it("finds a segment where it lies merged in the other vault, also one whose own blob was given up for a merged one", async () => {
    const fixture = await twoVaults();
    const [primary, offsite] = fixture.vaults;
    const { names, segments } = fixture;
    const before = bytesOf(primary, names.segment);
    await merge(offsite, segments);
    for (const id of segments) offsite.storage.blobs.delete(logPlace(SOURCE).nameOf(id));
    change(primary, names.segment, -1);
    expect(await healPrimary(fixture, "segment")).toMatchObject({ state: "healed", from: "offsite" });
    expect(bytesOf(primary, names.segment)).toEqual(before);
    await announce(primary, [{ kind: "segment", id: segments[1] ?? "", sizeBytes: 1, replacedBy: segments[2] ?? "" }]);
    replaceBlob(primary, names.segment, undefined);
    expect(await healPrimary(fixture, "segment")).toMatchObject({ state: "healed", from: "offsite" });
    expect(bytesOf(primary, names.segment)).toEqual(before);
  });

  it("puts a merged blob together that is damaged in both vaults, in different segments", async () => {
    for (const failAt of [undefined, ...Array.from({ length: 40 }, (_, index) => index + 1)]) {
      const fixture = await twoVaults();
      const [primary, offsite] = fixture.vaults;
      const { merged } = fixture.names;
      const before = bytesOf(primary, merged);
      change(primary, merged, -1);
      change(offsite, merged, -(before.length - bytesOfHead(before)) + 50);
      const request = requestOf(fixture, "merged", primary, [offsite]);
      if (failAt !== undefined) {
        const dying = failingVault(primary, { failAt });
        await healBlob({ ...request, vault: dying }).catch(() => undefined);
        if (dying.operations < failAt) return;
      }
      const outcome = await healBlob(request);
      if (failAt === undefined) expect(outcome).toMatchObject({ state: "healed", from: "primary, offsite" });
      expect(["healed", "good"]).toContain(outcome.state);
      expect(bytesOf(primary, merged)).toEqual(before);
      expect(await healBlob(requestOf(fixture, "merged", offsite, [primary]))).toMatchObject({ from: "primary" });
    }
  }, 120_000);

  it("gives a merged blob up of which a segment is whole nowhere", async () => {
    const fixture = await twoVaults();
    for (const vault of fixture.vaults) change(vault, fixture.names.merged, -1);
    expect(await healPrimary(fixture, "merged")).toMatchObject({ state: "lost" });
  });

  it("leaves a segment alone that lies merged in the vault itself", async () => {
    const fixture = await twoVaults();
    const [primary] = fixture.vaults;
    await merge(primary, fixture.segments);
    replaceBlob(primary, fixture.names.segment, undefined);
    expect(await healPrimary(fixture, "segment")).toEqual({ state: "good" });
    expect(primary.storage.blobs.has(fixture.names.segment)).toBe(false);
  });

  it("removes nothing while the other vault can't be asked", async () => {
    const fixture = await twoVaults();
    const [primary, offsite] = fixture.vaults;
    change(primary, fixture.names.data, 50);
    const bad = bytesOf(primary, fixture.names.data);
    const outcome = await healBlob(requestOf(fixture, "data", primary, [failingVault(offsite, { failAt: 1 })]));
    expect(outcome).toMatchObject({ state: "unhealed", error: { code: "STORAGE_UNAVAILABLE" } });
    expect(bytesOf(primary, fixture.names.data)).toEqual(bad);
    const { trusted } = fixture;
    expect((await readDamage({ vault: primary, source: SOURCE, trusted })).has(fixture.names.data)).toBe(true);
  });

  it("tells with a code that the storage refuses to give the bad blob up", async () => {
    const fixture = await twoVaults();
    const [primary, offsite] = fixture.vaults;
    change(primary, fixture.names.segment, 50);
    const refusing: Vault = {
      name: "primary",
      storage: {
        ...primary.storage,
        data: { ...primary.storage.data, remove: () => Promise.reject(new AppError("STORAGE_REFUSED", "immutable")) },
      },
    };
    for (let look = 0; look < 2; look++) {
      const outcome = await healBlob(requestOf(fixture, "segment", refusing, [offsite]));
      expect(outcome).toMatchObject({ state: "unhealed", error: { code: "STORAGE_REFUSED" } });
    }
    // The bytes and their note, kept aside once, and one statement.
    expect(Object.keys(contentsOf(primary)).filter((name) => !isCopied(name))).toHaveLength(3);
  });

  it.each([false, true])("goes on after a death at any operation (which took effect: %s)", async (tookEffect) => {
    const reference = await twoVaults();
    change(reference.vaults[0], reference.names.data, 50);
    const counted = failingVault(reference.vaults[0], { failAt: Infinity });
    await healBlob(requestOf(reference, "data", counted, [reference.vaults[1]]));
    for (let failAt = 1; failAt <= counted.operations; failAt++) {
      const fixture = await twoVaults();
      const [primary, offsite] = fixture.vaults;
      const before = contentsOf(primary);
      change(primary, fixture.names.data, 50);
      const dying = failingVault(primary, { failAt, tookEffect });
      await healBlob(requestOf(fixture, "data", dying, [offsite])).catch(() => undefined);
      expect(["healed", "good"]).toContain((await healPrimary(fixture, "data")).state);
      expect(withoutNotes(contentsOf(primary))).toEqual(before);
      expect((await readDamage({ vault: primary, source: SOURCE, trusted: fixture.trusted })).size).toBe(0);
    }
  });
});

/** Where the manifests of a merged blob start. */
function bytesOfHead(bytes: Buffer): number {
  return 8 + bytes.readUInt32LE(4);
}
