package season

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	// certificateDoubt is how much of a capacity counts that no load test of the last 30
	// days has shown.
	certificateDoubt = 0.8
	certificateLife  = models.CertificateDays * 24 * time.Hour
	// weddingHours is how long a wedding's peak has to be paid for on its day.
	weddingHours = 10
	// databaseShare is how much of the database's connections peaks may take.
	databaseShare = 0.85
	maxDeficits   = 50
)

// Demand is what is known of one service: its entry, its record, its ceilings and the load
// that is expected of its days.
type Demand struct {
	Service models.Service
	Learned *models.Learned
	Limits  models.Limits
	Days    []models.DayLoad
}

// Inputs are all that a plan is made from.
type Inputs struct {
	Season  models.Season
	Zone    *time.Location // of the season
	Demands []Demand
	Edits   []models.SeasonEdit
	// Prior is the plan in effect: weeks that are over keep its figures.
	Prior *models.SeasonPlan
	Now   time.Time
}

// Build makes the plan. Of each service and week:
//
//	replicas(rps) = ⌈ rps ÷ (κ · u) ⌉, on the critical tier of Z ≥ 2 zones ⌈ · Z ÷ (Z − 1) ⌉
//	floor         = replicas(the quietest day's median peak), held all week
//	peak          = replicas(the busiest day's 95th percentile)
//
// where κ is the certified capacity of a replica, or 0.8 of what it is thought to be when
// no load test of the last 30 days has shown it, and u the service's target utilisation.
// Both are held between the service's minimum and its hard ceilings; what a ceiling
// denies is a deficit with remedies.
func Build(in Inputs) models.SeasonPlan {
	p := models.SeasonPlan{
		SeasonID: in.Season.ID, MadeAt: in.Now, Weeks: []models.PlanWeek{}, Quota: []models.QuotaNeed{},
		Deficits: []models.PlanDeficit{}, Edits: append([]models.SeasonEdit{}, in.Edits...),
	}
	spans := Weeks(in.Season.From, in.Season.Until, in.Zone)
	for _, d := range ordered(in.Demands) {
		need := 0
		for _, span := range spans {
			w := d.week(span, in)
			need = max(need, w.Wanted)
			if short := w.Wanted - w.Peak; short > 0 && w.Until.After(in.Now) {
				p.Deficits = append(p.Deficits, d.deficit(w, short))
			}
			p.Cost += w.Cost
			p.Weeks = append(p.Weeks, w)
		}
		p.Quota = append(p.Quota, models.QuotaNeed{Service: d.Service.Name, Needed: need, Allowed: d.Limits.Quota})
	}
	p.Database = database(&p, in)
	if len(p.Deficits) > maxDeficits {
		p.Deficits = p.Deficits[:maxDeficits]
	}
	p.Sentence = sentence(p, in, len(spans))
	return p
}

// ordered is the demands in the fixed order of the services.
func ordered(all []Demand) []Demand {
	names := models.ServiceNames()
	out := slices.Clone(all)
	slices.SortStableFunc(out, func(a, b Demand) int {
		return slices.Index(names, a.Service.Name) - slices.Index(names, b.Service.Name)
	})
	return out
}

// Span is a week of the season, [From, Until).
type Span struct{ From, Until time.Time }

// Weeks cuts the season at each local midnight before a Monday: its first and last week
// may be shorter, and those with a change of the clocks have an hour more or less.
func Weeks(from, until time.Time, zone *time.Location) []Span {
	var out []Span
	for from.Before(until) {
		local := from.In(zone)
		days := (8 - int(local.Weekday())) % 7
		if days == 0 {
			days = 7
		}
		next := time.Date(local.Year(), local.Month(), local.Day()+days, 0, 0, 0, 0, zone).UTC()
		if next.After(until) {
			next = until
		}
		out = append(out, Span{From: from.UTC(), Until: next})
		from = next
	}
	return out
}

