import { AppError } from "../../lib/core/errors.ts";

/** One HTTP function's route, ready to be matched. */
export interface Route<T> {
  readonly methods: ReadonlySet<string>;
  readonly segments: readonly Segment[];
  readonly value: T;
}

type Segment =
  | { kind: "literal"; text: string }
  | { kind: "parameter"; name: string; optional: boolean; constraint: RegExp | undefined }
  | { kind: "rest"; name: string };

export interface RouteMatch<T> {
  readonly value: T;
  readonly params: Readonly<Record<string, string>>;
}

const CONSTRAINTS: Readonly<Record<string, RegExp>> = {
  alpha: /^[a-z]+$/i,
  bool: /^(?:true|false)$/i,
  guid: /^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i,
  int: /^-?\d{1,10}$/,
  long: /^-?\d{1,19}$/,
};
const SEGMENT = /^\{(?<rest>\*)?(?<name>\w+)(?::(?<constraint>\w+))?(?<optional>\?)?\}$/;

/** Parses a template such as `freshness/{source?}` or `files/{*path}`. Throws HOST_APP_INVALID. */
export function parseRoute<T>(template: string, methods: readonly string[], value: T): Route<T> {
  const parts = template.split("/").filter((part) => part !== "");
  const segments = parts.map((part, index) => parseSegment(part, template, index === parts.length - 1));
  return { methods: new Set(methods.map((method) => method.toUpperCase())), segments, value };
}

function parseSegment(text: string, template: string, last: boolean): Segment {
  if (!/[{}]/.test(text)) return { kind: "literal", text: text.toLowerCase() };
  const groups = SEGMENT.exec(text)?.groups;
  const { name, constraint, rest, optional } = groups ?? {};
  const known = constraint === undefined || constraint in CONSTRAINTS;
  if (name === undefined || !known || ((rest ?? optional) !== undefined && !last)) {
    throw new AppError("HOST_APP_INVALID", `route "${template}": segment "${text}" is not understood`, {
      hint: `Use {name}, {name:${Object.keys(CONSTRAINTS).join("|")}}, and {name?} or {*name} at the end.`,
    });
  }
  if (rest !== undefined) return { kind: "rest", name };
  const pattern = constraint === undefined ? undefined : CONSTRAINTS[constraint];
  return { kind: "parameter", name, optional: optional !== undefined, constraint: pattern };
}

/** Finds the route that answers a method and a path; undefined when there is none. */
export type Router<T> = (method: string, path: string) => RouteMatch<T> | undefined;

/**
 * Tries the most specific route first: literal before constrained parameter before parameter before rest, from left to
 * right. A wrong method finds nothing either: the Functions host answers 404 to both.
 */
export function createRouter<T>(routes: readonly Route<T>[]): Router<T> {
  const ordered = routes.toSorted(bySpecificity);
  return (method, path) => {
    const parts = decodeParts(path);
    if (!parts) return undefined;
    for (const { methods, segments, value } of ordered) {
      const params = methods.has(method.toUpperCase()) ? matchSegments(segments, parts) : undefined;
      if (params) return { value, params };
    }
    return undefined;
  };
}

function decodeParts(path: string): string[] | undefined {
  try {
    return path
      .split("/")
      .filter((part) => part !== "")
      .map(decodeURIComponent);
  } catch {
    // A malformed escape belongs to no route.
    return undefined;
  }
}

function matchSegments(segments: readonly Segment[], parts: readonly string[]): Record<string, string> | undefined {
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const part = parts[index];
    if (segment.kind === "rest") {
      params[segment.name] = parts.slice(index).join("/");
      return params;
    }
    if (part === undefined) {
      if (segment.kind === "parameter" && segment.optional) return params;
      return undefined;
    }
    if (segment.kind === "literal") {
      if (segment.text !== part.toLowerCase()) return undefined;
    } else {
      if (segment.constraint && !segment.constraint.test(part)) return undefined;
      params[segment.name] = part;
    }
  }
  return parts.length > segments.length ? undefined : params;
}

function bySpecificity<T>(a: Route<T>, b: Route<T>): number {
  const length = Math.max(a.segments.length, b.segments.length);
  for (let index = 0; index < length; index++) {
    const difference = rank(a.segments[index]) - rank(b.segments[index]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function rank(segment: Segment | undefined): number {
  if (!segment) return 0;
  if (segment.kind === "literal") return 1;
  if (segment.kind === "rest") return 4;
  return segment.constraint ? 2 : 3;
}
