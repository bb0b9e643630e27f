"use client";

import { Center, Loader } from "@mantine/core";
import { type ReactNode, useEffect, useState } from "react";
import { explain } from "@/api/problem";
import { renew } from "./session";
import { SignIn } from "./SignIn";
import { useSession } from "./store";

const AGAIN_MS = 3_000;

/** Asks for a session by the cookie until the server has said yes or no; what stands in the way meanwhile. */
function useOpening(isOpening: boolean): string | null {
  const [fault, setFault] = useState<string | null>(null);
  useEffect(() => {
    if (!isOpening) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let stopped = false;
    const ask = () => {
      renew().catch((error: unknown) => {
        if (stopped) return;
        setFault(explain(error));
        timer = setTimeout(ask, AGAIN_MS);
      });
    };
    ask();
    return () => {
      stopped = true;
      clearTimeout(timer);
    };
  }, [isOpening]);
  return fault;
}

/** Shows what is behind it to whoever is signed in, and the way in to everyone else. */
export function Gate({ children }: { children: ReactNode }) {
  const phase = useSession((state) => state.phase);
  const fault = useOpening(phase === "unknown");
  if (phase === "signed-in") return children;
  if (phase === "signed-out") return <SignIn />;
  return (
    <Center mih="100vh" p="md" role="status" style={{ flexDirection: "column", gap: 16 }}>
      <Loader type="dots" aria-label="Opening Evenkeel" />
      {fault && <p className="muted">{fault} Trying again.</p>}
    </Center>
  );
}
