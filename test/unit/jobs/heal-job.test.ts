import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../lib/core/log.ts";
import { findDueJobs } from "../../../lib/jobs/find-due-jobs.ts";
import { runJob } from "../../../lib/jobs/run-job.ts";
import { listBackups } from "../../../lib/restore/list.ts";
import { type Context, vaultsOf } from "../../../lib/vault/context.ts";
import { writeDamage } from "../../../lib/vault/damage.ts";
import { dataName } from "../../../lib/vault/names.ts";
import { writeBackup } from "../../support/vault-fixture.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

let workspace: Workspace;
let context: Context;
let blob = "";

beforeEach(async () => {
  workspace = await makeWorkspace({ SHOP_URL: "mysql://nobody@localhost/" });
  context = await workspace.open();
  for (const { storage } of context.vaults.values()) await storage.prepare();
  const [recipients, signer] = [await context.recipients(), await context.signer()];
  const { manifest } = await writeBackup(vaults(), { recipients, signer, clock: context.clock });
  blob = dataName("shop", manifest.id, "rows/000001");
});
afterEach(() => workspace[Symbol.asyncDispose]());

function vaults() {
  const [source] = context.policy.sources;
  return source ? vaultsOf(context, source) : [];
}

const pathIn = (vault: string) => join(workspace.folder, vault, "data", blob);

/** Changes the blob where nothing but its bytes shows it, and says so as whoever may not heal does. */
async function damageIn(...where: string[]): Promise<void> {
  for (const vault of where) {
    const bytes = await readFile(pathIn(vault));
    bytes[50] = (bytes[50] ?? 0) ^ 1;
    await chmod(pathIn(vault), 0o640);
    await writeFile(pathIn(vault), bytes);
  }
  const reason = { code: "BLOB_DAMAGED", message: "found by the test" } as const;
  const to = { vaults: vaults(), signer: await context.signer(), clock: context.clock };
  await writeDamage({ source: "shop", blob, state: "bad", where, reason }, to);
}

async function heal() {
  const other = { drill: () => () => Promise.reject(new Error("no drill here")) };
  const message = { v: 1, job: "heal", source: "shop", requestedBy: "test" } as const;
  const outcome = await runJob(message, other, context, { attempt: 1, logger: silentLogger });
  if (outcome.state === "covered") throw new Error("covered");
  return outcome.receipt;
}

const due = async () => (await findDueJobs(context, ["heal"], silentLogger)).jobs.map(({ job }) => job);
const bad = async () => (await listBackups(context)).filter(({ error }) => error).map(({ vault }) => vault);

describe("the job that heals", () => {
  it("is due while a vault has something bad that another may have whole, and puts it right", async () => {
    expect(await due()).toEqual([]);
    await damageIn("offsite");
    expect(await bad()).toEqual(["offsite"]);
    expect(await due()).toEqual(["heal"]);
    expect(await heal()).toMatchObject({ state: "done", details: { figures: { healed: 1, unhealed: 0, lost: 0 } } });
    expect(await readFile(pathIn("offsite"))).toEqual(await readFile(pathIn("primary")));
    expect([await bad(), await due()]).toEqual([[], []]);
  });

  it("lets a blob go whose backup is in no vault any more", async () => {
    await damageIn("primary");
    for (const { storage } of vaults()) {
      for (const place of ["full", "data"]) {
        const names = await Array.fromAsync(storage.data.list(`shop/${place}/`), ({ name }) => name);
        for (const name of names) await storage.data.remove(name);
      }
    }
    expect(await due()).toEqual(["heal"]);
    expect(await heal()).toMatchObject({ state: "done", details: { figures: { removed: 1, healed: 0 } } });
    expect(await due()).toEqual([]);
  });

  it("judges no data by a manifest that can't be believed", async () => {
    await damageIn("primary");
    const manifest = blob.replace("/data/", "/full/").replace("rows/000001", "manifest.json");
    for (const vault of ["primary", "offsite"]) {
      const path = join(workspace.folder, vault, "data", manifest);
      await chmod(path, 0o640);
      await writeFile(path, "{}");
    }
    expect(await heal()).toMatchObject({ state: "failed", details: { figures: { unhealed: 1, lost: 0 } } });
  });

  it("is not asked for what is bad in every vault", async () => {
    await damageIn("primary", "offsite");
    expect(await bad()).toEqual(["primary", "offsite"]);
    expect(await due()).toEqual([]);
    expect(await heal()).toMatchObject({ state: "done", details: { figures: { healed: 0, lost: 0 } } });
  });
});
