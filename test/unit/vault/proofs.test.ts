import { describe, expect, it } from "vitest";
import { listBackups } from "../../../lib/vault/catalogue.ts";
import { fullPlace, logPlace, proofsPlace } from "../../../lib/vault/names.ts";
import { type Proof, provenRanges, readProofs, type StoredThing, toRanges } from "../../../lib/vault/proofs.ts";
import { type VaultProofs, writeProofs } from "../../../lib/vault/proofs-record.ts";
import { change, ship } from "../../support/memory-log.ts";
import {
  type MemoryTestVault,
  memoryVault,
  SOURCE,
  testKeys,
  tickingClock,
  TOOL,
  writeBackup,
} from "../../support/vault-fixture.ts";

const keys = testKeys();
const AT = "2026-11-22T05:00:00.000Z";
const NOW = new Date("2026-11-22T06:00:00Z");

function thing(name: string, sizeBytes = 100): StoredThing {
  return { name, sizeBytes };
}

function proofsOf(things: readonly StoredThing[], at = AT): Map<string, Proof> {
  return new Map(things.map(({ name }) => [name, { at }]));
}

const THINGS = ["20261120T10", "20261120T11", "20261121T10", "20261121T11", "20261122T10"].map((name) => thing(name));

describe("ranges of proofs", () => {
  it("say the same as the proofs they are made of, one range a day and run", () => {
    const proofs = proofsOf(THINGS);
    expect(toRanges(THINGS, proofs)).toMatchObject([{ count: 2 }, { count: 2 }, { count: 1 }]);
    expect(provenRanges(toRanges(THINGS, proofs), THINGS)).toEqual(proofs);
    proofs.delete("20261120T10");
    proofs.set("20261121T11", { at: "2026-11-22T04:00:00.000Z", deepAt: AT });
    expect(provenRanges(toRanges(THINGS, proofs), THINGS)).toEqual(proofs);
  });

  it("prove nothing of a day in which something went, came or changed", () => {
    const ranges = toRanges(THINGS, proofsOf(THINGS));
    const others = THINGS.slice(2).map(({ name }) => name);
    const changed: (typeof THINGS)[] = [
      THINGS.slice(1),
      THINGS.filter(({ name }) => name !== "20261120T11"),
      [...THINGS, thing("20261120T1030")].toSorted((a, b) => (a.name < b.name ? -1 : 1)),
      THINGS.map(({ name }, index) => thing(name, index === 1 ? 99 : 100)),
    ];
    for (const things of changed) expect([...provenRanges(ranges, things).keys()]).toEqual(others);
  });
});

async function twoBackupsAndALog() {
  const vault = memoryVault();
  const first = await writeBackup([vault], { clock: tickingClock("2026-11-21T03:00:00.000Z") });
  const second = await writeBackup([vault], { clock: tickingClock("2026-11-22T03:00:00.000Z") });
  const segments = await ship(["one", "two", "three"], [vault], tickingClock("2026-11-22T03:10:00.000Z"));
  return { vault, first, second, segments };
}

async function prove(vault: MemoryTestVault, id: string, more: Partial<VaultProofs> = {}) {
  const query = { vault, source: SOURCE, trusted: keys.trusted };
  const { prefix } = logPlace(SOURCE);
  const log = await Array.fromAsync(vault.storage.data.list(prefix), ({ name, sizeBytes }) => ({
    name: name.slice(prefix.length),
    sizeBytes,
  }));
  const fulls = (await listBackups(query)).flatMap((backup) =>
    backup.state === "valid" ? [{ id: backup.id, sha256: backup.sha256, at: AT }] : [],
  );
  const state: VaultProofs = {
    vault: vault.name,
    fulls,
    places: { log: { newest: log.at(-1)?.name ?? null, ranges: toRanges(log, proofsOf(log)) } },
    failed: [],
    since: AT,
    ...more,
  };
  await writeProofs(
    {
      id,
      source: SOURCE,
      startedAt: AT,
      finishedAt: AT,
      environment: "test",
      tool: TOOL,
      policyHash: "",
      spent: { day: "2026-11-22", bytes: 0, seconds: 0 },
      states: [state],
    },
    { vaults: [vault], signer: keys.signer, clock: tickingClock(AT) },
  );
}

const IDS = ["20261122T050000000Z-00000001", "20261122T050000000Z-00000002"] as const;

function read(vault: MemoryTestVault) {
  return readProofs({ vault, source: SOURCE, trusted: keys.trusted, now: NOW });
}

describe("readProofs", () => {
  it("tells when each backup and each segment was proven, from a record that is signed", async () => {
    const { vault, first, second, segments } = await twoBackupsAndALog();
    expect((await read(vault)).size).toBe(0);
    await prove(vault, IDS[0]);
    const proofs = await read(vault);
    expect([...proofs.keys()].toSorted()).toEqual([first.manifest.id, second.manifest.id, ...segments].toSorted());
    expect(proofs.get(first.manifest.id)).toEqual({ at: AT, sha256: first.sha256 });
  });

  it("leaves out what is new, not proven to its end, or not what was proven", async () => {
    const { vault, first, second, segments } = await twoBackupsAndALog();
    const third = await writeBackup([vault], { clock: tickingClock("2026-11-22T04:00:00.000Z") });
    const fulls = [
      { id: first.manifest.id, sha256: first.sha256, at: AT },
      { id: second.manifest.id, sha256: "0".repeat(64), at: AT },
      { id: third.manifest.id, sha256: third.sha256, at: null, begun: { blobs: 1, at: AT } },
    ];
    await prove(vault, IDS[0], { fulls });
    await ship(["new"], [vault], tickingClock("2026-11-23T03:10:00.000Z"));
    expect([...(await read(vault)).keys()]).toEqual([first.manifest.id, ...segments]);
    await prove(vault, IDS[1], { fulls: fulls.slice(1), places: {} });
    expect([...(await read(vault)).keys()]).toEqual([]);
  });

  it("leaves out a backup or a segment that can't be believed any more", async () => {
    const { vault, first, second, segments } = await twoBackupsAndALog();
    await prove(vault, IDS[0]);
    change(vault, fullPlace(SOURCE).nameOf(first.manifest.id), 200);
    vault.storage.blobs.delete(logPlace(SOURCE).nameOf(segments[1] ?? ""));
    expect([...(await read(vault)).keys()]).toEqual([second.manifest.id]);
  });

  it("believes the newest ledger that a trusted key signed, and none of another vault", async () => {
    const { vault, second } = await twoBackupsAndALog();
    await prove(vault, IDS[0], { places: {} });
    await prove(vault, IDS[1]);
    change(vault, proofsPlace(SOURCE).nameOf(IDS[1]), 200);
    expect([...(await read(vault)).keys()]).toContain(second.manifest.id);
    expect((await read(vault)).size).toBe(2);
    const renamed = { ...vault, name: "offsite" };
    expect((await read(renamed)).size).toBe(0);
  });
});
