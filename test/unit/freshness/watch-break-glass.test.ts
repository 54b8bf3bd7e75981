import { describe, expect, it } from "vitest";
import { AppError } from "../../../lib/core/errors.ts";
import { silentLogger } from "../../../lib/core/log.ts";
import type { Alert } from "../../../lib/freshness/alert.ts";
import { watchBreakGlass } from "../../../lib/freshness/watch-break-glass.ts";
import { leaveNote } from "../../../lib/vault/break-glass-note.ts";
import { breakGlassNoteName } from "../../../lib/vault/names.ts";
import { testSource } from "../../support/policies.ts";
import { memoryVault, TOOL } from "../../support/vault-fixture.ts";

const sources = [testSource()];
const use = { command: "restore", source: "shop", keyId: "7326685e18dcbc8d0d9b8fd2af1eaba1", tool: TOOL };

function watching(deliver: (alert: Alert) => Promise<number>) {
  return { environment: "test", deliver, logger: silentLogger, clock: () => new Date("2026-11-21T04:00:00Z") };
}

describe("the watch", () => {
  it("tells each use of a key from the safe once, with who used it for what", async () => {
    const vault = memoryVault();
    const alerts: Alert[] = [];
    const watch = watching(async (alert) => alerts.push(alert));
    for (const hour of ["01", "02"])
      await leaveNote(vault, { ...use, now: new Date(`2026-11-21T${hour}:00:00Z`) }, "/");
    for (let times = 0; times < 3; times++) await watchBreakGlass(vault, sources, watch);
    expect(alerts).toHaveLength(2);
    expect(new Set(alerts.map(({ id }) => id)).size).toBe(2);
    expect(alerts[0]).toMatchObject({ event: "break-glass", source: "shop", vault: "primary", before: null });
    expect(alerts[0]?.reason).toMatchObject({
      code: "BREAK_GLASS_USED",
      message: expect.stringContaining("restore of shop at 2026-11-21T01:00:00.000Z by "),
    });
  });

  it("tells it again, under the same id, when the receiver did not take it", async () => {
    const vault = memoryVault();
    await leaveNote(vault, { ...use, now: new Date("2026-11-21T01:00:00Z") }, "/");
    const tried: string[] = [];
    const refused = watching(async ({ id }) => {
      tried.push(id);
      throw new AppError("WEBHOOK_FAILED", "alert webhook: no answer");
    });
    expect(await watchBreakGlass(vault, sources, refused)).toMatchObject([{ undelivered: { code: "WEBHOOK_FAILED" } }]);
    await watchBreakGlass(
      vault,
      sources,
      watching(async ({ id }) => tried.push(id)),
    );
    await watchBreakGlass(
      vault,
      sources,
      watching(async ({ id }) => tried.push(id)),
    );
    expect(tried).toHaveLength(2);
    expect(tried[0]).toBe(tried[1]);
  });

  it("tells of a note that can't be read too, and passes on nothing that is in it", async () => {
    const vault = memoryVault();
    const id = "20261121T010000000Z-00000001";
    await vault.storage.data.create(breakGlassNoteName(id), Buffer.from('{"format":"x","user":"<script>"}'));
    const alerts: Alert[] = [];
    await watchBreakGlass(
      vault,
      sources,
      watching(async (alert) => alerts.push(alert)),
    );
    expect(alerts).toMatchObject([{ id: `${id}-primary`, event: "break-glass" }]);
    expect(JSON.stringify(alerts)).not.toContain("script");
  });
});
