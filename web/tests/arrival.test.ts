import { describe, expect, it, vi } from "vitest";
import { csrfToken } from "@/api/client";
import { cameBackWith, once, tokenOf } from "@/session/arrival";

describe("arriving by an address", () => {
  it("reads the token behind the #, which no server sees", () => {
    expect(tokenOf({ hash: "#abc-_1" })).toBe("abc-_1");
    expect(tokenOf({ hash: "" })).toBe("");
  });

  it("reads state and code, or finds that it was refused elsewhere", () => {
    expect(cameBackWith("?state=s&code=c%2F1")).toEqual({ state: "s", code: "c/1" });
    expect(cameBackWith("?error=access_denied&state=s")).toBeNull();
    expect(cameBackWith("")).toBeNull();
  });

  it("takes what works once a single time, however often it is asked", async () => {
    const take = vi.fn(() => Promise.resolve("in"));
    const taken = once(take);
    expect(take).not.toHaveBeenCalled();
    expect(await Promise.all([taken(), taken()])).toEqual(["in", "in"]);
    expect(take).toHaveBeenCalledTimes(1);
  });

  it("finds the token of the session among the cookies", () => {
    expect(csrfToken("a=1; evenkeel_csrf=0af9; b=2")).toBe("0af9");
    expect(csrfToken("evenkeel_csrf=0af9")).toBe("0af9");
    expect(csrfToken("not_evenkeel_csrf=0af9")).toBe("");
    expect(csrfToken("")).toBe("");
  });
});
