import { describe, expect, it } from "vitest";
import type { Halt } from "@/api/types";
import { progressOf } from "@/desk/halts";
import { POLICIES } from "@/stream/protocol";

const halt = (more: Partial<Halt>) =>
  ({ state: "working", keep_positions: false, orders_left: 0, positions_left: 0, ...more }) as Halt;

describe("a panic", () => {
  it("says how far it is", () => {
    expect(progressOf(halt({ orders_left: 1, positions_left: 2 }))).toBe("At work: 1 order and 2 positions are left.");
    expect(progressOf(halt({ state: "stuck", positions_left: 1 }))).toContain("stuck: 0 orders and 1 position are left");
    expect(progressOf(halt({ state: "done" }))).toContain("nothing is held");
    expect(progressOf(halt({ state: "done", keep_positions: true }))).toContain("what was held is kept");
  });

  it("leaves the desk once it is resumed", () => {
    expect(POLICIES.halts.gone?.(halt({ state: "resumed" }))).toBe(true);
    expect(POLICIES.halts.gone?.(halt({ state: "done" }))).toBe(false);
  });
});
