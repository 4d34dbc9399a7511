package activities

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/weddingday"
)

const (
	certificateLife  = 30 * 24 * time.Hour
	calendarFresh    = 6 * time.Hour
	databaseHeadroom = 0.85 // of the connections, at the peak of all floors
)

// CheckDayInput asks whether all is in order for a day.
type CheckDayInput struct {
	Day    DayRef                 `json:"day"`
	Floors []models.DayFloor      `json:"floors"`
	Window models.TimeSpan        `json:"window"` // from the first pre-warm to the last guest
	ReadAt time.Time              `json:"readAt"` // of the calendar
	Guests int                    `json:"guests"`
	Phase  models.WeddingDayPhase `json:"phase"`
}

// CheckDay goes through the check-list. What cannot be looked at is unknown, which is not
// in order.
func (k *WeddingDayKeeper) CheckDay(ctx context.Context, in CheckDayInput) ([]models.DayCheck, error) {
	services, err := k.Catalogue.Services(ctx)
	if err != nil {
		return nil, fail(err)
	}
	peaks := map[models.ServiceName]int{}
	for _, f := range in.Floors {
		peaks[f.Service] = max(peaks[f.Service], f.Replicas)
	}
	planned := services[:0:0]
	for _, s := range services {
		if peaks[s.Name] > 0 {
			planned = append(planned, s)
		}
	}
	return []models.DayCheck{
		k.checkPlan(in, planned), k.checkCertificate(ctx, planned), k.checkQuota(ctx, planned, peaks), k.checkDatabase(ctx, planned, peaks),
		k.checkCalendar(in), k.checkRoutes(), k.checkFreeze(ctx, in, planned),
	}, nil
}

// verdict keeps the worse of two, in the order ok, warning, unknown, failed.
func worse(a, b models.CheckVerdict) models.CheckVerdict {
	rank := map[models.CheckVerdict]int{models.CheckOK: 0, models.CheckWarning: 1, models.CheckUnknown: 2, models.CheckFailed: 3}
	if rank[b] > rank[a] {
		return b
	}
	return a
}

// checkPlan wants a floor for somebody where guests come.
func (k *WeddingDayKeeper) checkPlan(in CheckDayInput, planned []models.Service) models.DayCheck {
	if in.Guests > 0 && len(planned) == 0 {
		return models.DayCheck{Name: "floors", Verdict: models.CheckFailed, Text: "no service has a floor: the load of a guest is not known",
			Remedy: "let the predictor learn from history, or place reservations by hand"}
	}
	return models.DayCheck{Name: "floors", Verdict: models.CheckOK, Text: fmt.Sprintf("%d services have a floor", len(planned))}
}

// checkCertificate wants a load test of the last 30 days behind each capacity.
func (k *WeddingDayKeeper) checkCertificate(ctx context.Context, planned []models.Service) models.DayCheck {
	c := models.DayCheck{Name: "capacity_certificate", Verdict: models.CheckOK, Text: "each capacity was shown by a load test of the last 30 days"}
	var stale []string
	for _, s := range planned {
		if k.Learned == nil {
			stale = append(stale, string(s.Name))
			continue
		}
		l, err := k.Learned.Learned(ctx, s.Name, k.Now())
		if err != nil {
			c.Verdict = models.CheckUnknown
		}
		if err != nil || l.CertifiedAt == nil || k.Now().Sub(*l.CertifiedAt) > certificateLife {
			stale = append(stale, string(s.Name))
		}
	}
	if len(stale) > 0 {
		c.Verdict = worse(c.Verdict, models.CheckWarning)
		c.Text = "no load test of the last 30 days shows the capacity of " + strings.Join(stale, ", ") + ": a fifth of it is not counted on"
		c.Remedy = "run the load test of the season's gate"
	}
	return c
}

// checkQuota wants the peak floors to be within what the provider and the catalogue allow.
func (k *WeddingDayKeeper) checkQuota(ctx context.Context, planned []models.Service, peaks map[models.ServiceName]int) models.DayCheck {
	c := models.DayCheck{Name: "quota", Verdict: models.CheckOK, Text: "the peak floors are within quota and maximum"}
	var short []string
	for _, s := range planned {
		n := peaks[s.Name]
		if n > s.MaxReplicas {
			short = append(short, fmt.Sprintf("%s needs %d and may have %d", s.Name, n, s.MaxReplicas))
		}
		l, err := k.Measurer.Limits(ctx, s)
		switch {
		case err != nil:
			c.Verdict = worse(c.Verdict, models.CheckUnknown)
			c.Text, c.Remedy = "the quota could not be read ("+cause(err)+")", "look whether the actuator answers"
		case l.Quota != nil && n > *l.Quota:
			short = append(short, fmt.Sprintf("%s needs %d of a quota of %d", s.Name, n, *l.Quota))
		}
	}
	if len(short) > 0 {
		c.Verdict, c.Text = models.CheckFailed, strings.Join(short, "; ")
		c.Remedy = "raise the quota or the maximum, or move weddings"
	}
	return c
}

