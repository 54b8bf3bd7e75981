import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { promisify } from "node:util";
import { AppError } from "../../lib/core/errors.ts";
import { cacheFolder } from "./cache.ts";
import { makeFolderOnce } from "./make-folder.ts";

const exec = promisify(execFile);

/** A private folder with programs of a Debian suite and everything they link to, libc and loader included. */
export interface DebianRoot {
  /** Its `usr` folder, absolute. */
  readonly usr: string;
  /** `usr/lib/x86_64-linux-gnu`, absolute. */
  readonly libraries: string;
  /** Version by package name, dependencies included. */
  readonly packages: Readonly<Record<string, string>>;
  /** The command line that starts a program of this folder, `bin/mysql` for instance, with its own loader and libraries. */
  command(program: string, args?: readonly string[]): [file: string, ...args: string[]];
}

export interface DebianRequest {
  /** `sid`, `bookworm`, … */
  suite: string;
  packages: readonly string[];
}

const VERSIONS = "packages.json";
const FETCH_TIMEOUT_MS = 600_000;

/**
 * The folder with the asked-for packages, fetched once into the cache. Needs apt and dpkg, no root rights, and changes
 * nothing outside the cache. Throws LOCAL_TOOL_UNAVAILABLE.
 */
export async function debianRoot(request: DebianRequest): Promise<DebianRoot> {
  const folder = join(cacheFolder(), "servers", [request.suite, ...request.packages].join("+"));
  await makeFolderOnce(folder, async (work) => unpack(await download(request, work), work));
  const packages = JSON.parse(await readFile(join(folder, VERSIONS), "utf8")) as Record<string, string>;
  return openRoot(folder, packages);
}

function openRoot(folder: string, packages: Record<string, string>): DebianRoot {
  const usr = join(folder, "usr");
  const [triplet, loader] =
    process.arch === "arm64"
      ? ["aarch64-linux-gnu", "ld-linux-aarch64.so.1"]
      : ["x86_64-linux-gnu", "ld-linux-x86-64.so.2"];
  // Up to Debian 12 libc and its loader lie in /lib, since then in /usr/lib.
  const libraries = join(usr, "lib", triplet);
  const older = join(folder, "lib", triplet);
  const home = existsSync(join(libraries, loader)) ? libraries : older;
  return {
    usr,
    libraries,
    packages,
    command: (program, args = []) => [
      join(home, loader),
      "--library-path",
      `${libraries}:${older}`,
      join(usr, program),
      ...args,
    ],
  };
}

/** Downloads the packages and all they depend on; apt checks the archive's signatures. Returns the paths of the files. */
async function download(request: DebianRequest, work: string): Promise<string[]> {
  const cache = join(work, "cache");
  const archives = join(cache, "archives");
  const state = join(work, "state");
  await mkdir(join(archives, "partial"), { recursive: true });
  await mkdir(join(state, "lists", "partial"), { recursive: true });
  await writeFile(join(state, "status"), "");
  await writeFile(join(work, "sources.list"), sourcesList(request.suite, await debianMirror(request)));
  await writeFile(join(work, "apt.conf"), aptSettings(work));
  await aptGet(request, work, ["update"]);
  await aptGet(request, work, ["install", "--download-only", "--yes", "--no-install-recommends", ...request.packages]);
  const files = await readdir(archives);
  return files.filter((file) => file.endsWith(".deb")).map((file) => join(archives, file));
}

function sourcesList(suite: string, mirror: string): string {
  return `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror} ${suite} main\n`;
}

/** Debian's archive as this system's own apt is set up to reach it, so that a mirror on a closed network serves here too. */
async function debianMirror(request: DebianRequest): Promise<string> {
  const named = process.env["RESGUARDO_DEBIAN_MIRROR"];
  if (named) return named;
  const targets = await exec("apt-get", ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages"]).catch(
    (error: unknown) => {
      throw unavailable(request, `apt-get indextargets failed: ${reasonOf(error)}`, error);
    },
  );
  const mirror = targets.stdout.split("\n").find((uri) => /\/debian\/?$/.test(uri));
  if (mirror) return mirror;
  throw unavailable(request, "this system's apt has no source of Debian packages");
}

function aptSettings(work: string): string {
  return [
    `Dir::Etc::sourcelist "${work}/sources.list";`,
    'Dir::Etc::sourceparts "-";',
    'Dir::Etc::preferencesparts "-";',
    `Dir::State "${work}/state";`,
    `Dir::State::status "${work}/state/status";`,
    `Dir::Cache "${work}/cache";`,
    `Dir::Log "${work}";`,
    // Without it apt, run by root, becomes _apt, who may not enter the folders above the cache.
    'APT::Sandbox::User "root";',
    // The archive's Release file may be past its date on a mirror; its signature is checked all the same.
    'Acquire::Check-Valid-Until "false";',
    'Acquire::Languages "none";',
    'Acquire::Retries "3";',
    'Acquire::http::Timeout "30";',
    // Container images hook in commands that clear the system's package cache.
    "#clear APT::Update::Post-Invoke;",
    "#clear DPkg::Post-Invoke;",
    "",
  ].join("\n");
}

async function aptGet(request: DebianRequest, work: string, args: string[]): Promise<void> {
  try {
    await exec("apt-get", ["-c", join(work, "apt.conf"), "-qq", "-o", "APT::Update::Error-Mode=any", ...args], {
      timeout: FETCH_TIMEOUT_MS,
      env: { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
    });
  } catch (error: unknown) {
    throw unavailable(request, `apt-get ${args[0]} failed: ${reasonOf(error)}`, error);
  }
}

function unavailable(request: DebianRequest, problem: string, cause?: unknown): AppError {
  return new AppError("LOCAL_TOOL_UNAVAILABLE", `${describe(request)}: ${problem}`, {
    hint: "Run on Debian or Ubuntu with apt and a way to Debian's archive, or name a mirror in RESGUARDO_DEBIAN_MIRROR.",
    cause,
  });
}

function describe({ suite, packages }: DebianRequest): string {
  return `${packages.join(", ")} of Debian ${suite}`;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const stderr = "stderr" in error ? String(error.stderr) : "";
  const complaint = stderr.split("\n").find((line) => line.startsWith("E:"));
  return complaint?.slice(2).trim() ?? error.message.split("\n")[0] ?? error.message;
}

async function unpack(debs: string[], work: string): Promise<string> {
  const root = join(work, "root");
  await mkdir(root);
  const packages: Record<string, string> = {};
  for (const deb of debs) {
    await exec("dpkg-deb", ["--extract", deb, root]);
    const [name = "", version = ""] = basename(deb).split("_");
    packages[name] = decodeURIComponent(version);
  }
  await writeFile(join(root, VERSIONS), `${JSON.stringify(packages, undefined, 2)}\n`);
  return root;
}
