"use client";

import { Center, Loader } from "@mantine/core";
import { useEffect } from "react";
import { notifyFailure } from "@/ui/notices";
import { Desk } from "@/desk/Desk";
import { SignIn } from "@/session/SignIn";
import { renew } from "@/session/session";
import { end, useSession } from "@/session/store";

export default function Home() {
  const phase = useSession((state) => state.phase);
  useEffect(() => {
    if (phase !== "unknown") return;
    renew().catch((error: unknown) => {
      end();
      notifyFailure("Evenkeel did not answer")(error);
    });
  }, [phase]);
  if (phase === "signed-in") return <Desk />;
  if (phase === "signed-out") return <SignIn />;
  return (
    <Center mih="100vh" role="status" aria-label="Opening Evenkeel">
      <Loader type="dots" />
    </Center>
  );
}