// checkDatabase wants the connections of all peak floors together below 85 %.
func (k *WeddingDayKeeper) checkDatabase(ctx context.Context, planned []models.Service, peaks map[models.ServiceName]int) models.DayCheck {
	c := models.DayCheck{Name: "database", Verdict: models.CheckOK, Text: "no service of this day holds database connections"}
	needed, room := 0, 0
	for _, s := range planned {
		needed += peaks[s.Name] * s.ConnectionsPerReplica
		if s.ConnectionsPerReplica == 0 {
			continue
		}
		l, err := k.Measurer.Limits(ctx, s)
		if err != nil {
			return models.DayCheck{Name: c.Name, Verdict: models.CheckUnknown, Text: "the ceiling of the database could not be read (" + cause(err) + ")", Remedy: "look whether the actuator answers"}
		}
		if l.Database != nil {
			room = max(room, l.Database.MaxConnections-l.Database.Reserved)
		}
	}
	if needed == 0 || room == 0 {
		return c
	}
	share := float64(needed) / float64(room)
	c.Text = fmt.Sprintf("the peak floors hold %d of %d connections (%.0f %%)", needed, room, math.Round(100*share))
	if share > databaseHeadroom {
		c.Verdict, c.Remedy = models.CheckFailed, "lower the pool of each replica, put a pooler between, or raise the ceiling"
	}
	return c
}

func (k *WeddingDayKeeper) checkCalendar(in CheckDayInput) models.DayCheck {
	age := k.Now().Sub(in.ReadAt)
	c := models.DayCheck{Name: "calendar", Verdict: models.CheckOK, Text: fmt.Sprintf("the calendar was read %s ago", age.Round(time.Minute))}
	if in.ReadAt.IsZero() || age > in.Day.Lens.Span(calendarFresh) {
		c.Verdict, c.Remedy = models.CheckWarning, "look why the calendar cannot be read: its last copy counts"
	}
	return c
}

// checkRoutes wants a channel that wakes somebody.
func (k *WeddingDayKeeper) checkRoutes() models.DayCheck {
	c := models.DayCheck{Name: "alert_routes", Text: "it is not known where alerts go", Remedy: "set ALERT_CHANNELS"}
	if k.Routes == nil {
		return c
	}
	routes := k.Routes()
	c.Text = "alerts go to " + strings.Join(routes, ", ")
	for _, r := range routes {
		if r == "pagerduty" || r == "phone" || r == "sms" {
			c.Verdict, c.Remedy = models.CheckOK, ""
			return c
		}
	}
	c.Verdict = models.CheckFailed
	c.Text, c.Remedy = c.Text+": nobody is woken", "allow pagerduty, sms or phone in ALERT_CHANNELS"
	return c
}

// checkFreeze looks for a freeze that would hold the floors off.
func (k *WeddingDayKeeper) checkFreeze(ctx context.Context, in CheckDayInput, planned []models.Service) models.DayCheck {
	c := models.DayCheck{Name: "freeze", Verdict: models.CheckOK, Text: "no freeze stands in the way of the floors"}
	for _, at := range []time.Time{in.Day.Lens.Clock(in.Window.From), in.Day.Lens.Clock(in.Window.Until)} {
		for _, s := range planned {
			rows, err := k.Frozen.ActiveReservations(ctx, s.Name, at)
			if err != nil {
				return models.DayCheck{Name: c.Name, Verdict: models.CheckUnknown, Text: "the reservations could not be read (" + cause(err) + ")", Remedy: "look whether Postgres answers"}
			}
			for _, r := range rows {
				if r.Kind == models.ReservationFreeze {
					return models.DayCheck{Name: c.Name, Verdict: models.CheckFailed, Text: fmt.Sprintf("%s is frozen by %s until %s", s.Name, r.Holder, r.Until.UTC().Format("2 Jan 15:04 MST")),
						Remedy: "end the freeze before the pre-warm"}
				}
			}
		}
	}
	return c
}

// PublishDay keeps a day as it stands, for whoever looks: the API, the monitor's
// thresholds, the dashboard.
func (k *WeddingDayKeeper) PublishDay(ctx context.Context, d models.WeddingDay) error {
	d.UpdatedAt = k.Now()
	return fail(k.Days.SaveWeddingDay(ctx, d))
}

// ConcludeInput ends a day.
type ConcludeInput struct {
	Day     DayRef            `json:"day"`
	Row     models.WeddingDay `json:"row"`
	Outcome string            `json:"outcome"`
	From    time.Time         `json:"from"` // of the first floor, in the day's time
}

