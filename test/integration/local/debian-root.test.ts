import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { debianRoot } from "../../../local/servers/debian-root.ts";

let cache: string;

beforeEach(async () => {
  cache = await mkdtemp(join(tmpdir(), "resguardo-cache-"));
  vi.stubEnv("RESGUARDO_CACHE", cache);
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(cache, { recursive: true, force: true });
});

describe("a private folder with Debian's packages", () => {
  test("is complete for two callers at once, runs its programs, and leaves nothing else behind", async () => {
    const request = { suite: "bookworm", packages: ["hello"] };
    const [root, same] = await Promise.all([debianRoot(request), debianRoot(request)]);
    expect(root.usr).toBe(same.usr);
    expect(root.packages).toMatchObject({ hello: expect.stringMatching(/^2\./), libc6: expect.any(String) });
    const [file, ...args] = root.command("bin/hello", ["--greeting=hi"]);
    expect(execFileSync(file, args).toString()).toBe("hi\n");
    expect(await readdir(join(cache, "servers"))).toEqual(["bookworm+hello"]);

    vi.stubEnv("RESGUARDO_DEBIAN_MIRROR", "http://127.0.0.1:1");
    expect((await debianRoot(request)).packages).toEqual(root.packages);
  });

  test("that can't be fetched fails with a code, names what apt said, and leaves nothing behind", async () => {
    vi.stubEnv("RESGUARDO_DEBIAN_MIRROR", "http://127.0.0.1:1");
    await expect(debianRoot({ suite: "bookworm", packages: ["hello"] })).rejects.toThrow(
      expect.objectContaining({
        code: "LOCAL_TOOL_UNAVAILABLE",
        message: expect.stringMatching(/^hello of Debian bookworm: apt-get update failed: .*127\.0\.0\.1/),
      }),
    );
    expect(await readdir(join(cache, "servers"))).toEqual([]);
  });
});
