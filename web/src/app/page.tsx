"use client";

import { Desk } from "@/desk/Desk";
import { Gate } from "@/session/Gate";

export default function Home() {
  return (
    <Gate>
      <Desk />
    </Gate>
  );
}
