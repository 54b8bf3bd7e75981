import { describe, expect, it } from "vitest";
import { AppError } from "../../../lib/core/errors.ts";
import { canonicalJson, findSource, parsePolicy } from "../../../lib/core/policy.ts";

type Json = Record<string, unknown>;

/** The policy of the design document, as text would give it. */
function document() {
  return {
    environment: "production",
    vaults: {
      primary: { kind: "azure-blob", url: { env: "PRIMARY_BLOB_URL" }, container: "resguardo" } as Json,
      offsite: { kind: "directory", path: "./offsite" } as Json,
    } as Record<string, Json>,
    keys: {
      encrypt: {
        kind: "file",
        publicKey: "keys/encrypt.pub.pem",
        privateKey: { env: "RESGUARDO_DECRYPT_KEY" },
      } as Json,
      breakGlass: { publicKey: "keys/break-glass.pub.pem" } as Json,
      sign: { kind: "key-vault", keyUrl: "https://example.vault.azure.net/keys/sign" } as Json,
    } as Json,
    sources: [
      {
        name: "shop",
        kind: "mysql",
        url: { env: "SHOP_MYSQL_URL" },
        databases: ["ecommerce"],
        vaults: ["primary", "offsite"],
        rpo: "15m",
        rto: "1h",
        schedule: { full: "0 0 3 * * *", ship: "0 * * * * *", verify: "0 30 * * * *" },
        retention: { full: "7d", log: "7d" },
        restoreTests: [
          { kind: "pitr", schedule: "0 0 5 1 * *", target: { env: "SCRATCH_MYSQL_URL" } },
          { kind: "from-zero", schedule: "0 0 6 1 */3 *", target: { env: "STAGING_MYSQL_URL" } },
        ],
      } as Json,
    ],
  };
}

type Document = ReturnType<typeof document>;

function parse(change: (policy: Document) => void = () => undefined) {
  const policy = document();
  change(policy);
  return parsePolicy(JSON.stringify(policy), "/etc/resguardo");
}

function refusal(change: (policy: Document) => void): string {
  try {
    parse(change);
  } catch (error: unknown) {
    if (error instanceof AppError && error.code === "POLICY_INVALID") return error.message;
    throw error;
  }
  throw new Error("expected a refusal, found an accepted policy");
}

