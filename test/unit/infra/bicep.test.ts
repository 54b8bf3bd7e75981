import { glob, readFile } from "node:fs/promises";
import path from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { Node } from "web-tree-sitter";
import { settingsSchema } from "../../../lib/core/settings.ts";
import { checkBicep } from "../../support/bicep/check.ts";
import { declarations, descendants, parseBicep, property, type Declaration } from "../../support/bicep/parse.ts";

const INFRA = path.resolve(import.meta.dirname, "../../../infra");
const files = new Map<string, string>();
const roots = new Map<string, Node>();

beforeAll(async () => {
  for await (const file of glob("**/*.bicep", { cwd: INFRA })) {
    const text = await readFile(path.join(INFRA, file), "utf8");
    files.set(file, text);
    roots.set(file, await parseBicep(text));
  }
});

function resources(type: string): Declaration[] {
  return [...roots.values()].flatMap(declarations).filter(({ reference }) => reference?.startsWith(`${type}@`));
}

function strings(node: Node | undefined): string[] {
  return node ? descendants(node).flatMap((inner) => (inner.type === "string" ? inner.text.slice(1, -1) : [])) : [];
}

const problemsOf = (text: string): Promise<string[]> => checkBicep(new Map([["main.bicep", text]]));

describe("the check of Bicep templates", () => {
  it("finds nothing wrong in a small template", async () => {
    const text =
      "param place string\nvar a = [for x in [1, 2]: '${place}${x}']\noutput all array = map(a, y => toLower(y))\n";
    expect(await problemsOf(text)).toEqual([]);
  });

  it.each([
    ["a missing colon", "resource a 'X/y@2024-01-01' = {\n  name 'b'\n}\n", "main.bicep:2: name 'b': not Bicep"],
    ["a missing brace", "var a = {\n  b: 1\n", "not Bicep"],
    ["an unclosed string", "output a string = 'b\n", "not Bicep"],
    ["an undeclared name", "output a string = b\n", 'main.bicep:1: "b" is not declared'],
    ["an unused parameter", "\nparam a string\n", 'main.bicep:2: param "a" is never used'],
    ["an unused variable", "var a = 1\n", 'main.bicep:1: var "a" is never used'],
    ["an unknown function", "output a string = toLowr('A')\n", 'main.bicep:1: "toLowr" is no known function'],
    ["an unknown decorator", "@minimum(1)\nparam a int\noutput b int = a\n", '"minimum" is no known function'],
    ["an unknown role", "output a string = '00000000-0000-4000-8000-000000000000'\n", "is no role that this project"],
    ["a missing module", "module a 'b.bicep' = {\n  name: 'a'\n}\n", 'module "b.bicep" does not exist'],
  ])("reports %s", async (_slip, text, problem) => {
    expect((await problemsOf(text)).join("\n")).toContain(problem);
  });

  it("reports parameters and outputs that a module does not have, and those that are missing", async () => {
    const problems = await checkBicep(
      new Map([
        ["main.bicep", "module a 'app/a.bicep' = {\n  params: { x: 1 }\n}\noutput o int = a.outputs.z\n"],
        ["app/a.bicep", "param y int\nparam w int = 1\nparam v int?\noutput q array = [y, w, v]\n"],
      ]),
    );
    expect(problems).toEqual([
      'main.bicep:2: a has no parameter "x"',
      'main.bicep:1: a needs "y"',
      'main.bicep:1: a has no output "z"',
    ]);
  });

  it.each(["main.bicep", "app/vault-storage.bicep", "app/function-app.bicep"])(
    "notices one lost brace in %s",
    async (file) => {
      const text = files.get(file) ?? "";
      const broken = text.slice(0, text.lastIndexOf("}")) + text.slice(text.lastIndexOf("}") + 1);
      expect((await checkBicep(new Map([...files, [file, broken]]))).join("\n")).toMatch(`${file}:`);
    },
  );
});

