import { describe, expect, it } from "vitest";
import { add, compare, divide, type Exact, isMultiple, multiply, parse, round, shift, sum, toShortText, toText } from "@/format/decimal";
import { MINUS, show, showMoney, showPercent, showPrice } from "@/format/number";

const exact = (text: string): Exact => {
  const value = parse(text);
  if (!value) throw new Error(`${text} is not a decimal`);
  return value;
};

describe("parse", () => {
  it.each([
    ["0", "0"],
    ["-0.10", "-0.10"],
    ["+12.5", "12.5"],
    [".5", "0.5"],
    ["7.", "7"],
    ["1E+3", "1000"],
    ["0E-10", "0.0000000000"],
    ["12.345e-2", "0.12345"],
    ["12345678901234567890123456789012345.678", "12345678901234567890123456789012345.678"],
  ])("reads %s as %s", (text, expected) => expect(toText(exact(text))).toBe(expected));

  it.each(["", "-", ".", "NaN", "Infinity", "1,000", "1.2.3", "0x10", "ten"])("refuses %j", (text) =>
    expect(parse(text)).toBeNull(),
  );
});

describe("arithmetic", () => {
  it("adds without a float's error", () => expect(toText(add(exact("0.1"), exact("0.2")))).toBe("0.3"));
  it("keeps every digit of a product", () =>
    expect(toText(multiply(exact("123456789.123456789"), exact("-0.000000001")))).toBe("-0.123456789123456789"));
  it("compares across scales", () => {
    expect(compare(exact("1.50"), exact("1.5"))).toBe(0);
    expect(compare(exact("-2"), exact("-1.999"))).toBe(-1);
  });
  it("sums nothing to zero", () => expect(toText(sum([]))).toBe("0"));
  it.each([
    ["2.5", 0, "2"],
    ["3.5", 0, "4"],
    ["-2.5", 0, "-2"],
    ["0.125", 2, "0.12"],
    ["0.1251", 2, "0.13"],
    ["999.999", 2, "1000.00"],
  ])("rounds %s to %i digits, half to even: %s", (text, digits, expected) =>
    expect(toText(round(exact(text), digits))).toBe(expected));
  it("divides to the digits asked for", () => {
    expect(toText(divide(exact("1"), exact("3"), 6) as Exact)).toBe("0.333333");
    expect(toText(divide(exact("-2"), exact("3"), 2) as Exact)).toBe("-0.67");
    expect(toText(divide(exact("1.23456"), exact("1"), 2) as Exact)).toBe("1.23");
    expect(divide(exact("1"), exact("0.00"), 2)).toBeNull();
  });
  it("knows multiples of a tick", () => {
    expect(isMultiple(exact("41.12"), exact("0.01"))).toBe(true);
    expect(isMultiple(exact("41.125"), exact("0.01"))).toBe(false);
    expect(isMultiple(exact("100"), exact("0.05"))).toBe(true);
  });
  it("shifts to per cent", () => expect(toShortText(shift(exact("0.1250"), 2))).toBe("12.5"));
});

describe("what is shown", () => {
  it.each([
    ["1234567.5", "1,234,567.50"],
    ["-1234.567", `${MINUS}1,234.57`],
    ["0.004", "0.00"],
    ["-0.004", "0.00"],
    ["999", "999.00"],
    ["90071992547409931234.55", "90,071,992,547,409,931,234.55"],
  ])("money %s is %s", (text, expected) => expect(showMoney(text, "USD").text).toBe(expected));

  it("signs what it is told to", () => {
    expect(showMoney("12", "USD", true)).toEqual({ text: "+12.00", sign: 1 });
    expect(showMoney("0.00", "USD", true)).toEqual({ text: "0.00", sign: 0 });
    expect(showMoney("-0.001", "USD", true)).toEqual({ text: "0.00", sign: 0 });
  });
  it.each([["JPY", "1,234"], ["CLP", "1,234"], ["KWD", "1,234.500"], ["USDT", "1,234.500000"]])(
    "knows the places of %s", (currency, shown) => expect(showMoney("1234.5", currency).text).toBe(shown),
  );
  it("shows fractions as per cent", () => {
    expect(showPercent("0.0123").text).toBe("1.23\u00a0%");
    expect(showPercent("-1").text).toBe(`${MINUS}100.00\u00a0%`);
  });
  it("keeps the digits of a price", () => {
    expect(showPrice("1.08345").text).toBe("1.08345");
    expect(showPrice("41").text).toBe("41.00");
  });
  it("shows a dash for what is not there", () => {
    expect(show(null).text).toBe("–");
    expect(showMoney("not a number", "USD").text).toBe("–");
  });
});
