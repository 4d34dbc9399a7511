package trace

import (
	"cmp"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/threats"
)

// How detection runs: it reads what was committed each second, and takes a moment itself.
const (
	pollEvery = time.Second
	pollTakes = 100 * time.Millisecond
)

// Found is what detection did on one trail.
type Found struct {
	Seed      uint64          `json:"seed"`
	Attacks   int             `json:"attacks"`
	Detected  int             `json:"detected"`
	Alerts    int             `json:"alerts"`
	True      int             `json:"true"`
	Delays    []float64       `json:"-"`         // seconds
	Misjudged int             `json:"misjudged"` // found under another severity
	Missed    []Attack        `json:"-"`
	False     []models.Threat `json:"-"`
	// Of the same days without attacks:
	CleanCritical int             `json:"cleanCritical"`
	CleanWarnings int             `json:"cleanWarnings"`
	CleanRows     int             `json:"cleanRows"`
	Critical      []models.Threat `json:"-"`
}

// Result is what it did on all of them.
type Result struct {
	FirstSeed     uint64           `json:"firstSeed"`
	Seeds         int              `json:"seeds"`
	Attacks       int              `json:"attacks"`
	Alerts        int              `json:"alerts"`
	Precision     float64          `json:"precision"`
	Recall        float64          `json:"recall"`
	DelayP50      float64          `json:"delayP50Seconds"`
	DelayP95      float64          `json:"delayP95Seconds"`
	CleanCritical int              `json:"criticalOnCleanSurges"`
	CleanWarnings int              `json:"warningsOnCleanSurges"`
	CleanRows     int              `json:"cleanRows"`
	Misjudged     int              `json:"misjudged"`
	Rules         map[string]Score `json:"rules"`
	Each          []Found          `json:"each"`
}

// Score is of one rule.
type Score struct {
	Attacks  int `json:"attacks"`
	Detected int `json:"detected"`
	Alerts   int `json:"alerts"`
	True     int `json:"true"`
}

// Evaluate draws trails of seeds one after another and judges detection on each, with and
// without the attacks.
func Evaluate(first uint64, seeds int, s threats.Settings) Result {
	out := Result{FirstSeed: first, Seeds: seeds, Rules: map[string]Score{}}
	var delays []float64
	detected, right := 0, 0
	for n := range seeds {
		f := one(first+uint64(n), s, out.Rules)
		out.Each = append(out.Each, f)
		out.Attacks, out.Alerts, out.Misjudged = out.Attacks+f.Attacks, out.Alerts+f.Alerts, out.Misjudged+f.Misjudged
		out.CleanCritical, out.CleanWarnings, out.CleanRows = out.CleanCritical+f.CleanCritical, out.CleanWarnings+f.CleanWarnings, out.CleanRows+f.CleanRows
		detected, right = detected+f.Detected, right+f.True
		delays = append(delays, f.Delays...)
	}
	out.Precision, out.Recall = share(right, out.Alerts), share(detected, out.Attacks)
	out.DelayP50, out.DelayP95 = quantile(delays, 0.5), quantile(delays, 0.95)
	return out
}

func share(part, whole int) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

func quantile(values []float64, q float64) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	return values[min(len(values)-1, int(q*float64(len(values))))]
}

// one judges a seed, with and without attacks.
func one(seed uint64, s threats.Settings, rules map[string]Score) Found {
	attacked := Draw(Options{Seed: seed, Attacks: true})
	f := Found{Seed: seed, Attacks: len(attacked.Attacks)}
	f.judge(attacked, run(attacked, s), rules)
	clean := Draw(Options{Seed: seed})
	for _, a := range run(clean, s) {
		if a.threat.Severity == models.ThreatCritical {
			f.CleanCritical++
			f.Critical = append(f.Critical, a.threat)
		} else {
			f.CleanWarnings++
		}
	}
	for _, e := range clean.Events {
		if !e.Committed.Before(clean.JudgedFrom) {
			f.CleanRows++
		}
	}
	return f
}

// alert is a threat with when it was raised, and the gap that it stands on.
type alert struct {
	threat models.Threat
	at     time.Time
	gap    int // attack of the gap that it tells
}

// run feeds a trail to a detector as the worker does.
func run(t Trace, s threats.Settings) []alert {
	d := threats.New(s)
	var out []alert
	for i := 0; i < len(t.Events); {
		poll := t.Events[i].Committed.Truncate(pollEvery).Add(pollEvery)
		j := i
		for j < len(t.Events) && !t.Events[j].Committed.After(poll) {
			j++
		}
		batch := t.Events[i:j]
		slices.SortStableFunc(batch, func(a, b Event) int { return a.Entry.At.Compare(b.Entry.At) })
		for _, e := range batch {
			var found []models.Threat
			gap := 0
			if e.Gap != nil {
				found, gap = d.Missing(*e.Gap), e.Attack
			} else {
				found = d.Observe(e.Entry, threats.Surroundings{ChangeFreeze: e.Freeze})
			}
			if poll.Before(t.JudgedFrom) {
				continue
			}
			for _, f := range found {
				out = append(out, alert{f, poll.Add(pollTakes), gap})
			}
		}
		i = j
	}
	return out
}

// judge compares what was found with what was drawn. An alert is right when at least half of
// its evidence is of attacks; an attack is detected when an alert of its rule has an entry of
// it.
func (f *Found) judge(t Trace, alerts []alert, rules map[string]Score) {
	first := map[int]alert{}
	for _, a := range alerts {
		owners := a.owners(t)
		score := rules[string(a.threat.Rule)]
		score.Alerts++
		f.Alerts++
		of := 0
		for _, id := range owners {
			if id == 0 {
				continue
			}
			of++
			if _, known := first[id]; !known && t.Attacks[id-1].Rule == a.threat.Rule {
				first[id] = a
			}
		}
		if of > 0 && 2*of >= len(owners) {
			f.True++
			score.True++
		} else {
			f.False = append(f.False, a.threat)
		}
		rules[string(a.threat.Rule)] = score
	}
	for _, attack := range t.Attacks {
		score := rules[string(attack.Rule)]
		score.Attacks++
		if a, ok := first[attack.ID]; ok {
			f.Detected++
			score.Detected++
			f.Delays = append(f.Delays, max(0, a.at.Sub(attack.Detectable).Seconds()))
			if a.threat.Severity != attack.Severity {
				f.Misjudged++
			}
		} else {
			f.Missed = append(f.Missed, attack)
		}
		rules[string(attack.Rule)] = score
	}
	slices.SortFunc(f.Missed, func(a, b Attack) int { return cmp.Compare(a.ID, b.ID) })
}

// owners are the attacks of an alert's evidence, 0 for what is clean.
func (a alert) owners(t Trace) []int {
	if a.gap > 0 {
		return []int{a.gap}
	}
	out := make([]int, 0, len(a.threat.Evidence))
	for _, id := range a.threat.Evidence {
		out = append(out, t.Owner[id])
	}
	return out
}
