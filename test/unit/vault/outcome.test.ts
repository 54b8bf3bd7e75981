import { describe, expect, it } from "vitest";
import { AppError } from "../../../lib/core/errors.ts";
import { VaultOutcomes } from "../../../lib/vault/outcome.ts";
import { memoryVault } from "../../support/vault-fixture.ts";

const refused = new AppError("STORAGE_REFUSED", "no right to write");
const down = new AppError("STORAGE_UNAVAILABLE", "no answer", { hint: "Try again." });

function two() {
  const [a, b] = [memoryVault("a"), memoryVault("b")];
  return { a, b, outcomes: new VaultOutcomes([a, b]) };
}

describe("the outcomes of several vaults", () => {
  it("keep a vault out once it failed, with its first error", async () => {
    const { a, b, outcomes } = two();
    outcomes.fail(a, refused);
    outcomes.fail(a, down);
    expect(await outcomes.forEach(async ({ name }) => name)).toEqual([{ vault: b, result: "b" }]);
    expect(outcomes.report()).toEqual([
      { vault: "a", state: "behind", error: { code: "STORAGE_REFUSED", message: "no right to write" } },
      { vault: "b", state: "done" },
    ]);
  });

  it("throw the one error of the one vault as it is", () => {
    const vault = memoryVault();
    const outcomes = new VaultOutcomes([vault]);
    outcomes.fail(vault, refused);
    expect(() => outcomes.assertAnyLeft()).toThrow(refused);
  });

  it("are worth a retry when one of the failures is", () => {
    const { a, b, outcomes } = two();
    outcomes.fail(a, refused);
    outcomes.fail(b, down);
    expect(() => outcomes.assertAnyLeft()).toThrow(
      expect.objectContaining({
        code: "STORAGE_UNAVAILABLE",
        retryable: true,
        hint: "Try again.",
        message: "all 2 vaults failed: a: no right to write; b: no answer",
      }),
    );
  });
});
