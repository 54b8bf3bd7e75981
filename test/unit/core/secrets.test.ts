import { describe, expect, it } from "vitest";
import { secretResolver } from "../../../lib/core/secrets.ts";

describe("secretResolver", () => {
  it("reads an environment variable at each call, so that a rotated secret is seen", async () => {
    const env: Record<string, string> = { SHOP_URL: "first" };
    const resolve = secretResolver(env);
    expect(await resolve({ env: "SHOP_URL" }, "sources.0.url")).toBe("first");
    env["SHOP_URL"] = "second";
    expect(await resolve({ env: "SHOP_URL" }, "sources.0.url")).toBe("second");
  });

  it.each([{}, { SHOP_URL: "" }, { SHOP_URL: undefined }])(
    "names field and variable when there is no value in %j",
    async (env) => {
      await expect(secretResolver(env)({ env: "SHOP_URL" }, "sources.0.url")).rejects.toMatchObject({
        code: "SETTING_MISSING",
        message: 'sources.0.url: environment variable "SHOP_URL" is not set',
      });
    },
  );

  it("asks the key service for secrets, by their name", async () => {
    const asked: string[] = [];
    const resolve = secretResolver({}, async (name) => (asked.push(name), "value"));
    expect(await resolve({ secret: "shop-url" }, "sources.0.url")).toBe("value");
    expect(asked).toEqual(["shop-url"]);
  });

  it("says what the policy lacks when a secret is named and no Key Vault", async () => {
    await expect(secretResolver({})({ secret: "shop-url" }, "sources.0.url")).rejects.toMatchObject({
      code: "SETTING_MISSING",
      hint: expect.stringContaining('"keyVault"'),
    });
  });
});
