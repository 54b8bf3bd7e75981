import { chmod, cp, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ContainerSASPermissions,
  generateBlobSASQueryParameters,
  SASProtocol,
  StorageSharedKeyCredential,
} from "@azure/storage-blob";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openVaultStorage } from "../../../lib/vault/storage/open.ts";
import { startTestAzurite, type TestAzurite } from "../../support/azurite.ts";
import { connectTo, startTestMysql, type TestMysql } from "../../support/mysql.ts";
import { runAlone } from "../../support/run-alone.ts";
import { makeWorkspace } from "../../support/workspace.ts";

/*
 * The drill of the day on which everything else is lost: a folder of blobs, the key from the safe, an empty server. What made the
 * backup is gone, and so is its policy: each test has a home of its own and no setting.
 */

let target: TestMysql;
let azurite: TestAzurite;
let folder = "";
let blobs = "";
let mark = "";

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "resguardo-glass-"));
  const [source, ...servers] = await Promise.all([startTestMysql(), startTestMysql(), startTestAzurite()]);
  [target, azurite] = servers;
  await using workspace = await makeWorkspace({ SHOP_URL: source.url }, { databases: ["shop"] });
  const inFolder = (name: string) => join(workspace.folder, "keys", name);
  const env = { OLD_KEY: inFolder("encrypt.key.pem"), DECRYPT_KEY: inFolder("encrypt-2.key.pem") };
  const product = async (...args: string[]) => {
    const { exitCode, stderr } = await workspace.run(args, env);
    if (exitCode !== 0) throw new Error(`${args.join(" ")}: ${stderr}`);
  };
  await run(
    source,
    `CREATE DATABASE shop; CREATE DATABASE other; CREATE TABLE other.things (id INT PRIMARY KEY);
     CREATE TABLE shop.items (id INT PRIMARY KEY, v VARCHAR(40)); INSERT INTO shop.items VALUES (1, 'in the full')`,
  );
  await product("backup", "shop");
  await run(source, "INSERT INTO shop.items VALUES (2, 'before the mark'); INSERT INTO other.things VALUES (1)");
  mark = await ask(source, "SELECT DATE_FORMAT(UTC_TIMESTAMP(6), '%Y-%m-%dT%H:%i:%s.%fZ')");
  await run(source, "INSERT INTO shop.items VALUES (3, 'after the mark')");
  await product("ship", "shop");
  // Both keys are replaced on the way: the safe holds what they were when it was locked.
  await product("keys", "rotate", "--signing");
  await product("keys", "rotate", "--new-key");
  const policy = JSON.parse(await readFile(workspace.policyPath, "utf8")) as { keys: Record<string, object> };
  const old = { kind: "file", publicKey: "keys/encrypt.pub.pem", privateKey: { env: "OLD_KEY" } };
  const encrypt = { ...policy.keys["encrypt"], publicKey: "keys/encrypt-2.pub.pem" };
  const keys = { ...policy.keys, encrypt, previous: [old] };
  await writeFile(workspace.policyPath, JSON.stringify({ ...policy, keys }));
  await product("keys", "rotate");
  await source.stop();
  blobs = join(folder, "vault");
  await cp(join(workspace.folder, "offsite"), blobs, { recursive: true });
  await cp(join(workspace.folder, "keys"), join(folder, "safe"), { recursive: true });
});

afterAll(async () => {
  await Promise.all([target.stop(), azurite.stop()]);
  await rm(folder, { recursive: true });
});

afterEach(() => run(target, "DROP DATABASE IF EXISTS shop"));

async function run(server: TestMysql, sql: string): Promise<void> {
  await using connection = await connectTo(server);
  await connection.query(sql);
}

async function ask(server: TestMysql, sql: string): Promise<string> {
  await using connection = await connectTo(server);
  const [rows] = await connection.query({ sql, rowsAsArray: true });
  return (rows as unknown[][]).map(([value]) => String(value)).join(" ");
}

const laptop = () => mkdtemp(join(folder, "laptop-"));
const inSafe = (name: string) => join(folder, "safe", name);

