import { fileURLToPath } from "node:url";
import { Language, Parser, type Node } from "web-tree-sitter";

const GRAMMAR = fileURLToPath(import.meta.resolve("tree-sitter-bicep/tree-sitter-bicep.wasm"));

let parser: Promise<Parser> | undefined;

async function makeParser(): Promise<Parser> {
  await Parser.init();
  return new Parser().setLanguage(await Language.load(GRAMMAR));
}

/** The syntax tree of a template. A text that is not Bicep gives a tree with error nodes; see `syntaxErrors`. */
export async function parseBicep(text: string): Promise<Node> {
  parser ??= makeParser();
  const tree = (await parser).parse(text);
  if (!tree) throw new Error("expected a syntax tree, found none");
  return tree.rootNode;
}

/** Where the text is not Bicep, as `line: text`. */
export function syntaxErrors(root: Node): string[] {
  return descendants(root)
    .filter((node) => node.isError || node.isMissing)
    .map((node) => `${lineOf(node)}: ${node.isMissing ? `missing ${node.type}` : (node.text.split("\n")[0] ?? "")}`);
}

/** The node itself and everything below it, in the order of the text. */
export function descendants(node: Node): Node[] {
  return [node, ...node.children.flatMap((child) => descendants(child))];
}

export function lineOf(node: Node): number {
  return node.startPosition.row + 1;
}

export interface Declaration {
  kind: "param" | "var" | "resource" | "module" | "output";
  name: string;
  node: Node;
  /** Of a resource its type with the version, of a module its path. */
  reference: string | undefined;
  /** Whether a parameter has to be given. */
  required: boolean;
}

const KINDS: Readonly<Record<string, Declaration["kind"]>> = {
  parameter_declaration: "param",
  variable_declaration: "var",
  resource_declaration: "resource",
  module_declaration: "module",
  output_declaration: "output",
};

/** What a template declares, in order. */
export function declarations(root: Node): Declaration[] {
  return root.namedChildren.flatMap((node) => {
    const kind = KINDS[node.type];
    const [name, second] = node.namedChildren;
    if (kind === undefined || name === undefined) return [];
    const reference = second?.type === "string" ? second.text.slice(1, -1) : undefined;
    const isNullable = descendants(node).some((inner) => inner.type === "nullable_type");
    return [{ kind, name: name.text, node, reference, required: node.namedChildren.length === 2 && !isNullable }];
  });
}

/** The value at a path of property names inside a declaration: `properties.deleteRetentionPolicy.enabled`. */
export function property(declaration: Node, path: string): Node | undefined {
  let value: Node | undefined = bodyOf(declaration);
  for (const key of path.split(".")) {
    const found: Node | undefined = value?.namedChildren.find(
      (child) => child.type === "object_property" && child.namedChildren[0]?.text === key,
    );
    value = found?.namedChildren[1];
  }
  return value;
}

/** The object of a declaration, also where it stands behind a condition or in a loop. */
function bodyOf(declaration: Node): Node | undefined {
  const last = declaration.namedChildren.at(-1);
  return last?.type === "if_statement" || last?.type === "for_statement" ? last.namedChildren.at(-1) : last;
}