// week is what the service needs in one week.
func (d Demand) week(span Span, in Inputs) models.PlanWeek {
	if in.Prior != nil && !span.Until.After(in.Now) {
		if was, ok := find(in.Prior.Weeks, d.Service.Name, span.From); ok {
			return was
		}
	}
	w := models.PlanWeek{Service: d.Service.Name, From: span.From, Until: span.Until}
	quiet := math.Inf(1)
	weddingDays := 0
	for _, day := range d.Days {
		if day.PeakAt.Before(span.From) || !day.PeakAt.Before(span.Until) {
			continue
		}
		w.Days++
		w.Weddings += day.Weddings
		w.Guests += day.Guests
		if day.Weddings > 0 {
			weddingDays++
		}
		quiet = math.Min(quiet, sane(day.PeakP50))
		if p := sane(day.PeakP95); p >= w.PeakRPS {
			w.PeakRPS, w.PeakAt, w.Method = p, day.PeakAt, day.Method
		}
	}
	if w.Days == 0 {
		quiet = 0
	}
	floor := max(d.replicas(quiet, in.Now), d.Service.MinReplicas)
	w.Wanted = max(d.replicas(w.PeakRPS, in.Now), floor)
	floor = d.edit(&w, floor, in.Edits)
	limit, bound := d.ceiling()
	w.Peak = w.Wanted
	if limit < w.Wanted {
		w.Peak, w.Bound = max(limit, d.Service.MinReplicas), bound
	}
	w.Floor = min(floor, w.Peak)
	hours := w.Until.Sub(w.From).Hours()
	w.Cost = d.Service.CostPerReplicaHour * (float64(w.Floor)*hours + float64(w.Peak-w.Floor)*weddingHours*float64(weddingDays))
	return w
}

// edit puts people's figures in place of the forecast's, and gives the floor.
func (d Demand) edit(w *models.PlanWeek, floor int, edits []models.SeasonEdit) int {
	for _, e := range edits {
		if e.Service != w.Service || e.Week != nil && (e.Week.Before(w.From) || !e.Week.Before(w.Until)) {
			continue
		}
		if e.Peak > 0 {
			w.Wanted = e.Peak
		}
		if e.Floor > 0 {
			floor = e.Floor
		}
		w.Wanted = max(w.Wanted, d.Service.MinReplicas)
		floor = max(floor, d.Service.MinReplicas)
		if e.Peak == 0 {
			w.Wanted = max(w.Wanted, floor)
		}
	}
	return floor
}

// sane makes what is no load none.
func sane(rps float64) float64 {
	if !(rps > 0) || math.IsInf(rps, 1) {
		return 0
	}
	return rps
}

// maxReplicas bounds a plan where a figure is absurd; it is the catalogue's own bound.
const maxReplicas = 100_000

// replicas that serve a load at the target utilisation, a zone being lost.
func (d Demand) replicas(rps float64, now time.Time) int {
	room := d.certified(now) * d.Service.Policy.TargetUtilisation
	if !(room > 0) {
		return 0
	}
	n := math.Ceil(rps/room - 1e-9)
	if z := d.Service.Zones; z >= 2 && d.Service.Tier == models.TierCritical {
		n = math.Ceil(n*float64(z)/float64(z-1) - 1e-9)
	}
	return int(math.Min(n, maxReplicas))
}

// certified is what a replica surely serves.
func (d Demand) certified(now time.Time) float64 {
	l := d.Learned
	if l == nil || !(l.CapacityP10RPS > 0) || math.IsInf(l.CapacityP10RPS, 1) {
		return certificateDoubt * d.Service.CapacityRPS
	}
	k := math.Max(0.5*d.Service.CapacityRPS, math.Min(l.CapacityP10RPS, 1.5*d.Service.CapacityRPS))
	if l.CertifiedAt == nil || now.Sub(*l.CertifiedAt) > certificateLife {
		k *= certificateDoubt
	}
	return k
}

// ceiling is the lowest hard ceiling of the service alone, and its name.
func (d Demand) ceiling() (int, string) {
	limit, name := d.Service.AbsoluteMaxReplicas, "absolute maximum"
	if d.Service.MaxReplicas < limit {
		limit, name = d.Service.MaxReplicas, "policy maximum"
	}
	if q := d.Limits.Quota; q != nil && *q < limit {
		limit, name = *q, "quota"
	}
	return limit, name
}

