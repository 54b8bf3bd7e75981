import type * as FileSystem from "node:fs/promises";
import { mkdtemp, readdir, rm, utimes } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { translate } from "../../../../lib/vault/storage/directory-errors.ts";
import { openDirectoryVault } from "../../../../lib/vault/storage/directory.ts";
import type { VaultStorage } from "../../../../lib/vault/storage/storage.ts";
import { readAll } from "../../../support/storage-data.ts";

type Step = () => Promise<void>;

// What runs around the next calls of link(), by which a blob or a version gets its name.
const faults = vi.hoisted(() => ({ beforeLink: [] as Step[], afterLink: [] as Step[] }));

vi.mock("node:fs/promises", async (importOriginal) => {
  const original = await importOriginal<typeof FileSystem>();
  const link: typeof original.link = async (...parameters) => {
    await faults.beforeLink.shift()?.();
    await original.link(...parameters);
    await faults.afterLink.shift()?.();
  };
  return { ...original, link };
});

let path: string;
let vault: VaultStorage;

beforeEach(async () => {
  path = await mkdtemp(join(tmpdir(), "vault-"));
  vault = openDirectoryVault("offsite", path);
  await vault.prepare();
});
afterEach(async () => {
  faults.beforeLink = [];
  faults.afterLink = [];
  await rm(path, { recursive: true });
});

function failing(errno: string): Step {
  return () => Promise.reject(Object.assign(new Error(`${errno}: from the test`), { code: errno }));
}

describe("naming a finished blob", () => {
  it.each(["EPERM", "EOPNOTSUPP", "EXDEV"])(
    "refuses a file system without hard links (%s), at once in prepare",
    async (errno) => {
      const refusal = { code: "STORAGE_REFUSED", hint: expect.stringContaining("hard links") };
      faults.beforeLink = [failing(errno)];
      await expect(vault.prepare()).rejects.toMatchObject(refusal);
      faults.beforeLink = [failing(errno)];
      await expect(vault.data.create("a", Buffer.from("x"))).rejects.toMatchObject(refusal);
      expect(await vault.data.stat("a")).toBeUndefined();
      expect(await readdir(join(path, "incoming"))).toEqual([]);
    },
  );

  it("makes the folder again when a removal takes it away at that moment", async () => {
    await vault.data.create("shop/1/a", Buffer.from("old"));
    faults.beforeLink = [() => vault.data.remove("shop/1/a")];
    await vault.data.create("shop/1/b", Buffer.from("new"));
    expect((await readAll(vault.data, "shop/1/b")).toString()).toBe("new");
  });

  it("knows its own link when the file system repeats a call whose answer was lost", async () => {
    faults.afterLink = [failing("EEXIST")];
    await expect(vault.data.create("a", Buffer.from("x"))).resolves.toMatchObject({ sizeBytes: 1 });
    expect((await readAll(vault.data, "a")).toString()).toBe("x");
  });

  it("reports an input or output error as worth another try", async () => {
    faults.beforeLink = [failing("EIO")];
    await expect(vault.data.create("a", Buffer.from("x"))).rejects.toMatchObject({
      code: "STORAGE_UNAVAILABLE",
      retryable: true,
    });
  });
});

describe("a state writer that sleeps between reading and writing", () => {
  const conflict = { code: "STATE_CONFLICT" };

  it("is refused when others wrote meanwhile", async () => {
    const etag = await vault.state.put("lease", Buffer.from("1"), "absent");
    faults.beforeLink = [async () => void (await vault.state.put("lease", Buffer.from("2"), { etag }))];
    await expect(vault.state.put("lease", Buffer.from("late"), { etag })).rejects.toMatchObject(conflict);
    expect((await vault.state.get("lease"))?.value.toString()).toBe("2");
  });

  it("is refused even after so long that the version it competes for was removed", async () => {
    const etag = await vault.state.put("lease", Buffer.from("1"), "absent");
    faults.beforeLink = [() => overtake(etag)];
    await expect(vault.state.put("lease", Buffer.from("late"), { etag })).rejects.toMatchObject(conflict);
    expect((await vault.state.get("lease"))?.value.toString()).toBe("5");
    const newest = await vault.state.get("lease");
    await vault.state.put("lease", Buffer.from("6"), { etag: newest?.etag ?? "" });
    expect((await vault.state.get("lease"))?.value.toString()).toBe("6");
  });

  it("is told of its success when somebody built on it at once", async () => {
    const first = await vault.state.put("count", Buffer.from("1"), "absent");
    const state = openDirectoryVault("other", path).state;
    let third = "";
    faults.afterLink = [
      async () => {
        const second = await state.get("count");
        third = await state.put("count", Buffer.from("3"), { etag: second?.etag ?? "" });
      },
    ];
    await expect(vault.state.put("count", Buffer.from("2"), { etag: first })).resolves.toEqual(expect.any(String));
    expect(await vault.state.get("count")).toEqual({ value: Buffer.from("3"), etag: third });
  });

  /** Four more versions, each replaced more than a minute ago, and the old ones gone. */
  async function overtake(from: string): Promise<void> {
    let etag = from;
    for (const value of ["2", "3", "4", "5"]) {
      etag = await vault.state.put("lease", Buffer.from(value), { etag });
      const folder = join(path, "state", "lease");
      const before = new Date(Date.now() - 120_000);
      for (const name of await readdir(folder)) await utimes(join(folder, name), before, before);
    }
    expect(await readdir(join(path, "state", "lease"))).not.toContain("000000000002");
  }
});

describe("what the file system says", () => {
  it.each([
    ["ENOSPC", "STORAGE_FULL"],
    ["EDQUOT", "STORAGE_FULL"],
    ["ESTALE", "STORAGE_UNAVAILABLE"],
    ["EMFILE", "STORAGE_UNAVAILABLE"],
    ["EACCES", "STORAGE_REFUSED"],
    ["EROFS", "STORAGE_REFUSED"],
    ["ENOTDIR", "STORAGE_REFUSED"],
    ["ENAMETOOLONG", "STORAGE_PATH_INVALID"],
  ])("is coded: %s as %s", (errno, code) => {
    const error = Object.assign(new Error("from the test"), { code: errno });
    expect(translate("offsite", "write blob", error)).toMatchObject({
      code,
      message: `vault offsite: can't write blob: ${errno}`,
      hint: expect.stringMatching(/\.$/),
      cause: error,
    });
  });
});
