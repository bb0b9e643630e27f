import type { FieldFault } from "./types";

/** What the server answered instead of a result: RFC 9457 problem details, or the nearest we can say. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
    readonly code: string,
    readonly faults: FieldFault[] = [],
    readonly retryAfter: number | null = null,
  ) {
    super(detail || title);
    this.name = "Problem";
  }
}

/** No answer at all: the request may or may not have been carried out. */
export class NoAnswer extends Error {
  constructor(cause: unknown) {
    super("The server did not answer. Check that Evenkeel is running and reachable.", { cause });
    this.name = "NoAnswer";
  }
}

interface ProblemBody {
  title?: unknown;
  detail?: unknown;
  code?: unknown;
  errors?: unknown;
}

const text = (value: unknown, otherwise: string): string => (typeof value === "string" ? value : otherwise);

function faultsOf(value: unknown): FieldFault[] {
  if (!Array.isArray(value)) return [];
  return value.map((entry: Partial<FieldFault>) => ({
    field: text(entry?.field, ""),
    message: text(entry?.message, "is not valid"),
  }));
}

export async function problemFrom(response: Response): Promise<Problem> {
  const body = (await response.json().catch(() => ({}))) as ProblemBody;
  const wait = Number(response.headers.get("Retry-After") ?? "");
  return new Problem(
    response.status,
    text(body.title, response.statusText || `Status ${response.status}`),
    text(body.detail, ""),
    text(body.code, ""),
    faultsOf(body.errors),
    Number.isFinite(wait) && wait > 0 ? wait : null,
  );
}

/** One or two sentences a user can act on. */
export function explain(error: unknown): string {
  if (error instanceof Problem) {
    const faults = error.faults.map((fault) => (fault.field ? `${fault.field}: ${fault.message}` : fault.message));
    const said = error.detail || error.title;
    const wait = error.retryAfter ? ` Try again in ${Math.ceil(error.retryAfter)} s.` : "";
    return [said, ...faults.filter((fault) => !said.includes(fault))].join(" · ") + wait;
  }
  return error instanceof Error ? error.message : "Something went wrong.";
}
