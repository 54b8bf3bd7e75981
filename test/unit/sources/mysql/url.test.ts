import { describe, expect, it } from "vitest";
import { describeTarget, parseMysqlUrl } from "../../../../lib/sources/mysql/url.ts";

const code = (expected: string) => expect.objectContaining({ code: expected });

describe("parseMysqlUrl", () => {
  it("verifies certificate and name by default, and uses port 3306", () => {
    expect(parseMysqlUrl("mysql://app:secret@db.example.org/")).toEqual({
      host: "db.example.org",
      port: 3306,
      user: "app",
      password: "secret",
      tls: "verify-identity",
    });
  });

  it.each(["p@ss:word/?#[]%", "päß🔑", "'\"\\`$(id)", " ", "+", "%41", "a&b=c"])(
    "reads the password %j",
    (password) => {
      const url = `mysql://app:${encodeURIComponent(password)}@127.0.0.1:3307`;
      expect(parseMysqlUrl(url)).toMatchObject({ password, port: 3307 });
    },
  );

  it.each(["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])("speaks plain text to %s", (host) => {
    expect(parseMysqlUrl(`mysql://app@${host}`).tls).toBe("disabled");
  });

  it.each(["127.0.0.1.example.org", "10.0.0.5", "localhost.example.org", "[::2]"])(
    "refuses plain text to %s",
    (host) => {
      expect(() => parseMysqlUrl(`mysql://app@${host}/?ssl-mode=DISABLED`)).toThrow(code("SOURCE_TLS_REQUIRED"));
    },
  );

  it("takes an authority, and verifies with it on loopback too", () => {
    expect(parseMysqlUrl("mysql://app@localhost/?ssl-ca=/etc/ca.pem")).toMatchObject({
      tls: "verify-identity",
      caPath: "/etc/ca.pem",
    });
    expect(parseMysqlUrl("mysql://app@db/?ssl-mode=verify-ca").tls).toBe("verify-ca");
  });

  it.each([
    "mysql",
    "",
    "postgres://app@db",
    "mysql://db",
    "mysql://app@/",
    "mysql://app@db/shop",
    "mysql://app@db/#x",
    "mysql://app@db?sslmode=off",
    "mysql://app@db?ssl-mode=REQUIRED",
    "mysql://app@db?ssl-ca=",
    "mysql://app@db?ssl-ca=a&ssl-ca=b",
    "mysql://app@localhost?ssl-ca=a&ssl-mode=DISABLED",
    "mysql://app:%zz@db",
    "mysql://app@db:99999",
  ])("refuses %j", (url) => {
    expect(() => parseMysqlUrl(url)).toThrow(code("SOURCE_URL_INVALID"));
  });

  it("repeats no password in its messages", () => {
    const message = (url: string): string => {
      try {
        parseMysqlUrl(url);
        return "";
      } catch (error: unknown) {
        return String(error);
      }
    };
    expect(message("mysql://app:hunter2@db?x=hunter3")).not.toMatch(/hunter/);
    expect(message("mysql://app:hunter2@10.0.0.5?ssl-mode=DISABLED")).not.toMatch(/hunter/);
  });
});

describe("describeTarget", () => {
  it("shows host and port alone", () => {
    expect(describeTarget(parseMysqlUrl("mysql://app:secret@db:3307"))).toBe("db:3307");
    expect(describeTarget(parseMysqlUrl("mysql://app:secret@[::1]"))).toBe("[::1]:3306");
  });
});
