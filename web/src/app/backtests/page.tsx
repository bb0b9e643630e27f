"use client";

import { Research } from "@/research/Research";
import { Gate } from "@/session/Gate";

export default function BacktestsPage() {
  return (
    <Gate>
      <Research />
    </Gate>
  );
}