// ConcludeDay ends what is still reserved, compares what was promised with what was used,
// and keeps the report.
func (k *WeddingDayKeeper) ConcludeDay(ctx context.Context, in ConcludeInput) (models.DayReport, error) {
	now := k.Now()
	rows, err := k.Claims.HeldReservations(ctx, in.Day.Holder)
	if err != nil {
		return models.DayReport{}, fail(err)
	}
	if _, _, err := k.reconcile(ctx, HoldInput{Day: in.Day}, nil); err != nil {
		return models.DayReport{}, fail(err)
	}
	r := models.DayReport{Outcome: in.Outcome, Weddings: in.Row.Weddings, Guests: in.Row.Guests, From: in.Day.Lens.Clock(in.From), Until: now, Services: []models.DayUse{}}
	for _, row := range rows {
		if row.From.Before(r.From) {
			r.From = row.From
		}
	}
	if len(rows) > 0 && r.From.Before(now) {
		if err := k.use(ctx, in, rows, &r); err != nil {
			return r, fail(err)
		}
	}
	r.Text = reportText(r)
	in.Row.Report, in.Row.UpdatedAt, in.Row.Text = &r, now, r.Text
	in.Row.Phase, in.Row.Windows, in.Row.StrictFrom, in.Row.StrictTo = models.WeddingDayDone, []models.TimeSpan{}, nil, nil
	return r, fail(k.Days.SaveWeddingDay(ctx, in.Row))
}

// use fills in what each service was promised and what it used.
func (k *WeddingDayKeeper) use(ctx context.Context, in ConcludeInput, rows []models.Reservation, r *models.DayReport) error {
	spent, err := k.Usage.Savings(ctx, r.From, r.Until)
	if err != nil {
		return err
	}
	for _, s := range spent.Services {
		u := models.DayUse{Service: s.Service, PeakReplicas: s.PeakReplicas, UsedHours: s.ReplicaHours, Cost: s.Cost}
		promise(&u, rows, r.Until)
		if u.PeakFloor == 0 {
			continue
		}
		if err := k.measure(ctx, &u, in.Row, *r); err != nil {
			return err
		}
		r.Services, r.Cost = append(r.Services, u), r.Cost+u.Cost
	}
	return nil
}

// promise adds up what was reserved for a service until the end of the day.
func promise(u *models.DayUse, rows []models.Reservation, until time.Time) {
	for _, row := range rows {
		end := earliestOf(row.Until, until)
		if row.EndedAt != nil {
			end = earliestOf(end, *row.EndedAt)
		}
		if row.Service == u.Service && end.After(row.From) {
			u.PeakFloor = max(u.PeakFloor, row.Replicas)
			u.PromisedHours += float64(row.Replicas) * end.Sub(row.From).Hours()
		}
	}
}

// measure looks up the peak of the load, and the minutes above a strict threshold.
func (k *WeddingDayKeeper) measure(ctx context.Context, u *models.DayUse, row models.WeddingDay, r models.DayReport) error {
	peak, err := k.Usage.PeakLoad(ctx, u.Service, r.From, r.Until, 1)
	if err != nil {
		return err
	}
	if peak != nil {
		u.PeakRPS = *peak
	}
	for _, w := range row.Windows {
		n, err := k.Usage.ViolationMinutes(ctx, u.Service, w.From, earliestOf(w.Until, r.Until), row.Thresholds)
		if err != nil {
			return err
		}
		u.ViolationMinutes += n
	}
	return nil
}

func earliestOf(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

func reportText(r models.DayReport) string {
	if len(r.Services) == 0 {
		return fmt.Sprintf("The day is %s: no capacity was reserved.", r.Outcome)
	}
	worst, minutes := r.Services[0], 0
	for _, u := range r.Services {
		minutes += u.ViolationMinutes
		if u.PeakFloor > worst.PeakFloor {
			worst = u
		}
	}
	return fmt.Sprintf("The day is %s: %d guests of %d weddings, %s promised %d replicas at its peak and used %d, %d minutes above a strict threshold, cost %.2f.",
		r.Outcome, r.Guests, r.Weddings, worst.Service, worst.PeakFloor, worst.PeakReplicas, minutes, r.Cost)
}

// StartWeddingDays starts the workflow of each date with weddings in the week ahead, and of
// those that still run. What runs already is left alone.
func (k *WeddingDayKeeper) StartWeddingDays(ctx context.Context) (Report, error) {
	rep := Report{Changed: []string{}}
	if k.Starter == nil {
		return rep, nil
	}
	now := k.Now()
	rows, err := k.Calendar.Weddings(ctx, models.WeddingFilter{From: now, Until: now.Add(daysAhead)})
	if err != nil {
		return rep, fail(err)
	}
	seen := map[string]bool{}
	for _, w := range rows {
		if seen[w.WeddingDate] || w.WeddingDate == "" {
			continue
		}
		seen[w.WeddingDate] = true
		started, err := k.Starter.EnsureWeddingDay(ctx, w.WeddingDate, "")
		if err != nil {
			return rep, fail(err)
		}
		if started {
			rep.Changed = append(rep.Changed, w.WeddingDate)
		}
	}
	return rep, nil
}

// daysAhead is how far the daily look goes: a week, so that one that is missed costs
// nothing.
const daysAhead = 7*24*time.Hour + weddingday.ChecklistAhead
