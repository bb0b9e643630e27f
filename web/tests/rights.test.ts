import { describe, expect, it } from "vitest";
import type { Permission, Share, User } from "@/api/types";
import { lentTo, mayDo, NOTHING_LENT } from "@/session/rights";

const person = (...permissions: Permission[]) => ({ id: "u", username: "ann", role: "x", permissions }) as User;
const VIEWER = person("read", "self");
const TRADER = person("read", "reduce", "trade", "manage", "self");
const share = (account_id: string, in_force: Share["in_force"], mine = false) => ({ account_id, in_force, mine }) as Share;

describe("what the desk offers", () => {
  it("is nothing to nobody, and to a viewer what only looks", () => {
    expect(mayDo(null, NOTHING_LENT, "read")).toBe(false);
    const offered = (["read", "reduce", "trade", "manage", "admin"] as const).filter((one) => mayDo(VIEWER, NOTHING_LENT, one));
    expect(offered).toEqual(["read"]);
  });

  it("is in a lent account what was lent, and in one's own all that the role grants", () => {
    const lent = lentTo([share("a1", "reduce"), share("a2", "trade"), share("a3", null), share("mine", "read", true)]);
    expect((["reduce", "trade"] as const).map((one) => mayDo(TRADER, lent, one, ["a1"]))).toEqual([true, false]);
    expect(mayDo(TRADER, lent, "trade", ["a2"])).toBe(true);
    expect(mayDo(TRADER, lent, "manage", ["a2"])).toBe(false);
    expect(mayDo(TRADER, lent, "read", ["a3"])).toBe(false);
    expect(mayDo(TRADER, lent, "manage", ["mine"])).toBe(true);
    expect(mayDo(TRADER, lent, "trade")).toBe(true);
  });

  it("is of several accounts what all of them allow", () => {
    const lent = lentTo([share("a1", "reduce")]);
    expect(mayDo(TRADER, lent, "trade", ["mine", "a1"])).toBe(false);
    expect(mayDo(TRADER, lent, "reduce", ["mine", "a1"])).toBe(true);
  });

  it("is never more than the role, whatever was lent", () =>
    expect(mayDo(VIEWER, lentTo([share("a1", "trade")]), "trade", ["a1"])).toBe(false));
});