describe("parsePolicy", () => {
  it("takes the policy of the design document and fills in defaults", () => {
    const { policy, baseDir } = parse();
    expect(policy.sources[0]).toMatchObject({ users: false, connections: 2, excludeTables: [] });
    expect(policy.alerts).toEqual({});
    expect(baseDir).toBe("/etc/resguardo");
  });

  it("ignores the hint for editors", () => {
    const withHint = parse((policy) => Object.assign(policy, { $schema: "../docs/policy.schema.json" }));
    expect(withHint.hash).toBe(parse().hash);
    expect(withHint.policy).not.toHaveProperty("$schema");
  });

  it("gives the same hash for any layout and order of keys, and another for another meaning", () => {
    const reordered = Object.fromEntries(Object.entries(document()).toReversed());
    expect(parsePolicy(JSON.stringify(reordered, null, 4), "/elsewhere").hash).toBe(parse().hash);
    expect(parse((policy) => (policy.environment = "staging")).hash).not.toBe(parse().hash);
    expect(parse().hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it("names every problem at once, cross references among broken fields too", () => {
    const message = refusal((policy) => {
      policy.environment = "Production!";
      policy.vaults["offsite"] = { kind: "s3", bucket: "b" };
      delete policy.keys["breakGlass"];
      Object.assign(policy.sources[0] ?? {}, {
        rpo: "15 min",
        schedule: { full: "daily" },
        vaults: ["primary", "primary", "elsewhere"],
        connections: 0,
        excludeTables: ["orders"],
        compress: true,
      });
    });
    for (const field of [
      "environment: expected lower-case letters",
      "vaults.offsite.kind: ",
      "keys.breakGlass: missing",
      'sources.0.rpo: expected a duration such as "15m"',
      "sources.0.schedule.full: expected an NCRONTAB schedule",
      "sources.0.vaults.1: named twice",
      "sources.0.vaults.2: no vault of that name",
      "sources.0.connections: ",
      'sources.0.excludeTables.0: expected "schema.table"',
      "sources.0.compress: unknown field",
    ]) {
      expect(message).toContain(field);
    }
    expect(message).toMatch(/^the policy has 10 problem\(s\): /);
  });

  it("never shows a value, whatever field it stands in by mistake", () => {
    const secret = "hunter2";
    const paths = leaves(document());
    expect(paths.length).toBeGreaterThan(30);
    for (const path of paths) {
      for (const value of [
        secret,
        `mysql://root:${secret}@db/`,
        [secret],
        { env: secret, secret },
        { [`a-${secret.length}`]: secret },
      ]) {
        const changed = document();
        put(changed, path, value);
        try {
          parsePolicy(JSON.stringify(changed), "/");
        } catch (error: unknown) {
          expect(error).toBeInstanceOf(AppError);
          expect(String(error), path.join(".")).not.toContain(secret);
        }
      }
    }
  });

  it.each([
    [
      "a source of an unknown kind",
      (policy: Document) => put(policy, ["sources", 0, "kind"], "oracle"),
      "sources.0.kind",
    ],
    [
      "a password in place of a reference",
      (policy: Document) => put(policy, ["sources", 0, "url"], "x"),
      "sources.0.url: expected {",
    ],
    [
      "a reference to two things",
      (policy: Document) => put(policy, ["sources", 0, "url"], { env: "A", secret: "B" }),
      "sources.0.url",
    ],
    [
      "a reference to an empty name",
      (policy: Document) => put(policy, ["sources", 0, "url"], { env: "" }),
      "sources.0.url",
    ],
    [
      "two sources of one name",
      (policy: Document) => void policy.sources.push(...policy.sources),
      "sources.1.name: used twice",
    ],
    ["no source", (policy: Document) => void policy.sources.splice(0), "sources"],
    ["no vault", (policy: Document) => put(policy, ["vaults"], {}), "vaults: expected at least one vault"],
    [
      "a vault that only objects have",
      (policy: Document) => put(policy, ["sources", 0, "vaults"], ["constructor"]),
      "sources.0.vaults.0: no vault",
    ],
    ["a source in no vault", (policy: Document) => put(policy, ["sources", 0, "vaults"], []), "sources.0.vaults"],
    [
      "a vault with a name no path can hold",
      (policy: Document) => put(policy, ["vaults", "../up"], {}),
      "vaults.../up: expected lower-case",
    ],
    [
      "a container that Azure refuses",
      (policy: Document) => put(policy, ["vaults", "primary", "container"], "A"),
      "vaults.primary.container",
    ],
    [
      "a vault reached in two ways",
      (policy: Document) => put(policy, ["vaults", "primary", "connectionString"], { env: "C" }),
      "exactly one of url and connectionString",
    ],
    [
      "a key vault key without a URL",
      (policy: Document) => put(policy, ["keys", "sign", "keyUrl"], "sign"),
      "keys.sign.keyUrl",
    ],
  ])("refuses %s", (_what, change, problem) => {
    expect(refusal(change)).toContain(problem);
  });

  it.each(["", "{", "{'environment': 1}", "// no JSON"])(
    "says of %j that it is not JSON, and quotes nothing of it",
    (text) => {
      expect(() => parsePolicy(text, "/")).toThrow(
        expect.objectContaining({ code: "POLICY_UNREADABLE", message: "the policy is not JSON" }),
      );
    },
  );

  it.each(["null", "[]", "1", '"text"'])("refuses %s, which is JSON and no policy", (text) => {
    expect(() => parsePolicy(text, "/")).toThrow(expect.objectContaining({ code: "POLICY_INVALID" }));
  });
});

describe("findSource", () => {
  it("finds a source by its name", () => {
    expect(findSource(parse().policy, "shop").kind).toBe("mysql");
  });

  it("names the sources there are when there is none of that name", () => {
    expect(() => findSource(parse().policy, "shopp")).toThrow(
      expect.objectContaining({ code: "SOURCE_UNKNOWN", message: expect.stringContaining('expected one of "shop"') }),
    );
  });
});

describe("canonicalJson", () => {
  it("is the same for equal values, whatever the order of their keys", () => {
    expect(canonicalJson({ b: [{ d: 1, c: null }], a: "x" })).toBe('{"a":"x","b":[{"c":null,"d":1}]}');
    expect(canonicalJson({ a: "x", b: [{ c: null, d: 1 }] })).toBe('{"a":"x","b":[{"c":null,"d":1}]}');
  });

  it("keeps the order of lists", () => {
    expect(canonicalJson([2, 1])).toBe("[2,1]");
  });
});

type Path = readonly (string | number)[];

/** The path of every value in a document that is no object or list. */
function leaves(value: unknown, path: Path = []): Path[] {
  if (value === null || typeof value !== "object") return [path];
  return Object.entries(value).flatMap(([key, inner]) =>
    leaves(inner, [...path, Array.isArray(value) ? Number(key) : key]),
  );
}

function put(target: object, path: Path, value: unknown): void {
  const holder = path.slice(0, -1).reduce<object>((inner, key) => Object(Reflect.get(inner, key)), target);
  Reflect.set(holder, path.at(-1) ?? "", value);
}
