import nextVitals from "eslint-config-next/core-web-vitals";
import nextTypescript from "eslint-config-next/typescript";

const config = [
  { ignores: ["out/**", ".next/**", "next-env.d.ts", "src/api/schema.d.ts"] },
  ...nextVitals,
  ...nextTypescript,
  {
    rules: {
      "no-console": "error",
      eqeqeq: "error",
      "max-lines": ["error", { max: 250 }],
    },
  },
];

export default config;
