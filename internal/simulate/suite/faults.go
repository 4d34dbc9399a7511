package suite

import (
	"time"

	"github.com/wedsync/scalability/internal/simulate"
)

// Fault is how a policy did in one cell of the fault grid.
type Fault struct {
	Fault            string  `json:"fault"`
	Policy           string  `json:"policy"`
	Seed             uint64  `json:"seed"`
	HarmfulRemovals  int     `json:"harmfulRemovals"` // replicas removed that HPA's formula on the true load would have kept
	ViolationMinutes float64 `json:"violationMinutes"`
	ReplicaHours     float64 `json:"replicaHours"`
	Deficits         int     `json:"deficits"` // times a hard cap that bound was said
}

// ceilingFault is the cell in which the database has not enough connections.
const ceilingFault = "database ceiling"

// faultGrid lays each fault over a wedding Saturday, around its busiest minute.
func faultGrid(base simulate.Scenario) []simulate.Scenario {
	peak := busiest(base.Load)
	loss := func(minutes int) simulate.Faults {
		from := peak - minutes*30
		return simulate.Faults{MetricLoss: []simulate.MetricLoss{{From: from, Until: from + minutes*60, Share: 1}}}
	}
	calendar := func(c simulate.CalendarFault) simulate.Faults { return simulate.Faults{Calendar: c} }
	var out []simulate.Scenario
	add := func(name string, f simulate.Faults) {
		s := base
		s.Name, s.Faults = name, f
		out = append(out, s)
	}
	add("metrics lost for 2 min at the peak", loss(2))
	add("metrics lost for 10 min at the peak", loss(10))
	add("metrics lost for 60 min at the peak", loss(60))
	add("a third of the samples lost all day", simulate.Faults{MetricLoss: []simulate.MetricLoss{{Until: len(base.Load), Share: 0.33}}})
	add("calendar missing", calendar(simulate.CalendarFault{Missing: true}))
	add("calendar 2 h late", calendar(simulate.CalendarFault{Shift: 2 * time.Hour}))
	add("calendar 24 h late", calendar(simulate.CalendarFault{Shift: 24 * time.Hour}))
	add("guests × 0.3", calendar(simulate.CalendarFault{Guests: 0.3}))
	add("guests × 3", calendar(simulate.CalendarFault{Guests: 3}))
	add("20 % of starts fail", simulate.Faults{StartFailures: 0.2})
	add("20 % of orders refused", simulate.Faults{OrderErrors: 0.2})
	add("outage of 10 min, then a retry storm", simulate.Faults{Outages: []simulate.Outage{{From: peak - 900, Until: peak - 300}}})
	add(ceilingFault, simulate.Faults{})
	last := &out[len(out)-1]
	last.Service.ConnectionsPerReplica = 4
	need := perMinute(base.Load[peak/60*60 : peak/60*60+60])[0] / (base.Service.CapacityRPS * base.Service.Policy.TargetUtilisation)
	last.DatabaseConnections = int(0.7*need) * last.Service.ConnectionsPerReplica
	return out
}

// busiest is the middle of the busiest full minute.
func busiest(load []float64) int {
	top, at := 0.0, 0
	for i, m := range perMinute(load) {
		if m > top {
			top, at = m, i
		}
	}
	return at*60 + 30
}

// busiestDay cuts the busiest day out of the reported part of a load: from noon on the
// day before to noon on the day after, with all that came before as its history.
func busiestDay(report simulate.Scenario) simulate.Scenario {
	const half = 24 * 3600
	peak := report.ReportFrom + busiest(report.Load[report.ReportFrom:])
	midnight := peak - (int(report.Start.Unix())+peak)%86400
	from := max(0, midnight-half/2) / 60 * 60
	until := min(len(report.Load), midnight+half+half/2)
	day := report
	day.Start = report.Start.Add(time.Duration(from) * time.Second)
	day.History = append(append([]float64(nil), report.History...), perMinute(report.Load[:from])...)
	day.Load = report.Load[from:until]
	day.ReportFrom = min(lead, len(day.Load)/4) / 60 * 60
	return day
}

func faultOf(r Row) Fault {
	return Fault{
		Fault: r.Load, Policy: r.Policy, Seed: r.Seed, HarmfulRemovals: r.HarmfulRemovals,
		ViolationMinutes: r.ViolationMinutes, ReplicaHours: r.ReplicaHours, Deficits: r.Deficits,
	}
}
