import type { Health } from "./types";

const COMPONENTS: [keyof Health, string][] = [
  ["scalingEngine", "scaling engine"],
  ["loadPredictor", "load predictor"],
  ["performanceMonitor", "performance monitor"],
  ["rbacManager", "access"],
  ["database", "database"],
];

/** Overall health in a word, and what is down by name. */
export function HealthPill({ health }: { health: Health }) {
  const down = COMPONENTS.filter(([key]) => !health[key]).map(([, name]) => name);
  return (
    <span className={`pill ${health.overallHealth}`} title={COMPONENTS.map(([k, n]) => `${n}: ${health[k] ? "ok" : "down"}`).join("\n")}>
      {health.overallHealth}
      {down.length > 0 && ` – ${down.join(", ")} down`}
    </span>
  );
}
