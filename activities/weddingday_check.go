package activities

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
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
		k.checkCalendar(ctx, in), k.checkRoutes(), k.checkFreeze(ctx, in, planned),
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

// checkCalendar wants the calendar and each feed of it to have been read lately.
func (k *WeddingDayKeeper) checkCalendar(ctx context.Context, in CheckDayInput) models.DayCheck {
	now := k.Now()
	age := now.Sub(in.ReadAt)
	c := models.DayCheck{Name: "calendar", Verdict: models.CheckOK, Text: fmt.Sprintf("the calendar was read %s ago", age.Round(time.Minute))}
	if in.ReadAt.IsZero() || age > in.Day.Lens.Span(calendarFresh) {
		c.Verdict, c.Remedy = models.CheckWarning, "look why the calendar cannot be read: its last copy counts"
	}
	if k.Feeds == nil {
		return c
	}
	feeds, err := k.Feeds.CalendarFeeds(ctx)
	if err != nil {
		return models.DayCheck{Name: c.Name, Verdict: models.CheckUnknown, Text: "the feeds could not be read (" + cause(err) + ")", Remedy: "look whether Postgres answers"}
	}
	for _, f := range feeds {
		if f.Enabled && models.AlarmOf(f.ReadAge(now), now) != models.CalendarFresh {
			c.Verdict = worse(c.Verdict, models.CheckFailed)
			c.Text, c.Remedy = fmt.Sprintf("feed %s was last read whole %.0f h ago", f.Source, f.ReadAge(now).Hours()), "look why the feed cannot be read: weddings booked since are not known"
		}
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
