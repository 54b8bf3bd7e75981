import { describe, expect, it } from "vitest";
import type { SigningKey } from "../../../../lib/vault/keys/key.ts";
import { followSuccessions, readSuccession, signSuccession } from "../../../../lib/vault/keys/succession.ts";
import { newSigningKey } from "../../../support/signing-keys.ts";

const madeAt = new Date("2026-11-21T12:00:00Z");
const retiresAt = new Date("2026-11-25T12:00:00Z");
const [first, second, third, stranger] = [newSigningKey(), newSigningKey(), newSigningKey(), newSigningKey()];

async function link(from: SigningKey, to: SigningKey, retires = retiresAt) {
  return readSuccession(await signSuccession(from, to, { madeAt, retiresAt: retires }), "x");
}

function idsFrom(roots: readonly SigningKey[], links: readonly Awaited<ReturnType<typeof link>>[]): string[] {
  return [
    ...followSuccessions(
      roots.map(({ publicKey }) => publicKey),
      links,
    ).keys(),
  ].toSorted();
}

const ids = (...keys: SigningKey[]): string[] => keys.map(({ keyId }) => keyId).toSorted();

describe("a succession of signing keys", () => {
  it("leads from any key of its line to all others, and retires all but the last", async () => {
    const links = [await link(first, second), await link(second, third)];
    for (const root of [first, second, third]) {
      expect(idsFrom([root], links)).toEqual(ids(first, second, third));
    }
    const trusted = followSuccessions([third.publicKey], links);
    expect(trusted.get(first.keyId)?.retiredAt).toEqual(retiresAt);
    expect(trusted.get(second.keyId)?.retiredAt).toEqual(retiresAt);
    expect(trusted.get(third.keyId)?.retiredAt).toBeUndefined();
  });

  it("leads nowhere past a link that is gone", async () => {
    expect(idsFrom([first], [await link(second, third)])).toEqual(ids(first));
    expect(idsFrom([third], [await link(first, second)])).toEqual(ids(third));
  });

  it("counts the earliest of several retirements", async () => {
    const links = [await link(first, second), await link(first, third, madeAt)];
    expect(followSuccessions([first.publicKey], links).get(first.keyId)?.retiredAt).toEqual(madeAt);
  });

  it("can't be made by one of the two alone", async () => {
    const pretended = { ...second, sign: stranger.sign };
    await expect(link(first, pretended)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
    await expect(link({ ...first, sign: stranger.sign }, second)).rejects.toMatchObject({ code: "SIGNATURE_INVALID" });
    await expect(link({ ...first, keyId: stranger.keyId }, second)).rejects.toMatchObject({
      code: "SIGNATURE_INVALID",
    });
  });

  it("can't be changed in any of its parts", async () => {
    const bytes = await signSuccession(first, second, { madeAt, retiresAt });
    const document = JSON.parse(bytes.toString("utf8")) as { payload: string; signatures: object[] };
    const content = JSON.parse(Buffer.from(document.payload, "base64url").toString("utf8")) as object;
    const later = { ...content, retiresAt: "2030-01-01T00:00:00Z" };
    const changed = [
      { ...document, payload: Buffer.from(JSON.stringify(later)).toString("base64url") },
      { ...document, signatures: document.signatures.toReversed() },
      { ...document, signatures: document.signatures.slice(0, 1) },
      { ...document, signatures: [document.signatures[0], document.signatures[0]] },
      {},
    ];
    for (const text of [...changed.map((value) => JSON.stringify(value)), "", "null"]) {
      expect(() => readSuccession(Buffer.from(text), "x")).toThrow(
        expect.objectContaining({ code: "SIGNATURE_INVALID" }),
      );
    }
  });
});
