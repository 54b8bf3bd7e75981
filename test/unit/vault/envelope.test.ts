import { generateKeyPairSync } from "node:crypto";
import { describe, expect, it } from "vitest";
import { type EnvelopeType, openEnvelope, signEnvelope } from "../../../lib/vault/envelope.ts";
import { trust } from "../../../lib/vault/keys/key.ts";
import { localSigningKey } from "../../../lib/vault/keys/local-keys.ts";
import { openSessionSigner } from "../../../lib/vault/keys/session-key.ts";
import { goldenPair } from "../../support/golden-keys.ts";
import { testKeys, tickingClock } from "../../support/vault-fixture.ts";

const NOW = new Date("2026-11-21T23:04:13.123Z");
const { signer, trusted } = testKeys(() => NOW);
const PAYLOAD = { id: "20261121T230413123Z-9f3a5c1e", rows: 42 };

interface Parts {
  protected: string;
  payload: string;
  signature: string;
}

async function signed(at = NOW, type: EnvelopeType = "resguardo-run"): Promise<Parts> {
  return JSON.parse((await signEnvelope(type, PAYLOAD, signer, () => at)).toString("utf8")) as Parts;
}

function open(parts: object, type: EnvelopeType = "resguardo-run") {
  return openEnvelope(Buffer.from(JSON.stringify(parts)), type, trusted, "shop/runs/x.json");
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString("base64url");
}

function decode(part: string): Record<string, string> {
  return JSON.parse(Buffer.from(part, "base64url").toString("utf8")) as Record<string, string>;
}

function code(parts: object, type?: EnvelopeType): string {
  try {
    open(parts, type);
    return "opened";
  } catch (error: unknown) {
    return (error as { code: string }).code;
  }
}

describe("a signed record", () => {
  it("gives back what was signed, when, and which key vouches for it", async () => {
    expect(open(await signed())).toEqual({
      payload: PAYLOAD,
      signedAt: NOW.toISOString(),
      signingKeyId: signer.signingKey.keyId,
    });
  });

  it("is not believed for a certificate that another key of the same name vouched for before", async () => {
    const bytes = Buffer.from(JSON.stringify(await signed()));
    expect(() => openEnvelope(bytes, "resguardo-run", trusted, "x")).not.toThrow();
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const others = new Map([[signer.signingKey.keyId, { publicKey }]]);
    expect(() => openEnvelope(bytes, "resguardo-run", others, "x")).toThrow("certificate of its session key");
    expect(() => openEnvelope(bytes, "resguardo-run", new Map(), "x")).toThrow("which is not trusted");
  });

  it("verifies when it is the first that a session key signs, whatever time it took to make that key", async () => {
    const clock = tickingClock();
    const fresh = testKeys(clock).signer;
    const bytes = await signEnvelope("resguardo-run", PAYLOAD, fresh, clock);
    expect(openEnvelope(bytes, "resguardo-run", trusted, "x").payload).toEqual(PAYLOAD);
  });

  it("can't be changed in any of its parts", async () => {
    const parts = await signed();
    const header = decode(parts.protected);
    const [certificateHeader = "", claims = "", signature = ""] = (header["certificate"] ?? "").split(".");
    const longer = encode({ ...decode(claims), notAfter: "2030-01-01T00:00:00.000Z" });
    const flip = (text: string) => (text.startsWith("A") ? "B" : "A") + text.slice(1);
    const changed: Parts[] = [
      { ...parts, payload: encode({ ...PAYLOAD, rows: 43 }) },
      { ...parts, signature: flip(parts.signature) },
      { ...parts, signature: parts.signature.slice(0, 20) },
      { ...parts, protected: encode({ ...header, signedAt: "2026-11-21T23:05:00.000Z" }) },
      { ...parts, protected: encode({ ...header, certificate: `${certificateHeader}.${longer}.${signature}` }) },
      { ...parts, protected: encode({ ...header, certificate: `${certificateHeader}.${claims}.${flip(signature)}` }) },
      { ...parts, protected: encode({ ...header, certificate: "not a certificate" }) },
    ];
    expect(changed.map((record) => code(record))).toEqual(changed.map(() => "SIGNATURE_INVALID"));
  });

  it("is refused when its session key is certified by a key that is not trusted", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const stranger = openSessionSigner({ signingKey: localSigningKey(privateKey), clock: () => NOW });
    const bytes = await signEnvelope("resguardo-run", PAYLOAD, stranger, () => NOW);
    expect(code(JSON.parse(bytes.toString("utf8")) as object)).toBe("SIGNATURE_INVALID");
    expect(openEnvelope(bytes, "resguardo-run", trust([stranger.signingKey.publicKey]), "x").payload).toEqual(PAYLOAD);
  });

  it("is refused when somebody certified a session key in the name of a trusted key", async () => {
    const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    const signingKey = { ...localSigningKey(privateKey), keyId: signer.signingKey.keyId };
    const impostor = openSessionSigner({ signingKey, clock: () => NOW });
    const bytes = await signEnvelope("resguardo-run", PAYLOAD, impostor, () => NOW);
    expect(code(JSON.parse(bytes.toString("utf8")) as object)).toBe("SIGNATURE_INVALID");
  });

  it("is refused when it was signed outside the time of its session key", async () => {
    for (const at of ["2026-11-21T22:59:13.122Z", "2026-11-22T23:04:13.124Z"]) {
      expect(code(await signed(new Date(at)))).toBe("SIGNATURE_INVALID");
    }
  });

  it("is accepted in the grace of a session key that expired, and says so", async () => {
    const hour = 3_600_000;
    const granting = openSessionSigner({
      signingKey: localSigningKey(goldenPair("sign").privateKey),
      clock: () => NOW,
      graceMs: 24 * hour,
    });
    const at = async (ms: number) => {
      const bytes = await signEnvelope("resguardo-run", PAYLOAD, granting, () => new Date(NOW.getTime() + ms));
      return JSON.parse(bytes.toString("utf8")) as Parts;
    };
    expect(open(await at(24 * hour))).not.toHaveProperty("graceUntil");
    expect(open(await at(24 * hour + 1))).toMatchObject({ graceUntil: "2026-11-23T23:04:13.123Z" });
    expect(code(await at(48 * hour + 1))).toBe("SIGNATURE_INVALID");
  });

  it("can't stand in for a record of another kind, nor name another algorithm", async () => {
    const parts = await signed();
    expect(code(parts, "resguardo-manifest")).toBe("MANIFEST_INVALID");
    expect(code({ ...parts, protected: encode({ ...decode(parts.protected), alg: "none" }) })).toBe("MANIFEST_INVALID");
  });

  it("is told from what is no record at all", () => {
    for (const text of ["", "{", "[]", '{"protected":"e30","payload":"e30","signature":"AA"}', '{"format":"x"}']) {
      expect(() => openEnvelope(Buffer.from(text), "resguardo-run", trusted, "x")).toThrow(
        expect.objectContaining({ code: "MANIFEST_INVALID" }),
      );
    }
  });
});