describe("the templates of infra", () => {
  it("are right in syntax, names, modules, parameters, outputs and roles", async () => {
    expect([...files.keys()]).toContain("main.bicep");
    expect(await checkBicep(files)).toEqual([]);
  });

  it("use every module file", () => {
    const used = [...roots.values()]
      .flatMap(declarations)
      .flatMap(({ kind, reference }) => (kind === "module" ? reference : []));
    expect(new Set(["main.bicep", ...used])).toEqual(new Set(files.keys()));
  });

  it("hold no secret and ask for none", () => {
    const suspicious = /listKeys|listAccountSas|listSecrets|@secure|AccountKey=|SharedAccessKey|password/i;
    for (const [file, text] of files) expect(text, file).not.toMatch(suspicious);
  });

  it("reach every storage account by identity alone, over TLS 1.2", () => {
    const accounts = resources("Microsoft.Storage/storageAccounts");
    expect(accounts).toHaveLength(2);
    for (const { node } of accounts) {
      expect(property(node, "properties.allowSharedKeyAccess")?.text).toBe("false");
      expect(property(node, "properties.allowBlobPublicAccess")?.text).toBe("false");
      expect(property(node, "properties.minimumTlsVersion")?.text).toBe("'TLS1_2'");
    }
  });

  it("keep versions and deleted blobs in the vaults, and the accounts and keys under a lock", () => {
    const service = declarations(roots.get("app/vault-storage.bicep") ?? never()).find(
      ({ name }) => name === "blobService",
    );
    expect(property(service?.node ?? never(), "properties.isVersioningEnabled")?.text).toBe("true");
    expect(property(service?.node ?? never(), "properties.deleteRetentionPolicy.enabled")?.text).toBe("true");
    expect(resources("Microsoft.Authorization/locks").map(({ node }) => property(node, "scope")?.text)).toEqual(
      expect.arrayContaining(["account", "vault"]),
    );
  });

  it("give the backup identity no right to delete a backup", () => {
    expect(rightsIn("app/backup-role.bicep")).toEqual([
      "Microsoft.Storage/storageAccounts/blobServices/containers/read",
      "${blobs}/read",
      "${blobs}/write",
    ]);
    expect(rolesOnData()).toEqual(
      expect.arrayContaining([
        ["principalId", "backupRoleId"],
        ["keeperPrincipalId", "keeperRoleId"],
      ]),
    );
    expect(rolesOnData()).toHaveLength(2);
  });

  it("let only the keeper remove blobs, and nobody a version of them", () => {
    expect(rightsIn("app/keeper-role.bicep").filter((right) => /delete/i.test(right))).toEqual(["${blobs}/delete"]);
    expect([...files.values()].join("\n")).not.toMatch(/deleteBlobVersion|permanentDelete|\/blobs\/\*/);
    const main = files.get("main.bicep") ?? "";
    expect(main.match(/RESGUARDO_ROLE: '(\w+)'/g)).toEqual(["RESGUARDO_ROLE: 'backup'", "RESGUARDO_ROLE: 'keeper'"]);
    // The keeper's identity and host storage are its own.
    const keeper = main.slice(main.indexOf("module keeperApp"), main.indexOf("module freshnessAlert"));
    expect(keeper).toContain("identityId: keeperIdentity.outputs.id");
    expect(keeper).toContain("hostStorageName: keeperHostStorage.outputs.name");
    expect(keeper).not.toMatch(/: (?:identity|hostStorage)\./);
  });

  it("give the keeper no right to read a secret or to open a backup", () => {
    const assigned = declarations(roots.get("app/key-vault.bicep") ?? never()).filter(
      ({ node }) => property(node, "properties.principalId")?.text === "keeperPrincipalId",
    );
    expect(
      assigned.map(({ node }) => [property(node, "scope")?.text, property(node, "properties.roleDefinitionId")?.text]),
    ).toEqual([["signKey", "cryptoUser"]]);
  });

  it("protect the keys against purging and limit each key to its two operations", () => {
    const [vault] = resources("Microsoft.KeyVault/vaults");
    expect(property(vault?.node ?? never(), "properties.enablePurgeProtection")?.text).toBe("true");
    expect(property(vault?.node ?? never(), "properties.enableRbacAuthorization")?.text).toBe("true");
    const operations = resources("Microsoft.KeyVault/vaults/keys").map(({ node }) =>
      strings(property(node, "properties.keyOps")),
    );
    expect(operations).toEqual([
      ["wrapKey", "unwrapKey"],
      ["sign", "verify"],
    ]);
  });

  it("set only settings that the product knows, and all that it requires", () => {
    const known = Object.keys(settingsSchema.shape);
    const text = `${files.get("main.bicep")}${files.get("app/function-app.bicep")}`;
    const set = [...text.matchAll(/^\s+(RESGUARDO_\w+|AZURE_CLIENT_ID):/gm)].map(([, name]) => name ?? never());
    expect(known).toEqual(expect.arrayContaining(set));
    const required = known.filter((name) => !settingsSchema.safeParse(everySettingBut(name)).success);
    expect(set).toEqual(expect.arrayContaining(required));
  });

  it("are called with parameters that they have, and all that they require", async () => {
    const example: unknown = JSON.parse(await readFile(path.join(INFRA, "main.parameters.json"), "utf8"));
    const given = Object.keys(Object(Object(example).parameters));
    const params = declarations(roots.get("main.bicep") ?? never()).filter(({ kind }) => kind === "param");
    expect(params.map(({ name }) => name)).toEqual(expect.arrayContaining(given));
    expect(given).toEqual(expect.arrayContaining(params.filter(({ required }) => required).map(({ name }) => name)));
  });
});

/** The rights that a custom role gives. */
function rightsIn(file: string): string[] {
  const role = declarations(roots.get(file) ?? never()).find(({ name }) => name === "role");
  return strings(property(role?.node ?? never(), "properties.permissions")).filter((text) => text.includes("/"));
}

/** Who has which role on the data of a vault. */
function rolesOnData(): (string | undefined)[][] {
  const onData = declarations(roots.get("app/vault-storage.bicep") ?? never()).filter(
    ({ node }) => property(node, "scope")?.text === "dataContainer",
  );
  return onData.map(({ node }) => [
    property(node, "properties.principalId")?.text,
    property(node, "properties.roleDefinitionId")?.text,
  ]);
}

function everySettingBut(name: string): Record<string, string> {
  const all = {
    RESGUARDO_POLICY: "policy.json",
    RESGUARDO_LOG_LEVEL: "info",
    RESGUARDO_COMMIT: "c",
    AZURE_CLIENT_ID: "i",
  };
  return Object.fromEntries(Object.entries(all).filter(([key]) => key !== name));
}

function never(): never {
  throw new Error("expected a value, found none");
}
