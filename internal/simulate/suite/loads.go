package suite

import (
	"fmt"
	"slices"
	"time"

	"github.com/wedsync/scalability/internal/simulate"
	"github.com/wedsync/scalability/internal/simulate/season"
	"github.com/wedsync/scalability/models"
)

// The loads of the suites.
const (
	Wedding = "wedding"
	Twitter = "twitter"
	NASA    = "nasa"
)

// tunedShare is the part of each load that targets are chosen on; the rest is reported.
const tunedShare = 0.6

// lead is how long a reported part runs before it counts, in seconds: a policy's memory
// and the replicas have settled by then.
const lead = 2 * 3600

// halves is a load in its two parts.
type halves struct {
	tune, report simulate.Scenario
}

// source makes a load for a seed.
type source struct {
	name string
	make func(seed uint64) (halves, error)
}

// sizing is the service that a load is served by.
type sizing struct {
	capacity float64 // requests per second of a replica
	factor   float64 // on a trace's intensity
	smooth   int     // seconds of the moving mean
}

// learned is how much of a load is to be known before targets are chosen on it, in
// seconds: three days, the least that our decisions trust a forecast with. The reported
// part has days of past behind it. A target that is chosen on days without one is chosen
// for what does not come again. The same seconds are left out for every policy.
const learned = 3 * 86400

// service is the replica that all policies scale: a container that is ready 45 s after
// the order in the median and 90 s at the 95th percentile.
func service(capacity float64) models.Service {
	return models.Service{
		Name: models.ServiceAPI, Tier: models.TierStandard, Actuator: "fleet", CapacityRPS: capacity,
		MinReplicas: 2, MaxReplicas: 1000, AbsoluteMaxReplicas: 1000, StartupP50Seconds: 45, StartupP95Seconds: 90,
		Zones: 1, CostPerReplicaHour: 0.12, SLOResponseTimeMS: 1000,
		Policy: models.DefaultScalingPolicy(models.TierStandard), Revision: 1,
	}
}

// perNode is how many replicas a node has room for.
const perNode = 8

// split cuts a load at the tuned share: the second part knows the first as its history.
func split(name string, start time.Time, history []float64, load []float64, s models.Service) halves {
	at := int(tunedShare*float64(len(load))) / 60 * 60
	warm := min(lead, at/2/60*60)
	scored := min(max(lead, learned-60*len(history)), at/2/60*60)
	scenario := simulate.Scenario{Name: name, Service: s, ReplicasPerNode: perNode}
	tune, report := scenario, scenario
	tune.Start, tune.History, tune.Load = start, history, load[:at]
	tune.ReportFrom = scored
	from := at - warm
	report.Start = start.Add(time.Duration(from) * time.Second)
	report.History = append(slices.Clone(history), perMinute(load[:from])...)
	report.Load, report.ReportFrom = load[from:], warm
	return halves{tune, report}
}

// weddings is some weeks of a season, after three that are only remembered.
func weddings(weeks int) source {
	const remembered = 21
	days := 7 * weeks
	return source{Wedding, func(seed uint64) (halves, error) {
		begin := time.Date(2026, time.July, 6, 0, 0, 0, 0, time.UTC) // a Monday; ten weeks end in early October
		s, err := season.Generate(season.Options{Start: begin, Days: remembered + days, Seed: seed})
		if err != nil {
			return halves{}, err
		}
		at := remembered * 86400
		h := split(Wedding, begin.AddDate(0, 0, remembered), s.Minutes(0, at), s.Load(at, s.Seconds()), service(50))
		calendar := windows(s)
		for _, half := range []*simulate.Scenario{&h.tune, &h.report} {
			half.Calendar, half.Seed = calendar, seed
		}
		return h, nil
	}}
}

// windows is the calendar of a season, past weddings included.
func windows(s season.Season) []simulate.Window {
	out := make([]simulate.Window, 0, len(s.Weddings))
	for _, w := range s.Weddings {
		out = append(out, simulate.Window{Start: w.Start, End: w.End, Guests: w.Guests, Confirmed: w.Confirmed})
	}
	return out
}

// shortest is the least that a trace must hold to be cut in two parts.
const shortest = 6 * 3600

// recorded is a trace at the size of a fleet of some dozen replicas. Seeds differ in the
// draw of the counts around the same intensity.
func recorded(t Trace, z sizing) (source, error) {
	if len(t.Counts) < shortest {
		return source{}, models.Invalid("trace", t.Name, fmt.Sprintf("holds %d seconds; at least %d are needed", len(t.Counts), shortest))
	}
	rate := intensity(t.Counts, z.smooth)
	start := t.Start
	if start.IsZero() {
		start = time.Date(2026, time.January, 5, 0, 0, 0, 0, time.UTC)
	}
	return source{t.Name, func(seed uint64) (halves, error) {
		h := split(t.Name, start, nil, drawn(rate, z.factor, seed), service(z.capacity))
		h.tune.Seed, h.report.Seed = seed, seed
		return h, nil
	}}, nil
}

// sizingOf fits the known traces, and any other one to about twenty replicas.
func sizingOf(t Trace) sizing {
	switch t.Name {
	case Twitter:
		return sizing{capacity: 50, factor: 20, smooth: 20}
	case NASA:
		return sizing{capacity: 10, factor: 100, smooth: 300}
	}
	mean := 0.0
	for _, c := range t.Counts {
		mean += c / float64(max(1, len(t.Counts)))
	}
	z := sizing{factor: 1, smooth: 20}
	if mean > 0 && mean < 500 {
		z.factor = 500 / mean
	}
	if mean < 10 {
		z.smooth = 300
	}
	z.capacity = max(1, mean*z.factor/14)
	return z
}
