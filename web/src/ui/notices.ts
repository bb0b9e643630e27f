import { create } from "zustand";
import { explain } from "@/api/problem";

export interface Notice {
  id: number;
  tone: "info" | "warning" | "critical";
  title: string;
  message: string;
}

const MOST = 4;
let next = 1;

export const useNotices = create<{ notices: Notice[] }>(() => ({ notices: [] }));

export function notify(tone: Notice["tone"], title: string, message: string): void {
  const notice = { id: next, tone, title, message };
  next += 1;
  useNotices.setState(({ notices }) => ({ notices: [...notices, notice].slice(-MOST) }));
  if (tone === "info") setTimeout(() => dismiss(notice.id), 6_000);
}

export const notifyFailure = (title: string) => (error: unknown): void => notify("critical", title, explain(error));

export const dismiss = (id: number): void =>
  useNotices.setState(({ notices }) => ({ notices: notices.filter((notice) => notice.id !== id) }));
