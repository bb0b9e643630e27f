"use client";

import { explain, Problem } from "@/api/problem";
import { cameBackWith, once } from "@/session/arrival";
import { Arriving } from "@/session/Arriving";
import { comeBack } from "@/session/session";

const take = once(() => {
  const found = cameBackWith(location.search);
  history.replaceState(null, "", location.pathname);
  return found ? comeBack(found.state, found.code) : Promise.reject(new Error("The sign-in elsewhere was not completed."));
});

const said = (error: unknown): string =>
  error instanceof Problem && error.status === 401 ? "Nobody here is known by this sign-in, or it took too long." : explain(error);

/** Where an issuer elsewhere sends the browser back to. */
export default function ElsewherePage() {
  return <Arriving take={take} title="The sign-in did not work" said={said} />;
}
