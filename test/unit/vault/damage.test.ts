import { describe, expect, it } from "vitest";
import { assertComplete } from "../../../lib/vault/complete.ts";
import { readDamage, writeDamage } from "../../../lib/vault/damage.ts";
import { damagePlace } from "../../../lib/vault/names.ts";
import { logChains } from "../../../lib/vault/segment-chain.ts";
import { listSegments } from "../../../lib/vault/segment-index.ts";
import { change } from "../../support/memory-log.ts";
import { twoVaults } from "../../support/two-vaults.ts";
import { SOURCE } from "../../support/vault-fixture.ts";

const REASON = { code: "BLOB_DAMAGED", message: "its bytes are wrong" } as const;

async function knowing(kind: "data" | "segment", where: string[]) {
  const fixture = await twoVaults();
  const { vaults, names, signer, clock, trusted } = fixture;
  const statement = { source: SOURCE, blob: names[kind], state: "bad" as const, where, reason: REASON };
  await writeDamage(statement, { vaults, signer, clock });
  const queries = vaults.map((vault) => ({ vault, source: SOURCE, trusted }));
  return { ...fixture, queries, statement };
}

describe("damage that is known", () => {
  it("takes a backup out of the vault that it was found in, and out of no other", async () => {
    const { queries, manifest } = await knowing("data", ["primary"]);
    const [primary, offsite] = queries.map(async (query) =>
      assertComplete(query.vault, manifest, await readDamage(query)),
    );
    await expect(primary).rejects.toMatchObject({ code: "BLOB_DAMAGED", message: expect.stringContaining("known") });
    await expect(offsite).resolves.toBeUndefined();
  });

  it("splits the log where a segment is bad, though its manifest and its size are right", async () => {
    const { queries, segments } = await knowing("segment", ["offsite"]);
    const [primary, offsite] = await Promise.all(queries.map((query) => listSegments(query)));
    expect(primary?.damaged).toEqual([]);
    expect(offsite?.damaged).toEqual([{ id: segments[1], error: REASON }]);
    expect(logChains(primary?.entries ?? [])).toHaveLength(1);
    expect(logChains(offsite?.entries ?? []).map(({ start }) => start.reason)).toEqual(["first", "missing"]);
  });

  it("ends with a later statement that the blob is good again", async () => {
    const { queries, statement, vaults, signer, clock } = await knowing("data", ["primary", "offsite"]);
    await writeDamage({ ...statement, state: "healed", where: ["primary"] }, { vaults, signer, clock });
    const known = await Promise.all(queries.map(readDamage));
    expect(known.map(({ size }) => size)).toEqual([0, 1]);
  });

  it("is not believed when the statement's signature does not verify", async () => {
    const { vaults, trusted } = await knowing("data", ["primary"]);
    const [name] = [...vaults[0].storage.blobs.keys()].filter((blob) => blob.startsWith(damagePlace(SOURCE).prefix));
    change(vaults[0], name ?? "", -10);
    expect((await readDamage({ vault: vaults[0], source: SOURCE, trusted })).size).toBe(0);
  });
});
