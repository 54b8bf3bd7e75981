import { describe, expect, it } from "vitest";
import { createLogger, maskSecrets, silentLogger, type LogLevel } from "../../../lib/core/log.ts";

const NOW = new Date("2026-11-21T23:04:13.123Z");

function recorder() {
  const lines: { level: LogLevel; line: string }[] = [];
  const logger = createLogger(
    (level, line) => void lines.push({ level, line }),
    () => NOW,
  );
  return { logger, lines, last: (): unknown => JSON.parse(lines.at(-1)?.line ?? "null") };
}

describe("createLogger", () => {
  it("writes one JSON line an event, stamped by its clock", () => {
    const { logger, lines, last } = recorder();
    logger.info("backup-finished", { source: "shop", durationMs: 12 });
    expect(lines).toHaveLength(1);
    expect(last()).toEqual({
      time: "2026-11-21T23:04:13.123Z",
      level: "info",
      event: "backup-finished",
      source: "shop",
      durationMs: 12,
    });
  });

  it.each(["debug", "info", "warn", "error"] as const)("tells the sink the level %s", (level) => {
    const { logger, lines } = recorder();
    logger[level]("event");
    expect(lines[0]?.level).toBe(level);
  });

  it("adds a child's fields to each of its lines and to none of its parent's", () => {
    const { logger, last } = recorder();
    const child = logger.child({ source: "shop" }).child({ run: "r1" });
    child.warn("late", { lagSeconds: 9 });
    expect(last()).toMatchObject({ source: "shop", run: "r1", lagSeconds: 9 });
    logger.warn("late");
    expect(last()).not.toHaveProperty("source");
  });

  it("keeps a line one line, whatever a text holds", () => {
    const { logger, lines } = recorder();
    logger.error("odd", { text: 'a\nb\r\n{"level":"info"}\u2028' });
    expect(lines[0]?.line).not.toMatch(/[\n\r]/);
  });

  it("writes big integers as text", () => {
    const { logger, last } = recorder();
    logger.info("counted", { rows: 2n ** 64n });
    expect(last()).toMatchObject({ rows: "18446744073709551616" });
  });
});

describe("secrets in a log", () => {
  const SECRET = "hunter2";

  it.each([
    ["a URL", `connect to mysql://root:${SECRET}@db:3306/ failed`],
    ["a URL whose password holds an @", `mysql://root:p@${SECRET}@db/`],
    ["a URL whose password holds a quote", `mysql://root:"${SECRET}@db/`],
    ["a URL with a password alone", `redis://:${SECRET}@cache:6379`],
    ["a connection string", `AccountName=a;AccountKey=${SECRET}==;EndpointSuffix=core.windows.net`],
    ["a connection string that begins with the key", `AccountKey=${SECRET}==`],
    ["a SAS", `https://a.blob.core.windows.net/c?sv=2026&sig=${SECRET}%3D&se=2027`],
    ["a password option", `--host=db password=${SECRET} port=1`],
    ["a token", `Authorization: Bearer ${SECRET}.abc-def`],
    ["a PEM key", `-----BEGIN PRIVATE KEY-----\n${SECRET}\n-----END PRIVATE KEY-----`],
    ["a PEM key that was cut off", `-----BEGIN EC PRIVATE KEY-----\n${SECRET}`],
  ])("are masked in %s, at any depth", (_where, text) => {
    const { logger, lines } = recorder();
    logger.child({ base: text }).error("failed", { text, deep: { list: [text] } });
    expect(lines[0]?.line).not.toContain(SECRET);
    expect(lines[0]?.line).toContain("***");
  });

  it("never come through, whatever characters a password has", () => {
    const characters = "aZ9!$%^&*()_+=-[]{}|;:'\",.<>?~`@#\\";
    for (const [index, first] of characters.split("").entries()) {
      for (const last of characters.slice(index)) {
        const password = `${first}${SECRET}${last}`;
        const { logger, lines } = recorder();
        logger.info("failed", { text: `mysql://root:${password}@db:3306/shop is not there` });
        expect(lines[0]?.line, password).not.toContain(SECRET);
        expect(lines[0]?.line, password).toContain("db:3306/shop is not there");
      }
    }
  });

  it.each([
    "mysql://db:3306/shop",
    "https://example.com/a?b=c",
    "user@example.com wrote",
    "GRANT SELECT ON *.* TO 'backup'@'%'",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
  ])("are not seen where there are none: %s", (text) => {
    expect(maskSecrets(text)).toBe(text);
  });
});

describe("silentLogger", () => {
  it("takes every event and gives children", () => {
    expect(() => silentLogger.child({ a: 1 }).error("event", { b: 2 })).not.toThrow();
  });
});
