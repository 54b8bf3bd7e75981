import path from "node:path";

/** What each layer may import besides itself. The order is the arrow of the house: what stands further down knows less. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  functions: ["jobs", "restore", "freshness", "evidence", "sources", "vault", "core"],
  cli: ["jobs", "restore", "freshness", "evidence", "sources", "vault", "core"],
  // The demo runs the commands that a person would.
  local: ["cli", "jobs", "restore", "freshness", "evidence", "sources", "vault", "core"],
  jobs: ["sources", "vault", "core"],
  restore: ["sources", "vault", "core"],
  freshness: ["sources", "vault", "core"],
  evidence: ["sources", "vault", "core"],
  sources: ["vault", "core"],
  vault: ["core"],
  core: [],
};

/** Packages that only some folders may import; the first entry whose pattern matches decides. */
const PACKAGE_HOMES: readonly { package: RegExp; folders: readonly string[] }[] = [
  { package: /^@azure\/functions(?:$|\/)/, folders: ["functions/", "local/host/"] },
  { package: /^@azure\//, folders: ["lib/vault/storage/", "lib/vault/keys/", "local/host/", "local/servers/"] },
];

/**
 * Why the file at `from` may not import `specifier`, or undefined when it may. `from` is relative to the project's root.
 * Tests and tools may import everything.
 */
export function whyForbidden(from: string, specifier: string): string | undefined {
  const layer = layerOf(from);
  if (layer === undefined) return undefined;
  if (!specifier.startsWith(".")) return whyPackageForbidden(from, specifier);
  const target = path.posix.join(path.posix.dirname(from), specifier);
  const targetLayer = layerOf(target);
  if (targetLayer === undefined) return `${layer} may not import ${target}, which belongs to no layer`;
  if (targetLayer !== layer && !MAY_IMPORT[layer]?.includes(targetLayer)) {
    return `${layer} may not import ${targetLayer}: ${allowedText(layer)}`;
  }
  return whyEngineForbidden(from, target);
}

function whyPackageForbidden(from: string, specifier: string): string | undefined {
  const home = PACKAGE_HOMES.find((candidate) => candidate.package.test(specifier));
  if (home === undefined || home.folders.some((folder) => from.startsWith(folder))) return undefined;
  return `only ${home.folders.join(", ")} may import ${specifier}`;
}

function whyEngineForbidden(from: string, target: string): string | undefined {
  const engine = engineOf(from);
  const targetEngine = engineOf(target);
  if (engine === undefined || targetEngine === undefined || engine === targetEngine) return undefined;
  return `the engine ${engine} may not import the engine ${targetEngine}`;
}

function layerOf(file: string): string | undefined {
  const [top = "", second = ""] = file.split("/");
  const layer = top === "lib" ? second : top;
  return layer in MAY_IMPORT ? layer : undefined;
}

/** `mysql` of `lib/sources/mysql/backup.ts`; undefined for what all engines share and for other layers. */
function engineOf(file: string): string | undefined {
  return /^lib\/sources\/([^/]+)\//.exec(file)?.[1];
}

function allowedText(layer: string): string {
  const allowed = MAY_IMPORT[layer] ?? [];
  return allowed.length === 0 ? "it stands alone" : `only ${allowed.join(", ")}`;
}
