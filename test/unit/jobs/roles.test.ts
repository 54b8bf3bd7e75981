import { describe, expect, it } from "vitest";
import { kindsOfRole } from "../../../lib/jobs/roles.ts";

const KINDS = ["backup", "ship", "retention", "heal"] as const;

describe("the role of an app", () => {
  it("leaves to the keeper what removes blobs, and nothing else", () => {
    expect(kindsOfRole("backup", KINDS)).toEqual(["backup", "ship"]);
    expect(kindsOfRole("keeper", KINDS)).toEqual(["retention", "heal"]);
    expect(kindsOfRole("all", KINDS)).toEqual(KINDS);
  });
});
