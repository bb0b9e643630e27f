"use client";

import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { explain } from "@/api/problem";
import { leaveFor, listProviders } from "./session";

/** A button for each issuer that one may sign in by; nothing where there is none. */
export function Elsewhere({ tell }: { tell(fault: string): void }) {
  const { data } = useQuery({ queryKey: ["providers"], queryFn: listProviders, retry: false, staleTime: Infinity });
  return data?.items.map(({ name, title }) => (
    <Button
      key={name}
      variant="default"
      size="sm"
      data-testid={`login-${name}`}
      onClick={() => void leaveFor(name).catch((error: unknown) => tell(explain(error)))}
    >
      Sign in with {title}
    </Button>
  ));
}
