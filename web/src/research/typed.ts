import type { Parameter, Scalar } from "@/api/types";
import { parse, shift, toShortText } from "@/format/decimal";

const STRETCH = /^(-?\d+(?:\.\d+)?)\s*(?:\.\.|–|to)\s*(-?\d+(?:\.\d+)?)(?:\s*(?:by|step)\s*(\d+(?:\.\d+)?))?$/i;

export function scalarOf(text: string, type: string): Scalar | null {
  const trimmed = text.trim();
  if (type === "text") return trimmed;
  if (type === "bool") return /^(true|yes)$/i.test(trimmed) ? true : /^(false|no)$/i.test(trimmed) ? false : null;
  const exact = parse(trimmed);
  if (!exact) return null;
  const value = Number(toShortText(exact));
  return type === "int" && !Number.isInteger(value) ? null : value;
}

export type Axis = Scalar[] | { low: number; high: number; step: number | null };

/** `5..25 by 5`, or values with commas between; null where it is neither. A whole number steps by one. */
export function axisOf(text: string, type: string): Axis | null {
  const found = STRETCH.exec(text.trim());
  if (found && type !== "text" && type !== "bool") {
    const [low, high] = [Number(found[1]), Number(found[2])];
    const step = found[3] === undefined ? (type === "int" ? 1 : null) : Number(found[3]);
    return Number.isFinite(low) && Number.isFinite(high) && low <= high && (step === null || step > 0) ? { low, high, step } : null;
  }
  const values = text.split(",").map((one) => scalarOf(one, type));
  return values.length > 0 && values.every((value): value is Scalar => value !== null && value !== "") ? values : null;
}

/** Whether the text asks for more than one value. */
export const isAxis = (text: string, type: string): boolean => type !== "text" && (text.includes(",") || STRETCH.test(text.trim()));

const HINTS: Record<string, string> = { int: "a whole number", float: "a number", bool: "yes or no", text: "a text" };

/** What one may type for a parameter: its kind, and the bounds it has. */
export function hintOf({ type, minimum, maximum }: Pick<Parameter, "type" | "minimum" | "maximum">): string {
  const bounds = minimum !== null && maximum !== null ? ` from ${minimum} to ${maximum}` : "";
  return `${HINTS[type] ?? type}${bounds}`;
}

/** A per cent as typed, as a fraction; null for none. */
export const fractionOf = (text: string): string | null => {
  const exact = parse(text.trim());
  return exact ? toShortText(shift(exact, -2)) : null;
};
