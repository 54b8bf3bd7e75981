import { cp, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connectTo, createUser, startTestMysql, urlOf, type TestMysql } from "../../support/mysql.ts";
import { policyDocument } from "../../support/policies.ts";
import { makeWorkspace, type CommandResult, type Workspace } from "../../support/workspace.ts";

let server: TestMysql;
let workspace: Workspace;

beforeAll(async () => {
  server = await startTestMysql();
  await using connection = await connectTo(server);
  await connection.query(
    "CREATE DATABASE tiny; CREATE TABLE tiny.t (id INT PRIMARY KEY, name TEXT); INSERT INTO tiny.t VALUES (1, 'x')",
  );
  workspace = await makeWorkspace({ SHOP_URL: server.url }, { databases: ["tiny"] });
  expect((await workspace.run(["backup", "shop"])).exitCode).toBe(0);
});

afterAll(async () => {
  await workspace[Symbol.asyncDispose]();
  await server.stop();
});

/** One coded error with a hint on standard error, the exit code, nothing on standard output, and no secret anywhere. */
function expectRefusal(result: CommandResult, code: string, exitCode: 1 | 2): void {
  expect(result.stderr).toContain(`resguardo: ${code}: `);
  expect(result.stderr.trim().split("\n").length).toBeGreaterThanOrEqual(2);
  expect(result.exitCode).toBe(exitCode);
  expect(result.stdout).toBe("");
  for (const secret of ["hunter2", decodeURIComponent(new URL(server.url).password), "PRIVATE KEY"]) {
    expect(result.stderr).not.toContain(secret);
  }
}

/** Runs a command with another policy. */
async function withPolicy(args: readonly string[], document: object | string): Promise<CommandResult> {
  const path = join(workspace.folder, "other-policy.json");
  await writeFile(path, typeof document === "string" ? document : JSON.stringify(document));
  return workspace.run([...args, "--policy", path]);
}

describe("a wrong policy or setting", () => {
  it("is refused with every wrong field by name", async () => {
    const result = await withPolicy(
      ["check"],
      policyDocument({ rpo: "soon", vaults: ["nowhere"], passwrod: "hunter2" }),
    );
    expectRefusal(result, "POLICY_INVALID", 2);
    for (const field of ["sources.0.rpo", "sources.0.vaults.0", "sources.0.passwrod"])
      expect(result.stderr).toContain(field);
  });

  it("is refused when it is not JSON, and when it is not there", async () => {
    expectRefusal(await withPolicy(["check"], '{"password": "hunter2",'), "POLICY_UNREADABLE", 2);
    expectRefusal(await workspace.run(["check", "--policy", "/nowhere.json"]), "POLICY_UNREADABLE", 2);
  });

  it("is refused when an environment variable that it names is not set", async () => {
    expectRefusal(await workspace.run(["backup", "shop"], { SHOP_URL: "" }), "SETTING_MISSING", 2);
  });
});

describe("a wrong source", () => {
  it("is refused when the policy has none of that name", async () => {
    expectRefusal(await workspace.run(["backup", "shopp"]), "SOURCE_UNKNOWN", 2);
  });

  it.each([
    ["no URL at all", "hunter2 is not a url"],
    ["another scheme", "postgres://u:hunter2@127.0.0.1/"],
    ["an unknown option", "mysql://u:hunter2@127.0.0.1/?ssl=perhaps"],
  ])("is refused with %s in place of its URL", async (_what, url) => {
    expectRefusal(await workspace.run(["backup", "shop"], { SHOP_URL: url }), "SOURCE_URL_INVALID", 2);
  });

  it("is refused in plain text when it is not on loopback", async () => {
    const url = "mysql://u:hunter2@10.1.2.3/?ssl-mode=disabled";
    expectRefusal(await workspace.run(["backup", "shop"], { SHOP_URL: url }), "SOURCE_TLS_REQUIRED", 2);
  });

  it("says that the login was refused", async () => {
    const url = urlOf(server, undefined, { user: "root", password: "hunter2" });
    expectRefusal(await workspace.run(["backup", "shop"], { SHOP_URL: url }), "SOURCE_LOGIN_REFUSED", 1);
  });

  it("names the grants that are missing", async () => {
    const result = await workspace.run(["backup", "shop"], {
      SHOP_URL: await createUser(server, ["SELECT ON tiny.*"]),
    });
    expectRefusal(result, "SOURCE_GRANT_MISSING", 1);
    expect(result.stderr).toMatch(/GRANT|grant/);
  });

  it("says that nobody answers", async () => {
    const url = new URL(server.url);
    url.port = "1";
    expectRefusal(await workspace.run(["backup", "shop"], { SHOP_URL: url.href }), "SOURCE_UNREACHABLE", 1);
  });
});

