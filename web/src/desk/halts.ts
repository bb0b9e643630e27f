import type { Halt } from "@/api/types";

const counted = (count: number, one: string): string => `${count} ${one}${count === 1 ? "" : "s"}`;

/** How far a panic is, in a sentence. */
export function progressOf(halt: Halt): string {
  const kept = halt.keep_positions ? "what was held is kept" : "nothing is held";
  if (halt.state === "done") return `No order works, ${kept}. To trade again, resume it: evenkeel resume.`;
  const left = `${counted(halt.orders_left, "order")} and ${counted(halt.positions_left, "position")} are left`;
  return halt.state === "stuck" ? `It is stuck: ${left}. A person must look; pressed again, it tries anew.` : `At work: ${left}.`;
}
