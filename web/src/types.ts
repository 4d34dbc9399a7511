// The parts of the API's answers that the dashboard shows; the contract is
// /api/openapi.yaml.

export type Metric =
  | "throughput" | "cpu" | "memory" | "response_time_p95" | "error_rate" | "queue_depth" | "connections";

export interface Health {
  scalingEngine: boolean;
  loadPredictor: boolean;
  performanceMonitor: boolean;
  rbacManager: boolean;
  database: boolean;
  overallHealth: "healthy" | "degraded" | "unhealthy";
  checkedAt: string;
}

export interface Deficit { replicas: number; rps: number; cap: string; remedies: string[] | null }

export interface Explanation {
  at: string;
  mode: string;
  class: string;
  direction: string;
  desired: number;
  raw: number;
  bindingReason: string;
  deficit?: Deficit;
  text: string;
}

export interface ScalingState {
  tickedAt: string;
  spec: number;
  ready: number;
  pending: number;
  desired: number;
  paused: boolean;
  pausedBy: string;
  operation: string;
  explanation?: Explanation;
}

export interface Breach { metric: string; value: number; limit: number; level: string }

/** How a service stands against the thresholds in force. */
export interface Judgement { level: "" | "ok" | "warning" | "critical"; breaches?: Breach[] }

/** Which thresholds are in force, and how the platform stands against them. */
export interface PlatformJudgement extends Judgement { strict: boolean; until?: string; text: string }

export interface ServiceStatus {
  service: string;
  tier: string;
  metrics: Partial<Record<Metric, number>> | null;
  metricAt?: string;
  scaling?: ScalingState;
  judgement?: Judgement;
  capacityRps: number;
  min: number;
  max: number;
  temporalUrl: string;
}

export interface Decision {
  id: string;
  service: string;
  createdAt: string;
  requestedBy: string;
  class: string;
  direction: string;
  fromReplicas: number;
  toReplicas: number;
  sentence: string;
  status: "proposed" | "executing" | "closed";
  outcome: string;
  outcomeReason: string;
  temporalUrl?: string;
  workflowId: string;
  approval?: { permission: string; reason: string };
}

export interface Snapshot {
  at: string;
  health: Health;
  judgement?: PlatformJudgement;
  services: ServiceStatus[] | null;
  decisions: Decision[] | null;
}

export interface Wedding {
  id: string;
  reference: string;
  timeZone: string;
  startsAt: string;
  endsAt: string;
  weddingDate: string;
  guests: number;
  region: string;
  status: string;
}

/** The highest hour of a day, as it is predicted. */
export interface DayLoad {
  date: string;
  peakAt: string;
  peakP50: number;
  peakP90: number;
  peakP95: number;
  weddings: number;
  guests: number;
  method: string;
}

/** An hour as it is predicted; quantiles are wide and assumed where there is too little history. */
export interface HourLoad {
  at: string;
  p50: number;
  p90?: number;
  p95?: number;
  quantiles?: { quantile: number; rps: number }[];
  replicas: number;
  method: string;
  intervalAssumed?: boolean;
}

/** A step of what was measured and what there was. */
export interface TimelinePoint {
  at: string;
  rps?: number;
  spec?: number;
  ready?: number;
  desired?: number;
  mode?: string;
}

/** Whether decisions may be made on a service's forecasts, and why. */
export interface ForecastGate {
  method: string;
  trusted: boolean;
  reason: string;
  historyDays: number;
}

/** How forecasts of some lead did in some hours. */
export interface AccuracyRow {
  leadHours: number;
  group: string;
  hours: number;
  accuracy?: number;
  bias?: number;
  coverage?: number;
  mase168?: number;
}

export interface ForecastAccuracy {
  gate: ForecastGate;
  rows: AccuracyRow[] | null;
}

export interface SeasonGate {
  gate: string;
  status: string;
  text: string;
  remedies: string[] | null;
}

export interface Season {
  id: string;
  phase: string;
  outcome: string;
  sentence: string;
  approvedVersion: number;
  effectiveVersion: number;
  proposedVersion: number;
  gates?: SeasonGate[];
}

export interface PlanWeek {
  service: string;
  from: string;
  floor: number;
  peak: number;
  guests: number;
}

/** Capacity that a week needs and that a ceiling denies. */
export interface PlanDeficit {
  service?: string;
  week: string;
  ceiling: string;
  replicas: number;
  text: string;
  remedies: string[] | null;
}

export interface SeasonPlan {
  version: number;
  sentence: string;
  weeks: PlanWeek[] | null;
  deficits: PlanDeficit[] | null;
}

export interface Reservation {
  id: string;
  service: string;
  kind: string;
  replicas: number;
  guests: number;
  from: string;
  until: string;
  holder: string;
  reason: string;
  endedAt?: string;
}

export interface Problem {
  title: string;
  status: number;
  detail?: string;
  errors?: { field: string; value?: string; rule: string }[];
}

/** How well the calendar is known: as well as its oldest feed. */
export interface CalendarStatus {
  alarm: string;
  text: string;
  feeds: { id: string; source: string; alarm: string; enabled: boolean; lastError?: string }[] | null;
}

/** A wedding day as it stands; regions may have days of their own. */
export interface WeddingDay {
  date: string;
  region: string;
  phase: string;
  text: string;
  checks: { name: string; verdict: string; text: string; remedy?: string }[] | null;
  notes: { at: string; level?: string; text: string }[] | null;
  windows: { from: string; until: string }[] | null;
  report?: { text: string };
}
