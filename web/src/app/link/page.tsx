"use client";

import { explain, Problem } from "@/api/problem";
import { once } from "@/session/arrival";
import { Arriving } from "@/session/Arriving";
import { signInByLink } from "@/session/session";

const take = once(() => {
  const token = new URLSearchParams(location.search).get("token");
  history.replaceState(null, "", location.pathname);
  if (!token) return Promise.reject(new Error("The address carries no sign-in token. Open the whole link that was printed."));
  return signInByLink(token);
});

const said = (error: unknown): string =>
  error instanceof Problem && error.status < 500
    ? "This link has been used already or has expired. Sign in with your user name and password instead."
    : explain(error);

export default function LinkPage() {
  return <Arriving take={take} title="The link did not work" said={said} />;
}
