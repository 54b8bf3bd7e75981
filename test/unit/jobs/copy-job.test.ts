import { rename } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLogger } from "../../../lib/core/log.ts";
import { findDueJobs } from "../../../lib/jobs/find-due-jobs.ts";
import { runJob } from "../../../lib/jobs/run-job.ts";
import { readFreshness } from "../../../lib/freshness/read-freshness.ts";
import { listBackups } from "../../../lib/restore/list.ts";
import { openContext, type Context, vaultsOf } from "../../../lib/vault/context.ts";
import { prepareVaults } from "../../../lib/vault/prepare-vaults.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";
import { writeBackup } from "../../support/vault-fixture.ts";

/** Later than whatever a file system says of files that the test makes. */
const NOW = new Date("2046-11-22T03:00:10Z");

let workspace: Workspace;
let context: Context;

beforeEach(async () => {
  workspace = await makeWorkspace({ SHOP_URL: "mysql://nobody@localhost/" }, { rpo: "9999d" });
  context = await openContext(workspace.env, { clock: () => NOW });
  await prepareVaults(context.vaults.values(), silentLogger);
});
afterEach(() => workspace[Symbol.asyncDispose]());

const folder = (name: string) => join(workspace.folder, name);

function source() {
  const [only] = context.policy.sources;
  if (only === undefined) throw new Error("no source");
  return only;
}

async function backUp() {
  const [recipients, signer] = [await context.recipients(), await context.signer()];
  return writeBackup(vaultsOf(context, source()), { recipients, signer, clock: context.clock });
}

async function copy(requestedBy = "test") {
  const other = { drill: () => () => Promise.reject(new Error("no drill here")) };
  const message = { v: 1, job: "copy", source: "shop", requestedBy } as const;
  const outcome = await runJob(message, other, context, { attempt: 1, logger: silentLogger });
  if (outcome.state === "covered") throw new Error("covered");
  return outcome;
}

async function freshnessOf(vault: string) {
  const { vaults } = await readFreshness(context, source());
  return vaults.find((found) => found.vault === vault);
}

const due = async () => (await findDueJobs(context, ["copy"], silentLogger)).jobs.map(({ job }) => job);

describe("the job that copies", () => {
  it("is due while a vault lacks a backup, and brings it there with its receipts", async () => {
    await backUp();
    expect(await due()).toEqual([]);
    expect(await freshnessOf("offsite")).toMatchObject({ state: "fresh", behind: null });
    await rename(folder("offsite"), folder("away"));
    const { manifest, vaults } = await backUp();
    expect(vaults).toMatchObject([{ state: "done" }, { vault: "offsite", state: "behind" }]);
    await rename(folder("away"), folder("offsite"));

    expect(await freshnessOf("primary")).toMatchObject({ state: "fresh" });
    expect(await freshnessOf("offsite")).toMatchObject({
      state: "late",
      reason: { code: "VAULT_BEHIND" },
      behind: { backups: [manifest.id], segments: 0 },
    });
    expect(await due()).toEqual(["copy"]);
    const { receipt, failure } = await copy();
    expect(failure).toBeUndefined();
    expect(receipt.details.figures).toMatchObject({ backups: 1, blobs: 3, segments: 0, lost: 0, behind: null });
    expect(await freshnessOf("offsite")).toMatchObject({ state: "fresh", behind: null });
    expect(await due()).toEqual([]);
    expect((await listBackups(context)).filter(({ error }) => error)).toEqual([]);
  });

  it("fails while the vault is away, is not asked for again at once, and does its work after that", async () => {
    await backUp();
    await rename(folder("offsite"), folder("away"));
    await backUp();
    const { failure, receipt } = await copy();
    expect(failure).toMatchObject({ code: "VAULT_BEHIND", retryable: false });
    expect(receipt.details.figures).toMatchObject({ behind: "offsite" });
    await rename(folder("away"), folder("offsite"));
    expect(await due()).toEqual([]);
    expect((await copy()).receipt).toMatchObject({ state: "done", details: { figures: { backups: 1, records: 1 } } });
  });
});