describe("with the blobs and the key from the safe alone", () => {
  it("an instant comes back, the log included, and the use is noted in the vault", async () => {
    const args = ["restore", "--vault", `dir:${blobs}`, "--break-glass", inSafe("break-glass.key.pem")];
    const goal = ["--trust", inSafe("sign.pub.pem"), "--to", mark, "--target", target.url, "--json"];
    const { exitCode, stdout, stderr } = await runAlone(await laptop(), [...args, ...goal]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    const outcome = JSON.parse(stdout) as { breakGlass: { note: string; signingKeys: string[] } };
    expect(outcome).toMatchObject({
      identical: true,
      rowsLost: 0,
      reached: { at: mark },
      replayed: { transactions: 2 },
    });
    expect(outcome.breakGlass).toMatchObject({ anchored: true });
    expect(outcome.breakGlass.signingKeys).toHaveLength(2);
    expect(await ask(target, "SELECT id FROM shop.items ORDER BY 1")).toBe("1 2");
    const note = await readFile(join(blobs, "data", outcome.breakGlass.note), "utf8");
    expect(JSON.parse(note)).toMatchObject({ format: "resguardo-break-glass", command: "restore", source: "shop" });
  });

  it("what there is can be listed and verified, and its signatures are never shown as trusted by themselves", async () => {
    const home = await laptop();
    const vault = ["--vault", `dir:${blobs}`];
    const listed = await runAlone(home, ["list", ...vault]);
    expect(listed).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("restorable") });
    expect(listed.stdout).toContain("NOT TRUSTED: signatures were checked only against keys found in the vault itself");
    const key = ["--break-glass", inSafe("break-glass.key.pem")];
    const verified = await runAlone(home, ["verify", "--deep", ...vault, ...key, "--json"]);
    expect(JSON.parse(verified.stdout)).toMatchObject({ failed: 0, notLooked: 0, breakGlass: { anchored: false } });
    for (const name of ["encrypt.key.pem", "encrypt-2.key.pem"]) {
      const rotated = await runAlone(home, ["verify", "--deep", ...vault, "--break-glass", inSafe(name)]);
      expect(rotated).toMatchObject({ exitCode: 0, stdout: expect.stringContaining("failed 0, not looked at 0") });
    }
    const window = await runAlone(home, ["window", ...vault, "--trust", inSafe("sign.pub.pem")]);
    expect(window).toMatchObject({ exitCode: 0, stdout: expect.not.stringContaining("NOT TRUSTED") });
    expect((await runAlone(home, ["changes", ...vault, ...key])).stdout).toContain("shop.items");
    expect((await runAlone(home, ["export", ...vault, ...key, "--binlog", join(home, "log")])).exitCode).toBe(0);
  });

  it.each([
    ["the public key", () => inSafe("break-glass.pub.pem"), "KEY_INVALID", 2],
    ["the signing key", () => inSafe("sign.key.pem"), "KEY_INVALID", 2],
    ["a file that is not there", () => inSafe("absent.pem"), "KEY_INVALID", 2],
    ["a key of another vault", () => join(folder, "foreign", "break-glass.key.pem"), "KEY_NOT_RECIPIENT", 1],
  ])("a mistake is said by a code: %s", async (_what, file, code, exit) => {
    const home = await laptop();
    await runAlone(folder, ["keys", "init", "--dir", "foreign"]);
    const args = ["restore", "--vault", `dir:${blobs}`, "--break-glass", file(), "--target", target.url];
    const { exitCode, stderr } = await runAlone(home, args);
    expect([exitCode, stderr.split("\n")[0]]).toEqual([exit, expect.stringContaining(`resguardo: ${code}: `)]);
    expect(await ask(target, "SHOW DATABASES LIKE 'shop'")).toBe("");
  });

  it("a container is enough, read by a SAS that can't write, and the use is noted beside the terminal", async () => {
    const url = await uploaded("glass");
    const home = await laptop();
    const args = ["--vault", `az:${url}`, "--break-glass", inSafe("break-glass.key.pem")];
    const { exitCode, stdout, stderr } = await runAlone(home, ["restore", ...args, "--target", target.url, "--json"]);
    expect([exitCode, stderr]).toEqual([0, ""]);
    expect(await ask(target, "SELECT id FROM shop.items ORDER BY 1")).toBe("1 2 3");
    const { breakGlass } = JSON.parse(stdout) as { breakGlass: { note: string } };
    expect(await readdir(home)).toContain(breakGlass.note.split("/").at(-1));
  });

  it("a folder that can't be written to is enough", async () => {
    const sealed = join(folder, "sealed");
    await cp(blobs, sealed, { recursive: true });
    await chmod(join(sealed, "data"), 0o555);
    const home = await laptop();
    const args = ["--vault", `dir:${sealed}`, "--break-glass", inSafe("break-glass.key.pem"), "--dry-run"];
    const { exitCode } = await runAlone(home, ["restore", ...args, "--target", target.url]);
    await chmod(join(sealed, "data"), 0o755);
    expect(exitCode).toBe(0);
  });
});

/** The blobs in a container; returns its URL with a SAS that reads and lists, and no more. */
async function uploaded(container: string): Promise<string> {
  const { connectionString } = azurite;
  const [from, to] = await Promise.all([
    openVaultStorage("from", { kind: "directory", path: blobs }),
    openVaultStorage("to", { kind: "azure-blob", container, connectionString }),
  ]);
  await to.prepare();
  for await (const { name } of from.data.list("")) await to.data.create(name, from.data.read(name));
  const [, account = ""] = /AccountName=([^;]+)/.exec(connectionString) ?? [];
  const [, key = ""] = /AccountKey=([^;]+)/.exec(connectionString) ?? [];
  const sas = generateBlobSASQueryParameters(
    {
      containerName: container,
      permissions: ContainerSASPermissions.parse("rl"),
      expiresOn: new Date(Date.now() + 3_600_000),
      protocol: SASProtocol.HttpsAndHttp,
    },
    new StorageSharedKeyCredential(account, key),
  );
  return `${azurite.blobUrl}/${container}?${sas.toString()}`;
}
