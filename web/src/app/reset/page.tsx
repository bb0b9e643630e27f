"use client";

import { useRouter } from "next/navigation";
import { NoToken } from "@/session/NoToken";
import { PasswordForm } from "@/session/PasswordForm";
import { setPassword } from "@/session/session";
import { useToken } from "@/session/useToken";

const TITLE = "A new password";

/** Where a reset link leads: one sets a password, and then signs in as always. */
export default function ResetPage() {
  const router = useRouter();
  const token = useToken();
  if (token === null) return null;
  if (!token) return <NoToken title={TITLE} />;
  const send = async (_: string, password: string) => {
    await setPassword(token, password);
    router.replace("/");
  };
  return <PasswordForm title={TITLE} action="Set it" named={false} send={send} />;
}
