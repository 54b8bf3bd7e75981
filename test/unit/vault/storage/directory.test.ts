import { mkdir, mkdtemp, readdir, rm, stat, symlink, truncate, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { openDirectoryVault } from "../../../../lib/vault/storage/directory.ts";
import type { VaultStorage } from "../../../../lib/vault/storage/storage.ts";
import { describeStorage } from "../../../support/describe-storage.ts";
import { listNames, pattern, readAll } from "../../../support/storage-data.ts";

const refused = { code: "STORAGE_REFUSED", retryable: false };

describeStorage(
  "a vault in a directory",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "vault-"));
    const vault = openDirectoryVault("directory", folder);
    await vault.prepare();
    return {
      vault,
      openAgain: async () => openDirectoryVault("again", folder),
      openElsewhere: async () => {
        const elsewhere = openDirectoryVault("elsewhere", join(folder, "elsewhere"));
        await elsewhere.prepare();
        return elsewhere;
      },
      [Symbol.asyncDispose]: () => rm(folder, { recursive: true }),
    };
  },
  { memoryBytes: 32 * 1024 * 1024 },
);

describe("a directory that is not as a vault needs it", () => {
  let path: string;
  let vault: VaultStorage;

  beforeEach(async () => {
    path = await mkdtemp(join(tmpdir(), "vault-"));
    vault = openDirectoryVault("offsite", path);
    await vault.prepare();
  });
  afterEach(() => rm(path, { recursive: true, force: true }));

  it("is not taken for an empty vault when its folders are missing", async () => {
    await rm(path, { recursive: true });
    await expect(vault.data.stat("a")).rejects.toMatchObject(refused);
    await expect(vault.data.stat("a/b/c")).rejects.toMatchObject(refused);
    await expect(listNames(vault.data, "")).rejects.toMatchObject(refused);
    await expect(readAll(vault.data, "a")).rejects.toMatchObject(refused);
    await expect(vault.data.create("a", Buffer.from("x"))).rejects.toMatchObject(refused);
    await expect(vault.data.remove("a")).rejects.toMatchObject(refused);
    await expect(vault.state.get("a")).rejects.toMatchObject(refused);
    await expect(Array.fromAsync(vault.state.list(""))).rejects.toMatchObject(refused);
    await expect(vault.data.stat("a")).rejects.toThrow(/vault offsite: there is no folder .*data$/);
  });

  it("refuses a file where a folder should be", async () => {
    await vault.data.create("shop", Buffer.from("a file"));
    await expect(vault.data.create("shop/full/data", Buffer.from("x"))).rejects.toMatchObject(refused);
    await expect(vault.data.stat("shop/full")).rejects.toMatchObject(refused);
    await rm(join(path, "incoming"), { recursive: true });
    await writeFile(join(path, "incoming"), "");
    await expect(vault.data.create("other", Buffer.from("x"))).rejects.toMatchObject(refused);
    await expect(vault.prepare()).rejects.toMatchObject(refused);
  });

  it("is refused when its path is a file", async () => {
    const file = join(path, "file");
    await writeFile(file, "");
    const wrong = openDirectoryVault("wrong", file);
    await expect(wrong.prepare()).rejects.toMatchObject(refused);
    await expect(wrong.data.stat("a")).rejects.toMatchObject(refused);
  });

  it("writes and reads nothing through a symbolic link", async () => {
    const outside = await mkdtemp(join(tmpdir(), "outside-"));
    await writeFile(join(outside, "secret"), "not a blob");
    await symlink(outside, join(path, "data", "shop"));
    await symlink(join(outside, "secret"), join(path, "data", "link"));
    await expect(vault.data.create("shop/a", Buffer.from("x"))).rejects.toMatchObject(refused);
    await expect(vault.data.create("shop/deep/er/a", Buffer.from("x"))).rejects.toMatchObject(refused);
    await expect(vault.data.stat("shop/secret")).rejects.toMatchObject(refused);
    await expect(readAll(vault.data, "shop/secret")).rejects.toMatchObject(refused);
    await expect(vault.data.remove("shop/secret")).rejects.toMatchObject(refused);
    await expect(readAll(vault.data, "link")).rejects.toMatchObject(refused);
    await expect(vault.data.create("link", Buffer.from("x"))).rejects.toMatchObject({ code: "BLOB_EXISTS" });
    expect(await vault.data.stat("link")).toBeUndefined();
    expect(await listNames(vault.data, "")).toEqual([]);
    expect(await readdir(outside)).toEqual(["secret"]);
    await rm(outside, { recursive: true });
  });

  it("notices a blob that is cut while it is read", async () => {
    await vault.data.create("long", pattern(4 * 1024 * 1024));
    const reading = async () => {
      for await (const piece of vault.data.read("long")) {
        await truncate(join(path, "data", "long"), 100);
        expect(piece.length).toBeGreaterThan(0);
      }
    };
    await expect(reading()).rejects.toMatchObject({ code: "BLOB_DAMAGED" });
  });

  it("reads a blob to its end that is removed meanwhile", async () => {
    await vault.data.create("long", pattern(4 * 1024 * 1024));
    let read = 0;
    for await (const piece of vault.data.read("long")) {
      if (read === 0) await vault.data.remove("long");
      read += piece.length;
    }
    expect(read).toBe(4 * 1024 * 1024);
  });

  it("keeps files that only their owner and group can read, and nobody can write", async () => {
    await vault.data.create("shop/a", Buffer.from("x"));
    expect((await stat(join(path, "data/shop/a"))).mode & 0o777).toBe(0o440);
    expect((await stat(join(path, "data/shop"))).mode & 0o777).toBe(0o750);
    expect(await readdir(join(path, "incoming"))).toEqual([]);
  });

  it("leaves no empty folder when the last blob in it is removed", async () => {
    await vault.data.create("shop/full/1/data", Buffer.from("x"));
    await vault.data.create("shop/runs", Buffer.from("x"));
    await vault.data.remove("shop/full/1/data");
    expect(await readdir(join(path, "data/shop"))).toEqual(["runs"]);
    await vault.data.remove("shop/runs");
    expect(await readdir(join(path, "data"))).toEqual([]);
  });

  it("lists past files and folders that no vault made", async () => {
    await vault.data.create("a", Buffer.from("x"));
    await mkdir(join(path, "data", "empty folder"));
    await mkdir(join(path, "state", "%zz"));
    await writeFile(join(path, "state", "stray"), "");
    expect(await listNames(vault.data, "")).toEqual(["a"]);
    expect(await Array.fromAsync(vault.state.list(""))).toEqual([]);
  });

  it("removes replaced versions of a state record after a minute, never the newest", async () => {
    const folder = join(path, "state", "leases%2Fshop");
    const first = await vault.state.put("leases/shop", Buffer.from("1"), "absent");
    const second = await vault.state.put("leases/shop", Buffer.from("2"), { etag: first });
    const third = await vault.state.put("leases/shop", Buffer.from("3"), { etag: second });
    const versions = await readdir(folder);
    expect(versions).toHaveLength(3);
    const before = new Date(Date.now() - 61_000);
    for (const name of versions.slice(0, 2)) await utimes(join(folder, name), before, before);
    await vault.state.put("leases/shop", Buffer.from("4"), { etag: third });
    expect(await readdir(folder)).toEqual(["000000000002", "000000000003", "000000000004"]);
    expect((await vault.state.get("leases/shop"))?.value.toString()).toBe("4");
  });

  it("says so when a state record is damaged", async () => {
    await mkdir(join(path, "state", "head"));
    await writeFile(join(path, "state", "head", "000000000001"), "not a record");
    await expect(vault.state.get("head")).rejects.toMatchObject(refused);
  });
});
