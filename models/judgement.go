package models

import "time"

// JudgedLevel is how something stands against the thresholds in force. The zero value is
// unknown: what was not measured is not well.
type JudgedLevel string

// The levels, from bad to worse.
const (
	LevelUnknown  JudgedLevel = ""
	LevelOK       JudgedLevel = "ok"
	LevelWarning  JudgedLevel = "warning"
	LevelCritical JudgedLevel = "critical"
)

// MetricHealthScore is the share of the five components that are healthy, 0 to 100. It is
// judged, and never ingested.
const MetricHealthScore MetricName = "health_score"

// Breach is a threshold that is passed.
type Breach struct {
	Metric MetricName  `json:"metric"`
	Value  float64     `json:"value"`
	Limit  float64     `json:"limit"`
	Level  JudgedLevel `json:"level"`
}

// Judgement is how a service stands, by the worst of its breaches.
type Judgement struct {
	Level    JudgedLevel `json:"level"`
	Breaches []Breach    `json:"breaches,omitempty"`
}

// Thresholds are those of ordinary days.
type Thresholds struct {
	Warning  ThresholdSet `json:"warning"`
	Critical ThresholdSet `json:"critical"`
}

// PlatformJudgement is which thresholds are in force and how the platform stands against them: the
// worst of its services and of its own health.
type PlatformJudgement struct {
	Level    JudgedLevel   `json:"level"`
	Breaches []Breach      `json:"breaches,omitempty"` // of the health score
	Strict   bool          `json:"strict"`             // those of a wedding day hold
	Until    *time.Time    `json:"until,omitempty"`    // of the ceremony window that is open
	Warning  *ThresholdSet `json:"warning,omitempty"`  // nil: the strict ones are critical at once
	Critical ThresholdSet  `json:"critical"`
	Text     string        `json:"text"`
}

// InForce are the thresholds at a time: the strict ones of the days of which a ceremony
// window is open, whichever is stricter where several are, else those of ordinary days.
func (t Thresholds) InForce(days []WeddingDay, at time.Time) PlatformJudgement {
	warning := t.Warning
	s := PlatformJudgement{Warning: &warning, Critical: t.Critical, Text: "The thresholds of ordinary days hold."}
	for _, d := range days {
		for _, w := range d.Windows {
			if !w.Holds(at) {
				continue
			}
			s.Critical, s.Warning, s.Strict = stricter(s.Critical, d.Thresholds), nil, true
			if s.Until == nil || w.Until.After(*s.Until) {
				until := w.Until.UTC()
				s.Until = &until
			}
		}
	}
	if s.Strict {
		s.Text = "A ceremony window is open until " + s.Until.Format("2 Jan 15:04 MST") + ": the strict thresholds of a wedding day hold."
	}
	return s
}

// stricter takes the stricter of each; a limit of zero is none.
func stricter(a, b ThresholdSet) ThresholdSet {
	low := func(x, y float64) float64 {
		if y > 0 && (x <= 0 || y < x) {
			return y
		}
		return x
	}
	return ThresholdSet{
		ResponseTimeMS: low(a.ResponseTimeMS, b.ResponseTimeMS), ErrorRate: low(a.ErrorRate, b.ErrorRate),
		CPU: low(a.CPU, b.CPU), Memory: low(a.Memory, b.Memory), HealthScore: max(a.HealthScore, b.HealthScore),
	}
}

// Judge holds what a service reported against the thresholds in force. A metric that is
// missing breaks none; a service of which nothing is known is unknown.
func (s PlatformJudgement) Judge(values map[MetricName]float64) Judgement {
	if len(values) == 0 {
		return Judgement{}
	}
	j := Judgement{Level: LevelOK}
	for _, m := range []MetricName{MetricResponseP95, MetricErrorRate, MetricCPU, MetricMemory} {
		v, ok := values[m]
		if !ok {
			continue
		}
		for _, set := range s.sets() {
			if limit := set.of(m); limit > 0 && v >= limit {
				j.Breaches = append(j.Breaches, Breach{Metric: m, Value: v, Limit: limit, Level: set.level})
				j.Level = worseLevel(j.Level, set.level)
				break // the worst of a metric is enough
			}
		}
	}
	return j
}

type levelled struct {
	ThresholdSet
	level JudgedLevel
}

func (s PlatformJudgement) sets() []levelled {
	out := []levelled{{s.Critical, LevelCritical}}
	if s.Warning != nil {
		out = append(out, levelled{*s.Warning, LevelWarning})
	}
	return out
}

func (t ThresholdSet) of(m MetricName) float64 {
	switch m {
	case MetricResponseP95:
		return t.ResponseTimeMS
	case MetricErrorRate:
		return t.ErrorRate
	case MetricCPU:
		return t.CPU
	case MetricMemory:
		return t.Memory
	default:
		return 0
	}
}

func worseLevel(a, b JudgedLevel) JudgedLevel {
	rank := map[JudgedLevel]int{LevelOK: 0, LevelUnknown: 1, LevelWarning: 2, LevelCritical: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// Overall judges health, and takes the worst of it and of the services.
func (s PlatformJudgement) Overall(h Health, services []ServiceStatus) PlatformJudgement {
	s.Level = LevelOK
	for _, set := range s.sets() {
		if score := h.Score(); score < set.HealthScore {
			s.Breaches, s.Level = []Breach{{Metric: MetricHealthScore, Value: score, Limit: set.HealthScore, Level: set.level}}, set.level
			break
		}
	}
	for _, st := range services {
		if st.Judgement != nil {
			s.Level = worseLevel(s.Level, st.Judgement.Level)
		}
	}
	return s
}