describe("a wrong restore", () => {
  const restore = (...args: string[]) => workspace.run(["restore", "shop", "--target", "env:SHOP_URL", ...args]);

  it("to a time outside every window names the nearest instants", async () => {
    const result = await restore("--to", "2020-01-01T00:00:00Z");
    expectRefusal(result, "TIME_OUTSIDE_WINDOW", 1);
    expect(result.stderr).toMatch(/20\d\d-\d\d-\d\dT/);
  });

  it.each([
    ["an unknown vault", ["--vault", "nowhere"]],
    ["a time that is none", ["--to", "yesterday"]],
    ["a rename without a new name", ["--as", "tiny="]],
    ["a number of connections that is none", ["--connections", "many"]],
  ])("with %s is wrong use", async (_what, args) => {
    expectRefusal(await restore(...args), "USAGE", 2);
  });

  it("of an unknown table is wrong use", async () => {
    expectRefusal(await restore("--tables", "tiny.nothing", "--as", "tiny=tiny2"), "TABLE_UNKNOWN", 2);
  });

  it("onto what is there is refused and changes nothing", async () => {
    const result = await restore();
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toMatch(/resguardo: (TARGET_NOT_EMPTY|TARGET_IS_SOURCE): /);
  });

  it("without the private key says which setting is missing", async () => {
    const result = await workspace.run(["restore", "shop", "--target", "env:SHOP_URL"], { DECRYPT_KEY: "" });
    expectRefusal(result, "SETTING_MISSING", 2);
  });

  it("with another private key says that it is no recipient", async () => {
    await using other = await makeWorkspace({});
    const key = join(other.folder, "keys", "encrypt.key.pem");
    expectRefusal(
      await workspace.run(["restore", "shop", "--target", "env:SHOP_URL"], { DECRYPT_KEY: key }),
      "KEY_NOT_RECIPIENT",
      1,
    );
  });

  it("with a key file of the wrong kind is refused", async () => {
    const key = workspace.env["SIGN_KEY"] ?? "";
    expectRefusal(
      await workspace.run(["restore", "shop", "--target", "env:SHOP_URL"], { DECRYPT_KEY: key }),
      "KEY_INVALID",
      2,
    );
  });
});

describe("a damaged vault", () => {
  /** A workspace whose two vaults are copies of the good ones, changed by `damage` in the same way. */
  async function damaged(damage: (data: string) => Promise<void>): Promise<Workspace> {
    const copy = await makeWorkspace({ SHOP_URL: server.url }, { databases: ["tiny"] });
    for (const name of ["keys", "primary", "offsite"]) {
      await rm(join(copy.folder, name), { recursive: true, force: true });
      await cp(join(workspace.folder, name), join(copy.folder, name), { recursive: true });
    }
    for (const name of ["primary", "offsite"]) await damage(join(copy.folder, name));
    return copy;
  }

  async function find(folder: string, pattern: RegExp): Promise<string> {
    const names = await readdir(folder, { recursive: true });
    const name = names.find((candidate) => pattern.test(candidate));
    if (name === undefined) throw new Error(`no file like ${pattern} in the vault`);
    return join(folder, name);
  }

  it.each([
    ["a missing blob", "BLOB_MISSING", async (vault: string) => rm(await find(vault, /rows\/\d+$/))],
    ["a truncated blob", "BLOB_DAMAGED", async (vault: string) => truncate(await find(vault, /rows\/\d+$/), 40)],
    ["a flipped bit", "BLOB_DAMAGED", async (vault: string) => flip(await find(vault, /rows\/\d+$/))],
    ["a changed manifest", "SIGNATURE_INVALID", async (vault: string) => forge(await find(vault, /manifest\.json$/))],
    [
      "a foreign manifest",
      "MANIFEST_INVALID",
      async (vault: string) => writeFile(await find(vault, /manifest\.json$/), '{"hello":1}'),
    ],
  ])("with %s is found by verify with its code, and restores nothing", async (_what, code, damage) => {
    await using copy = await damaged(damage);
    const verified = await copy.run(["verify", "shop", "--json"]);
    expect(verified.exitCode).toBe(1);
    const report = JSON.parse(verified.stdout) as { failed: number; problems: { code: string; vault: string }[] };
    expect(report.failed).toBeGreaterThanOrEqual(2);
    expect(new Set(report.problems.map(({ vault }) => vault))).toEqual(new Set(["primary", "offsite"]));
    expect(report.problems.map((problem) => problem.code)).toContain(code);
    const restored = await copy.run([
      "restore",
      "shop",
      "--target",
      "env:SHOP_URL",
      "--as",
      "tiny=tiny_again",
      "--into-non-empty",
    ]);
    expect(restored.exitCode).toBe(1);
    expect(restored.stdout).not.toContain("restored:");
    await using connection = await connectTo(server);
    await connection.query("DROP DATABASE IF EXISTS tiny_again");
  });

  async function flip(file: string): Promise<void> {
    const bytes = await readFile(file);
    const middle = Math.floor(bytes.length / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
    await writeFile(file, bytes);
  }

  /** Changes what the manifest says and leaves its signature. */
  async function forge(file: string): Promise<void> {
    const envelope = JSON.parse(await readFile(file, "utf8")) as { payload: string };
    const payload = Buffer.from(envelope.payload, "base64url")
      .toString("utf8")
      .replace('"environment":"test"', '"environment":"prod"');
    await writeFile(file, JSON.stringify({ ...envelope, payload: Buffer.from(payload).toString("base64url") }));
  }
});

describe("wrong use of the command line", () => {
  it.each([[["frobnicate"]], [["backup"]], [["restore", "shop"]], [["list", "--colour"]]])(
    "%j is told in words, with exit code 2",
    async (args) => {
      const result = await workspace.run(args);
      expect(result.exitCode).toBe(2);
      expect(result.stderr).toMatch(/^error: /);
    },
  );

  it("prints the error as JSON for --json", async () => {
    const result = await workspace.run(["backup", "nothing", "--json"]);
    expect(result.exitCode).toBe(2);
    expect(JSON.parse(result.stdout)).toMatchObject({ error: { code: "SOURCE_UNKNOWN", hint: expect.any(String) } });
  });

  it.each(["check", "keys", "backup", "list", "window", "verify", "restore", "drill"])(
    "shows help for %s",
    async (command) => {
      const result = await workspace.run([command, "--help"]);
      expect(result).toMatchObject({ exitCode: 0, stderr: "" });
      expect(result.stdout).toContain(`Usage: resguardo ${command}`);
    },
  );
});
