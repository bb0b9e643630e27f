import { describe, expect, it } from "vitest";
import { backoff } from "@/stream/backoff";
import { describe as words, judge } from "@/stream/freshness";

describe("judge", () => {
  it.each([
    ["connecting", null, "connecting", "Connecting"],
    ["waiting", null, "reconnecting", "Reconnecting"],
    ["open", 0, "live", "Live"],
    ["open", 11_999, "live", "Live"],
    ["open", 12_000, "stale", "Stale 12 s"],
    ["waiting", 3_000, "reconnecting", "Reconnecting"],
    ["waiting", 61_500, "stale", "Stale 61 s"],
  ] as const)("%s, silent for %s ms: %s", (phase, silent, kind, text) => {
    const connection = judge(phase, silent === null ? null : 100_000 - silent, 100_000);
    expect(connection.kind).toBe(kind);
    expect(words(connection)).toBe(text);
  });
});

describe("backoff", () => {
  it("doubles up to a quarter of a minute", () => {
    expect([0, 1, 2, 3, 30].map((attempt) => backoff(attempt, () => 1))).toEqual([400, 800, 1_600, 3_200, 15_000]);
  });
  it("spreads over the upper half", () => {
    expect(backoff(3, () => 0)).toBe(1_600);
    expect(backoff(3, () => 0.5)).toBe(2_400);
  });
});
