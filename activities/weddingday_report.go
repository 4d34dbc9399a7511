package activities

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/weddingday"
)

// PublishDay keeps a day as it stands, for whoever looks: the API and its thresholds, the
// dashboard. Notes above a notice that are new have people hear of them first: one that is
// told twice, when the row could not be kept, harms less than one that nobody heard.
func (k *WeddingDayKeeper) PublishDay(ctx context.Context, d models.WeddingDay) error {
	d.UpdatedAt = k.Now()
	return fail(errors.Join(k.escalate(ctx, d), k.Days.SaveWeddingDay(ctx, d)))
}

// escalate tells of the notes that the kept row does not have yet.
func (k *WeddingDayKeeper) escalate(ctx context.Context, d models.WeddingDay) error {
	if k.Escalator == nil || !slices.ContainsFunc(d.Notes, grave) {
		return nil
	}
	kept, err := k.Days.WeddingDay(ctx, d.Date, d.Region)
	if err != nil && models.KindOf(err) != models.KindNotFound {
		return err
	}
	var errs []error
	for _, n := range d.Notes {
		told := func(o models.DayNote) bool { return o.Text == n.Text && o.At.Sub(n.At).Abs() < time.Second }
		if grave(n) && !slices.ContainsFunc(kept.Notes, told) {
			errs = append(errs, k.Escalator.EscalateDay(ctx, d, n))
		}
	}
	return errors.Join(errs...)
}

func grave(n models.DayNote) bool { return n.Level == models.FlagWarning || n.Level == models.FlagPage }

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
	until := now
	if in.Row.StrictTo != nil {
		until = earliestOf(now, in.Row.StrictTo.Add(weddingday.After))
	}
	r := models.DayReport{Outcome: in.Outcome, Weddings: in.Row.Weddings, Guests: in.Row.Guests, From: in.Day.Lens.Clock(in.From), Until: until, Services: []models.DayUse{}}
	for _, row := range rows {
		if row.From.Before(r.From) {
			r.From = row.From
		}
	}
	if len(rows) > 0 && r.From.Before(r.Until) {
		if err := k.use(ctx, in, rows, &r); err != nil {
			return r, fail(err)
		}
	}
	r.Text = reportText(r)
	in.Row.Report, in.Row.UpdatedAt, in.Row.Text = &r, now, r.Text
	in.Row.Phase, in.Row.Windows, in.Row.StrictFrom, in.Row.StrictTo = models.WeddingDayDone, []models.TimeSpan{}, nil, nil
	return r, fail(errors.Join(k.escalate(ctx, in.Row), k.Days.SaveWeddingDay(ctx, in.Row)))
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
