import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { CheckReport } from "../../../lib/jobs/check.ts";
import { createDatabase, createUser, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { makeWorkspace, type Workspace } from "../../support/workspace.ts";

let server: TestMysql;
let target: TestMysql;

beforeAll(async () => {
  [server, target] = await Promise.all([startTestMysql(), startTestMysql({ local_infile: "OFF", read_only: "ON" })]);
});

afterAll(() => Promise.all([server.stop(), target.stop()]));

async function workspaceFor(sourceUrl: string, databases: string[]): Promise<Workspace> {
  const restoreTests = [{ kind: "from-zero", schedule: "0 0 6 1 * *", target: { env: "TARGET_URL" } }];
  const schedule = { full: "0 0 3 * * *", ship: "0 * * * * *" };
  return makeWorkspace(
    { SHOP_URL: sourceUrl, TARGET_URL: target.url },
    { databases, restoreTests, schedule, retention: { full: "7d" } },
  );
}

async function check(workspace: Workspace): Promise<{ exitCode: number | null; report: CheckReport }> {
  const { exitCode, stdout } = await workspace.run(["check", "--json"]);
  return { exitCode, report: JSON.parse(stdout) as CheckReport };
}

describe("resguardo check", () => {
  it("reports everything at once: keys, vaults, source, target, and what is not done yet", async () => {
    await using database = await createDatabase(server, "CREATE TABLE t (id INT PRIMARY KEY)");
    await using workspace = await workspaceFor(server.url, [database.name]);
    const { exitCode, report } = await check(workspace);
    expect(report.keys.map(({ key }) => key)).toEqual(["encrypt", "sign"]);
    expect(report.vaults).toEqual([{ vault: "primary" }, { vault: "offsite" }]);
    expect(report.sources[0]?.findings.filter(({ ok }) => ok !== true)).toEqual([]);
    const unmet = report.targets[0]?.findings
      .filter(({ ok }) => ok === false)
      .map(({ setting, level }) => [setting, level]);
    expect(unmet).toEqual([
      ["read_only", "required"],
      ["local_infile", "advised"],
    ]);
    expect(report.notYet).toEqual([expect.stringContaining("schedule.verify")]);
    expect([exitCode, report.ok]).toEqual([1, false]);
  });

  it("names each missing grant with the statement that gives it", async () => {
    await using database = await createDatabase(server, "CREATE TABLE t (id INT PRIMARY KEY)");
    await using workspace = await workspaceFor(await createUser(server, [`SELECT ON \`${database.name}\`.*`]), [
      database.name,
    ]);
    const { report } = await check(workspace);
    const missing = report.sources[0]?.findings.filter(({ ok, level }) => ok === false && level === "required") ?? [];
    expect(missing.length).toBeGreaterThan(1);
    for (const { change } of missing) expect(change).toMatch(/^GRANT /);
  });

  it("never counts a source that can't be asked as met", async () => {
    const gone = new URL(server.url);
    gone.port = "1";
    await using workspace = await workspaceFor(gone.href, ["x"]);
    const { exitCode, report } = await check(workspace);
    expect(report.sources[0]).toMatchObject({ findings: [], error: { code: "SOURCE_UNREACHABLE" } });
    expect([exitCode, report.ok]).toEqual([1, false]);
  });
});
