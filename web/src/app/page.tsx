"use client";

import { Center, Loader } from "@mantine/core";
import { useEffect, useState } from "react";
import { explain } from "@/api/problem";
import { Desk } from "@/desk/Desk";
import { SignIn } from "@/session/SignIn";
import { renew } from "@/session/session";
import { useSession } from "@/session/store";

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

export default function Home() {
  const phase = useSession((state) => state.phase);
  const fault = useOpening(phase === "unknown");
  if (phase === "signed-in") return <Desk />;
  if (phase === "signed-out") return <SignIn />;
  return (
    <Center mih="100vh" p="md" role="status" style={{ flexDirection: "column", gap: 16 }}>
      <Loader type="dots" aria-label="Opening Evenkeel" />
      {fault && <p className="muted">{fault} Trying again.</p>}
    </Center>
  );
}
