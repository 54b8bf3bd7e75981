import { describe, expect, it } from "vitest";
import { AppError } from "../../../../lib/core/errors.ts";
import { readCertificate } from "../../../../lib/vault/keys/certificate.ts";
import { keyIdOf, type SigningKey, trust } from "../../../../lib/vault/keys/key.ts";
import { localSigningKey } from "../../../../lib/vault/keys/local-keys.ts";
import { openSessionSigner } from "../../../../lib/vault/keys/session-key.ts";
import { goldenPair } from "../../../support/golden-keys.ts";
import { newSigningKey } from "../../../support/signing-keys.ts";

const HOUR_MS = 3_600_000;

/** A signing key that counts its uses and can be out of reach, and a clock that is set by hand. */
function setUp(graceMs = 0) {
  const local = localSigningKey(goldenPair("sign").privateKey);
  const state = { nowMs: Date.parse("2026-11-21T00:00:00Z"), calls: 0, isDown: false };
  const signingKey: SigningKey = {
    ...local,
    async sign(data) {
      state.calls++;
      if (state.isDown) throw new AppError("KEY_SERVICE_UNAVAILABLE", "key: status 503 from Key Vault");
      return local.sign(data);
    },
  };
  const failed: { code: string; validUntil: string }[] = [];
  const signer = openSessionSigner({
    signingKey,
    clock: () => new Date(state.nowMs),
    graceMs,
    onRenewalFailed: ({ code }, { notAfter }) => failed.push({ code, validUntil: notAfter.toISOString() }),
  });
  return { state, signer, failed };
}

describe("a session key", () => {
  it("is certified for a day by the signing key, and used until it is due for renewal", async () => {
    const { state, signer } = setUp();
    const first = await signer.current();
    const certificate = readCertificate(first.certificate, trust([goldenPair("sign").publicKey]), "x");
    expect(keyIdOf(certificate.publicKey)).toBe(first.keyId);
    expect(certificate.notBefore).toEqual(new Date("2026-11-20T23:55:00Z"));
    expect(certificate.notAfter).toEqual(new Date("2026-11-22T00:00:00Z"));

    state.nowMs += 17 * HOUR_MS;
    expect(await signer.current()).toBe(first);
    expect(state.calls).toBe(1);

    state.nowMs += 2 * HOUR_MS;
    expect((await signer.current()).keyId).not.toBe(first.keyId);
    expect(state.calls).toBe(2);
  });

  it("is replaced when the clock jumps, back or forth, out of its time", async () => {
    const { state, signer } = setUp();
    const first = await signer.current();
    state.nowMs -= 4 * 60_000;
    expect(await signer.current()).toBe(first);
    state.nowMs -= HOUR_MS;
    const second = await signer.current();
    expect(second).not.toBe(first);
    state.nowMs += 365 * 24 * HOUR_MS;
    expect(await signer.current()).not.toBe(second);
  });

  it("is made once for many who ask at the same time", async () => {
    const { state, signer } = setUp();
    const sessions = await Promise.all([1, 2, 3, 4].map(() => signer.current()));
    expect(new Set(sessions).size).toBe(1);
    expect(state.calls).toBe(1);
  });

  it("goes on through an outage of the key service while it is valid, and tells of it", async () => {
    const { state, signer, failed } = setUp();
    const first = await signer.current();
    state.isDown = true;
    state.nowMs += 19 * HOUR_MS;
    expect(await signer.current()).toBe(first);
    expect(await signer.current()).toBe(first);
    expect(failed).toEqual([{ code: "KEY_SERVICE_UNAVAILABLE", validUntil: "2026-11-22T00:00:00.000Z" }]);

    state.nowMs += 5 * HOUR_MS;
    await expect(signer.current()).rejects.toMatchObject({ code: "KEY_SERVICE_UNAVAILABLE", retryable: true });

    state.isDown = false;
    expect((await signer.current()).keyId).not.toBe(first.keyId);
  });

  it("goes on after its day while it can't be renewed, as long as its certificate grants, and no longer", async () => {
    const { state, signer, failed } = setUp(3 * 24 * HOUR_MS);
    const first = await signer.current();
    const { graceUntil } = readCertificate(first.certificate, trust([goldenPair("sign").publicKey]), "x");
    expect(graceUntil).toEqual(new Date("2026-11-25T00:00:00Z"));
    state.isDown = true;
    state.nowMs += 95 * HOUR_MS;
    expect(await signer.current()).toBe(first);
    expect(failed).toHaveLength(1);

    state.nowMs += HOUR_MS;
    await expect(signer.current()).rejects.toMatchObject({ code: "KEY_SERVICE_UNAVAILABLE" });

    state.isDown = false;
    expect((await signer.current()).notAfter).toEqual(new Date("2026-11-26T00:00:00Z"));
  });

  it("is renewed by the key that follows, once there is one", async () => {
    const [old, next] = [localSigningKey(goldenPair("sign").privateKey), newSigningKey()];
    let nowMs = Date.parse("2026-11-21T00:00:00Z");
    const signer = openSessionSigner({ signingKey: old, reopen: async () => next, clock: () => new Date(nowMs) });
    const first = await signer.current();
    expect(readCertificate(first.certificate, trust([old.publicKey]), "x").signingKeyId).toBe(old.keyId);
    nowMs += 20 * HOUR_MS;
    const second = await signer.current();
    expect(readCertificate(second.certificate, trust([next.publicKey]), "x").signingKeyId).toBe(next.keyId);
    expect(signer.signingKey.keyId).toBe(next.keyId);
  });

  it("tries to renew again after a minute", async () => {
    const { state, signer } = setUp();
    const first = await signer.current();
    state.isDown = true;
    state.nowMs += 19 * HOUR_MS;
    await signer.current();
    state.isDown = false;
    expect(await signer.current()).toBe(first);
    state.nowMs += 60_000;
    expect(await signer.current()).not.toBe(first);
  });
});
