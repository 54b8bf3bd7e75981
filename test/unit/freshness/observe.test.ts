import { describe, expect, it } from "vitest";
import { AppError } from "../../../lib/core/errors.ts";
import { createLogger } from "../../../lib/core/log.ts";
import { observe } from "../../../lib/freshness/observe.ts";
import type { VaultFreshness } from "../../../lib/freshness/evaluate.ts";
import { listRunRecords } from "../../../lib/vault/run-record.ts";
import type { Context } from "../../../lib/vault/context.ts";
import { type EvidenceWorld, evidenceWorld, MINUTE_MS } from "../../support/evidence-world.ts";
import { startHttpReceiver } from "../../support/http-receiver.ts";
import { SOURCE } from "../../support/vault-fixture.ts";

function found(state: VaultFreshness["state"]): VaultFreshness[] {
  const reason = { code: "WITHIN_RPO", message: "" } as const;
  const nothing = {
    lastFull: null,
    restorableUntil: null,
    lagSeconds: null,
    rpoSeconds: 900,
    behind: null,
    provenSince: null,
  };
  return [{ vault: "primary", state, reason, ...nothing }];
}

function watcher(world: EvidenceWorld, context: Context = world.context) {
  const lines: string[] = [];
  const logger = createLogger((_level, line) => void lines.push(line));
  const [source] = context.policy.sources;
  if (!source) throw new Error("the policy has a source");
  const look = async (state: VaultFreshness["state"]) => {
    await observe(context, source, found(state), logger);
    world.time.now = new Date(world.time.now.getTime() + MINUTE_MS);
  };
  const seen = async () => {
    const records = await listRunRecords({ vault: world.vault, source: SOURCE, trusted: await context.trustedKeys() });
    return records.map((record) => record.state === "valid" && record.content.details["seen"]);
  };
  return { look, seen, lines };
}

describe("the watch", () => {
  it("signs a receipt of what it saw when that changes", async () => {
    const { look, seen, lines } = watcher(evidenceWorld());
    for (const state of ["fresh", "fresh", "breached", "fresh"] as const) await look(state);
    expect(await seen()).toEqual([{ "vault:primary": "fresh" }, { "vault:primary": "breached" }]);
    expect(lines).toEqual([]);
  });

  it("asks the service, and takes an error or silence for down", async () => {
    const world = evidenceWorld({ probe: { env: "HEALTH_URL" } });
    await using receiver = await startHttpReceiver([200, 503]);
    let url = receiver.url;
    const { look, seen } = watcher(world, { ...world.context, resolve: async () => url });
    await look("fresh");
    await look("fresh");
    await look("breached");
    url = "http://127.0.0.1:9/";
    await look("fresh");
    await look("breached");
    expect(await seen()).toMatchObject([
      { service: "up" },
      { service: "down" },
      { service: "down" },
      { service: "down" },
    ]);
  });

  it("leaves the look to another watch that was faster", async () => {
    const world = evidenceWorld();
    const { state } = world.vault.storage;
    const conflict = { ...state, put: () => Promise.reject(new AppError("STATE_CONFLICT", "somebody was faster")) };
    const vault = { ...world.vault, storage: { ...world.vault.storage, state: conflict } };
    const { look, lines } = watcher(world, { ...world.context, vaults: new Map([[vault.name, vault]]) });
    await look("fresh");
    expect(lines).toEqual([]);
  });

  it("keeps looking when its probe can't be resolved or nothing can be signed, and says so", async () => {
    const world = evidenceWorld({ probe: { env: "HEALTH_URL" } });
    const signer = () => Promise.reject(new Error("no key"));
    const { look, lines } = watcher(world, { ...world.context, signer });
    await look("fresh");
    await look("breached");
    expect(lines.join("\n")).toContain("probe-not-asked");
    expect(lines.join("\n")).toContain("observation-not-kept");
  });
});
