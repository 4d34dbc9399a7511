import type { PlanDeficit } from "./types";

/** Of each service and ceiling the worst week, with how many other weeks are short too; worst first. */
export function worstDeficits(deficits: PlanDeficit[]): { worst: PlanDeficit; more: number }[] {
  const groups = new Map<string, { worst: PlanDeficit; more: number }>();
  for (const d of deficits) {
    const key = `${d.service ?? ""}/${d.ceiling}`;
    const group = groups.get(key);
    if (!group) groups.set(key, { worst: d, more: 0 });
    else groups.set(key, { worst: d.replicas > group.worst.replicas ? d : group.worst, more: group.more + 1 });
  }
  return [...groups.values()].sort((a, b) => b.worst.replicas - a.worst.replicas);
}
