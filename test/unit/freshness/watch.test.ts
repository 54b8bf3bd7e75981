import { createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { AppError } from "../../../lib/core/errors.ts";
import { silentLogger } from "../../../lib/core/log.ts";
import type { Alert } from "../../../lib/freshness/alert.ts";
import { evaluateVault, type VaultFreshness } from "../../../lib/freshness/evaluate.ts";
import { watchVault, type WatchContext } from "../../../lib/freshness/watch.ts";
import { watchDamage } from "../../../lib/freshness/watch-damage.ts";
import { postAlert } from "../../../lib/freshness/webhook.ts";
import { openMemoryVault } from "../../../lib/vault/storage/memory.ts";
import { writeDamage } from "../../../lib/vault/damage.ts";
import { twoVaults } from "../../support/two-vaults.ts";
import { startHttpReceiver } from "../../support/http-receiver.ts";
import { testSource } from "../../support/policies.ts";

const NOW = new Date("2026-11-21T03:20:00Z");
const source = testSource();

function found(consistentAt: string | undefined): VaultFreshness {
  const at = { startedAt: consistentAt ?? "", restorableUntil: consistentAt ?? "" };
  const newest = consistentAt === undefined ? undefined : { id: "b", consistentAt, ...at };
  return evaluateVault({ vault: "primary", newest, damaged: [] }, source, NOW);
}
const FRESH = found("2026-11-21T03:10:00Z");
const BREACHED = found("2026-11-21T01:00:00Z");

function context(deliver: WatchContext["deliver"]): WatchContext {
  return { environment: "test", deliver, logger: silentLogger, clock: () => NOW };
}

function recording(): { alerts: Alert[]; deliver: (alert: Alert) => Promise<number> } {
  const alerts: Alert[] = [];
  return {
    alerts,
    deliver: async (alert) => {
      alerts.push(alert);
      return 1;
    },
  };
}

describe("watchVault", () => {
  it("tells each change once, and the way back", async () => {
    const { state } = openMemoryVault("primary");
    const { alerts, deliver } = recording();
    for (const now of [FRESH, BREACHED, BREACHED, FRESH, FRESH]) await watchVault(now, source, state, context(deliver));
    expect(alerts.map(({ event, before }) => [event, before])).toEqual([
      ["breached", "fresh"],
      ["resolved", "breached"],
    ]);
  });

  it("tells that a late source is late for another reason by now", async () => {
    const { state } = openMemoryVault("primary");
    const { alerts, deliver } = recording();
    const late = (code: "FULL_OVERDUE" | "VAULT_BEHIND") => ({
      ...FRESH,
      state: "late" as const,
      reason: { code, message: "" },
    });
    for (const now of [late("FULL_OVERDUE"), late("VAULT_BEHIND"), late("VAULT_BEHIND"), FRESH]) {
      await watchVault(now, source, state, context(deliver));
    }
    expect(alerts.map(({ event, reason }) => [event, reason.code])).toEqual([
      ["late", "FULL_OVERDUE"],
      ["late", "VAULT_BEHIND"],
      ["resolved", "WITHIN_RPO"],
    ]);
  });

  it("tells a source that was never fresh, and is silent about one that always was", async () => {
    const { state } = openMemoryVault("primary");
    const { alerts, deliver } = recording();
    await watchVault(found(undefined), source, state, context(deliver));
    expect(alerts[0]).toMatchObject({ event: "breached", before: null, reason: { code: "NO_BACKUP" }, source: "shop" });
  });

  it("keeps an alert that could not be delivered and sends the same one again", async () => {
    await using receiver = await startHttpReceiver([400, 200]);
    const { state } = openMemoryVault("primary");
    const deliver = (alert: Alert) => postAlert(alert, { url: receiver.url, secret: "s" }, () => NOW);
    const first = await watchVault(BREACHED, source, state, context(deliver));
    expect(first.undelivered).toMatchObject({ code: "WEBHOOK_FAILED" });
    const second = await watchVault(BREACHED, source, state, context(deliver));
    expect(second.undelivered).toBeUndefined();
    const ids = receiver.requests.map(({ body }) => (JSON.parse(body) as Alert).id);
    expect(ids).toEqual([first.alert?.id, first.alert?.id]);
  });

  it("treats a damaged record as none", async () => {
    const { state } = openMemoryVault("primary");
    await state.put("watch/shop/primary", Buffer.from("{"), "absent");
    const { alerts, deliver } = recording();
    await watchVault(BREACHED, source, state, context(deliver));
    expect(alerts).toHaveLength(1);
  });
});

describe("watchDamage", () => {
  it("tells what was healed and what is bad once, and again after a delivery that failed", async () => {
    const { vaults, names, signer, trusted } = await twoVaults();
    const clock = () => new Date("2026-11-22T00:00:00Z");
    const [primary] = vaults;
    const { alerts, deliver } = recording();
    const look = (send: WatchContext["deliver"]) => watchDamage(primary, source, trusted, { ...context(send), clock });
    const reason = { code: "BLOB_DAMAGED", message: "its bytes are wrong" } as const;
    const say = (state: "bad" | "healed", where: string[]) =>
      writeDamage({ source: "shop", blob: names.data, state, where, reason }, { vaults, signer, clock });

    await look(deliver);
    await say("bad", ["offsite"]);
    expect((await look(deliver)).alert).toBeUndefined();
    await say("healed", ["primary"]);
    const refused = () => Promise.reject(new AppError("WEBHOOK_FAILED", "no answer"));
    expect((await look(refused)).undelivered).toMatchObject({ code: "WEBHOOK_FAILED" });
    await say("bad", ["primary", "offsite"]);
    await look(deliver);
    await look(deliver);
    expect(alerts).toMatchObject([{ event: "damaged", vault: "primary", reason: { code: "BLOB_DAMAGED" } }]);
    expect(alerts[0]?.reason.message).toMatch(/^1 blobs are bad and could not be healed, 1 were healed; first: shop/);
  });
});

describe("postAlert", () => {
  const alert = { id: "a1" } as Alert;

  it("signs timestamp and body with the shared secret", async () => {
    await using receiver = await startHttpReceiver();
    await postAlert(alert, { url: receiver.url, secret: "shared" }, () => NOW);
    const [request] = receiver.requests;
    const expected = createHmac("sha256", "shared").update(`${NOW.toISOString()}.${request?.body}`).digest("hex");
    expect(request?.headers["x-resguardo-signature"]).toBe(`sha256=${expected}`);
    expect(request?.headers["x-resguardo-timestamp"]).toBe(NOW.toISOString());
  });

  it("tries again while the receiver answers 503, and counts the attempts", async () => {
    await using receiver = await startHttpReceiver([503, 503, 204]);
    await expect(postAlert(alert, { url: receiver.url, secret: "s" }, () => NOW)).resolves.toBe(3);
  });

  it("does not repeat what the receiver refuses", async () => {
    await using receiver = await startHttpReceiver([401]);
    await expect(postAlert(alert, { url: receiver.url, secret: "s" }, () => NOW)).rejects.toMatchObject({
      code: "WEBHOOK_FAILED",
    });
    expect(receiver.requests).toHaveLength(1);
  });
});