func (d Demand) deficit(w models.PlanWeek, short int) models.PlanDeficit {
	var remedies []string
	switch w.Bound {
	case "quota":
		remedies = append(remedies, fmt.Sprintf("ask the provider for a quota of %d replicas of %s", w.Wanted, w.Service))
	case "policy maximum":
		remedies = append(remedies, fmt.Sprintf("raise maxReplicas of %s from %d to %d", w.Service, d.Service.MaxReplicas, w.Wanted))
	default:
		remedies = append(remedies, fmt.Sprintf("raise absoluteMaxReplicas of %s from %d to %d, when its neighbours can take that", w.Service, d.Service.AbsoluteMaxReplicas, w.Wanted))
	}
	remedies = append(remedies, "use larger replicas, so that fewer are needed", "shed load of background services in that week, or queue it")
	return models.PlanDeficit{
		Service: w.Service, Week: w.From, Ceiling: w.Bound, Replicas: short,
		RPS:  math.Round(float64(short)*d.certified(w.From)*d.Service.Policy.TargetUtilisation*10) / 10,
		Text: fmt.Sprintf("%s needs %d replicas in the week of %s and may have %d (%s)", w.Service, w.Wanted, weekOf(w.From), w.Peak, w.Bound), Remedies: remedies,
	}
}

// database adds up the connections of all peaks of a week: they come on the same
// Saturday. Nil where no service knows the database's ceiling.
func database(p *models.SeasonPlan, in Inputs) *models.DatabaseNeed {
	var limit *models.DatabaseLimit
	held := map[models.ServiceName]int{}
	for _, d := range in.Demands {
		held[d.Service.Name] = d.Service.ConnectionsPerReplica
		if l := d.Limits.Database; l != nil && l.MaxConnections > 0 && (limit == nil || l.MaxConnections < limit.MaxConnections) {
			limit = l
		}
	}
	if limit == nil {
		return nil
	}
	sums := map[time.Time]int{}
	var worst *models.DatabaseNeed
	for _, w := range p.Weeks {
		sums[w.From] += w.Peak * held[w.Service]
	}
	for _, span := range Weeks(in.Season.From, in.Season.Until, in.Zone) {
		n := sums[span.From] + limit.Reserved
		if share := float64(n) / float64(limit.MaxConnections); worst == nil || share > worst.Share {
			worst = &models.DatabaseNeed{Week: span.From, Connections: n, MaxConnections: limit.MaxConnections, Share: share}
		}
	}
	if worst != nil && worst.Share > databaseShare {
		p.Deficits = append([]models.PlanDeficit{{
			Week: worst.Week, Ceiling: "database connections", Replicas: 0,
			Text: fmt.Sprintf("the peaks of the week of %s hold %d of the database's %d connections, more than %.0f %%",
				weekOf(worst.Week), worst.Connections, worst.MaxConnections, 100*databaseShare),
			Remedies: []string{
				"lower the connections that one replica holds", "put a connection pooler before the database",
				fmt.Sprintf("raise the database's connections to %d", int(math.Ceil(float64(worst.Connections)/databaseShare))),
			},
		}}, p.Deficits...)
	}
	return worst
}

func sentence(p models.SeasonPlan, in Inputs, weeks int) string {
	var busiest models.PlanWeek
	for _, w := range p.Weeks {
		if w.Guests > busiest.Guests || busiest.Service == "" {
			busiest = w
		}
	}
	parts := []string{fmt.Sprintf("%d services over %d weeks from %s, at a cost of %.2f", len(in.Demands), weeks, day(in.Season.From.In(in.Zone)), p.Cost)}
	if busiest.Guests > 0 {
		parts = append(parts, fmt.Sprintf("the busiest week is that of %s with %d guests", day(busiest.From.In(in.Zone)), busiest.Guests))
	}
	if n := len(p.Deficits); n > 0 {
		parts = append(parts, fmt.Sprintf("%d deficits", n))
	}
	return strings.Join(parts, "; ") + "."
}

func day(t time.Time) string { return t.Format("2 Jan 2006") }

// weekOf is the date of a week's first local midnight, whose zone is not at hand: noon (UTC)
// is on the same date wherever clocks are within twelve hours of UTC.
func weekOf(midnight time.Time) string { return day(midnight.UTC().Add(12 * time.Hour)) }

func find(weeks []models.PlanWeek, service models.ServiceName, from time.Time) (models.PlanWeek, bool) {
	for _, w := range weeks {
		if w.Service == service && w.From.Equal(from) {
			return w, true
		}
	}
	return models.PlanWeek{}, false
}
