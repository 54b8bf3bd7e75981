import path from "node:path";
import type { Node } from "web-tree-sitter";
import { declarations, descendants, lineOf, parseBicep, property, syntaxErrors, type Declaration } from "./parse.ts";

// The compiler is no npm package; these are its checks that catch most slips: syntax, names, modules and their parameters.

const FUNCTIONS = new Set(
  "any array concat contains empty endsWith fail filter first flatten format guid int items join json last length map max min"
    .concat(" padLeft range reduce replace resourceGroup resourceId sort split startsWith string subscription")
    .concat(" subscriptionResourceId substring take tenant toLower toObject toUpper trim union uniqueString uri")
    .split(" "),
);
const DECORATORS = new Set(
  "allowed batchSize description export maxLength maxValue metadata minLength minValue sealed secure".split(" "),
);

/** Built-in roles that the templates may give, by their GUID. https://learn.microsoft.com/azure/role-based-access-control/built-in-roles */
const BUILT_IN_ROLES: Readonly<Record<string, string>> = {
  "b7e6dc6d-f1e8-4753-8033-0f276bb0955b": "Storage Blob Data Owner",
  "ba92f5b4-2d11-453d-a403-e96b0029c9fe": "Storage Blob Data Contributor",
  "db58b8e5-c6ad-4a2a-8342-4190687cbf4a": "Storage Blob Delegator",
  "974c5e8b-45b9-4653-ba55-5f855dd0fb88": "Storage Queue Data Contributor",
  "4633458b-17de-408a-b875-0445c86b69e6": "Key Vault Secrets User",
  "21090545-7ca7-4776-b22c-e363652d74d2": "Key Vault Reader",
  "12338af0-0e69-4776-bea7-57ae8d297424": "Key Vault Crypto User",
  "3913510d-42f4-4e42-8a64-420c390055eb": "Monitoring Metrics Publisher",
};

/** Every problem of a set of templates (path to text), as `file:line: problem`. Modules are looked up in the set. */
export async function checkBicep(files: ReadonlyMap<string, string>): Promise<string[]> {
  const roots = new Map<string, Node>();
  for (const [file, text] of files) roots.set(file, await parseBicep(text));
  const problems: string[] = [];
  for (const [file, root] of roots) {
    const report = (node: Node, problem: string): void => void problems.push(`${file}:${lineOf(node)}: ${problem}`);
    problems.push(...syntaxErrors(root).map((error) => `${file}:${error}: not Bicep`));
    checkNames(root, report);
    checkRoles(root, report);
    for (const declared of declarations(root)) {
      if (declared.kind === "module") checkModule(declared, root, roots.get(moduleFile(file, declared)), report);
    }
  }
  return problems;
}

type Report = (node: Node, problem: string) => void;

function moduleFile(from: string, module: Declaration): string {
  return path.posix.join(path.posix.dirname(from), module.reference ?? "");
}

function checkNames(root: Node, report: Report): void {
  const declared = declarations(root);
  const names = declared.filter(({ kind }) => kind !== "output").map(({ name }) => name);
  const used = new Set<string>();
  for (const { name, node } of references(root)) {
    used.add(name);
    if (!names.includes(name) && !localNames(node).has(name)) report(node, `"${name}" is not declared`);
  }
  for (const { kind, name, node } of declared) {
    if ((kind === "param" || kind === "var") && !used.has(name)) report(node, `${kind} "${name}" is never used`);
    if (names.indexOf(name) !== names.lastIndexOf(name)) report(node, `"${name}" is declared twice`);
  }
  for (const call of descendants(root).filter((node) => node.type === "call_expression")) {
    const name = call.namedChildren[0];
    if (name?.type !== "identifier") continue;
    const known = call.parent?.type === "decorator" ? DECORATORS : FUNCTIONS;
    if (!known.has(name.text)) report(call, `"${name.text}" is no known function`);
  }
}

/** Identifiers that stand for a value; the names of declarations, properties, functions and loop variables do not. */
function references(root: Node): { name: string; node: Node }[] {
  return descendants(root)
    .filter((node) => node.type === "identifier" && !isNameOnly(node))
    .map((node) => ({ name: node.text, node }));
}

function isNameOnly(node: Node): boolean {
  const parent = node.parent;
  const isFirst = parent?.namedChildren[0]?.id === node.id;
  const firstIsName = /_declaration$|^object_property$|^call_expression$|^lambda_expression$|^for_statement$/;
  return isFirst && firstIsName.test(parent.type);
}

/** Names of the loops and lambdas around a node. */
function localNames(node: Node): Set<string> {
  const names = new Set<string>();
  for (let around = node.parent; around; around = around.parent) {
    if (around.type !== "for_statement" && around.type !== "lambda_expression") continue;
    const name = around.namedChildren[0];
    if (name) for (const inner of descendants(name)) names.add(inner.text);
  }
  return names;
}

function checkRoles(root: Node, report: Report): void {
  for (const node of descendants(root)) {
    const isGuid = node.type === "string_content" && /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i.test(node.text);
    if (isGuid && !(node.text in BUILT_IN_ROLES)) report(node, `"${node.text}" is no role that this project gives`);
  }
}

function checkModule(module: Declaration, caller: Node, target: Node | undefined, report: Report): void {
  if (!target) return report(module.node, `module "${module.reference}" does not exist`);
  const wanted = declarations(target);
  const params = wanted.filter(({ kind }) => kind === "param");
  const given = (property(module.node, "params")?.namedChildren ?? []).flatMap((node) => node.namedChildren[0] ?? []);
  for (const name of given) {
    if (!params.some((param) => param.name === name.text))
      report(name, `${module.name} has no parameter "${name.text}"`);
  }
  for (const { name, required } of params) {
    if (required && !given.some((node) => node.text === name)) report(module.node, `${module.name} needs "${name}"`);
  }
  const outputs = wanted.filter(({ kind }) => kind === "output").map(({ name }) => name);
  for (const [, name] of caller.text.matchAll(new RegExp(`\\b${module.name}\\.outputs\\.(\\w+)`, "g"))) {
    if (name && !outputs.includes(name)) report(module.node, `${module.name} has no output "${name}"`);
  }
}
