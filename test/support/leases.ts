import type { Workspace } from "./workspace.ts";

/** Lets the time of every lease pass, as a minute of waiting would. */
export async function expireLeases(workspace: Workspace): Promise<void> {
  for (const { storage } of (await workspace.open()).vaults.values()) {
    for await (const key of storage.state.list("leases/")) {
      const record = await storage.state.get(key);
      if (!record) continue;
      const lease = { ...JSON.parse(record.value.toString("utf8")), expiresAt: new Date(0).toISOString() };
      await storage.state.put(key, Buffer.from(JSON.stringify(lease)), { etag: record.etag });
    }
  }
}
