import path from "node:path";
import { whyForbidden } from "./layers.ts";

/** What these rules read of a syntax node (ESTree). */
interface Node {
  readonly type: string;
  readonly name?: string;
  readonly value?: unknown;
  readonly source?: Node | null;
  readonly callee?: Node;
}

/** What these rules use of the linter's context. */
interface RuleContext {
  readonly cwd: string;
  readonly filename: string;
  report(problem: { node: Node; message: string }): void;
}

/** Imports against the arrows of the house: static, dynamic, re-exported and of types alone. */
const arrows = {
  create(context: RuleContext) {
    const from = path.relative(context.cwd, context.filename).split(path.sep).join("/");
    const check = (node: Node): void => {
      if (typeof node.source?.value !== "string") return;
      const reason = whyForbidden(from, node.source.value);
      if (reason !== undefined) context.report({ node, message: reason });
    };
    return {
      ImportDeclaration: check,
      ImportExpression: check,
      ExportNamedDeclaration: check,
      ExportAllDeclaration: check,
      TSImportType: check,
    };
  },
};

/** `new Promise((resolve) => setTimeout(resolve, …))`: a test waits for a condition, not for a time. */
const noBareSleep = {
  create(context: RuleContext) {
    let openPromises = 0;
    return {
      NewExpression(node: Node): void {
        if (node.callee?.name === "Promise") openPromises++;
      },
      "NewExpression:exit"(node: Node): void {
        if (node.callee?.name === "Promise") openPromises--;
      },
      CallExpression(node: Node): void {
        if (openPromises === 0 || node.callee?.name !== "setTimeout") return;
        context.report({ node, message: "a bare sleep: poll for the condition with a deadline instead" });
      },
    };
  },
};

export default { meta: { name: "house" }, rules: { arrows, "no-bare-sleep": noBareSleep } };
