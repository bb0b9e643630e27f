"use client";

import { Button, TextInput } from "@mantine/core";
import { useEffect, useState, type FormEvent } from "react";
import { explain, Problem } from "@/api/problem";
import type { SecondStep } from "@/api/types";
import { Note } from "@/ui/Note";
import { beginDevice, secondStep } from "./session";
import classes from "./SignIn.module.css";

interface Props {
  step: SecondStep;
  /** Back to the first step. */
  again(): void;
}

/** The second step of a sign-in: a code. Where a device has to be set up first, its secret, and then recovery codes. */
export function SecondStepForm({ step, again }: Props) {
  const [code, setCode] = useState("");
  const [secret, setSecret] = useState<string | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const [kept, setKept] = useState<{ codes: string[]; enter: () => void } | null>(null);
  const ticket = step.two_factor;
  useEffect(() => {
    if (step.enrols) beginDevice(ticket).then((device) => setSecret(device.secret), (error: unknown) => setFault(explain(error)));
  }, [step.enrols, ticket]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setFault(null);
    setBusy(true);
    secondStep(ticket, code.trim())
      .then((done) => (done.codes.length > 0 ? setKept(done) : done.enter()))
      .catch((error: unknown) => {
        const ended = error instanceof Problem && error.detail.includes("begin it again");
        setFault(error instanceof Problem && error.status === 401 && !ended ? "The code is not right, or was used before." : explain(error));
      })
      .finally(() => setBusy(false));
  };
  return (
    <main className={classes.page}>
      <div className={classes.card}>
        <h1 className={classes.name}>{kept ? "Your recovery codes" : "One more step"}</h1>
        {kept ? (
          <>
            <p className="muted">Each works once, in place of a code. Keep them where you keep what must not be lost: they are not shown again.</p>
            <pre data-testid="recovery-codes">{kept.codes.join("\n")}</pre>
            <Button size="sm" onClick={kept.enter} data-testid="recovery-kept">
              I have kept them
            </Button>
          </>
        ) : (
          <form className={classes.form} onSubmit={submit} noValidate aria-label="Second step">
            {fault && (
              <Note tone="bad" urgent testId="login-message">
                {fault}
              </Note>
            )}
            {secret && <p className="muted">Your role needs two factors. Enter this secret in an authenticator: {secret}</p>}
            <TextInput
              label={step.enrols ? "Code of your device" : "Code of your device, or a recovery code"}
              autoComplete="one-time-code"
              spellCheck={false}
              autoFocus
              data-testid="login-code"
              value={code}
              onChange={(event) => setCode(event.currentTarget.value)}
            />
            <Button type="submit" size="sm" loading={isBusy} disabled={code.trim().length < 6} data-testid="login-code-submit">
              Sign in
            </Button>
            <Button variant="subtle" size="sm" onClick={again}>
              Begin again
            </Button>
          </form>
        )}
      </div>
    </main>
  );
}
