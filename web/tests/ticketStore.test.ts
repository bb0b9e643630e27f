import { beforeEach, describe, expect, it, vi } from "vitest";
import { placeOrder } from "@/api/endpoints";
import { Problem } from "@/api/problem";
import type { OrderBody } from "@/api/types";
import { forgetFault, place, review, useTicket } from "@/ticket/store";

vi.mock("@/api/endpoints", () => ({ placeOrder: vi.fn(), getOrder: vi.fn() }));

const BODY: OrderBody = {
  account_id: "a1", symbol: "AAPL", side: "BUY", quantity: "10", kind: "MARKET", time_in_force: "DAY", product: "NONE", book: "manual",
};
const stage = () => useTicket.getState().stage;

async function refused(): Promise<void> {
  review(BODY);
  await place();
}

beforeEach(() => {
  const held = new Map<string, string>();
  vi.stubGlobal("localStorage", {
    getItem: (key: string) => held.get(key) ?? null,
    setItem: (key: string, value: string) => void held.set(key, value),
    removeItem: (key: string) => void held.delete(key),
  });
  vi.mocked(placeOrder).mockRejectedValue(new Problem(422, "Invalid", "No such lot.", "invalid-input", [{ field: "quantity", message: "is not a lot" }]));
});

describe("what the server said of an attempt", () => {
  it("stands in the form, and is gone once a field changes", async () => {
    await refused();
    expect(stage()).toMatchObject({ at: "form", fault: expect.stringContaining("No such lot") as string });
    forgetFault();
    expect(stage()).toEqual({ at: "form", fault: null, faults: [] });
  });
  it("is all that is forgotten: an order under review stays", async () => {
    await refused();
    forgetFault();
    review({ ...BODY, quantity: "20" });
    forgetFault();
    expect(stage().at).toBe("review");
  });
  it("leaves the form as it is when there is nothing to forget", async () => {
    await refused();
    forgetFault();
    const before = stage();
    forgetFault();
    expect(stage()).toBe(before);
  });
});
