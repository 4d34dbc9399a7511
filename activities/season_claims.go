package activities

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/season"
)

// SeasonClaimsInput says which plan the reservations of a season follow.
type SeasonClaimsInput struct {
	Season    models.Season       `json:"season"`
	Approved  int                 `json:"approved"`
	Effective int                 `json:"effective"`
	Proposed  int                 `json:"proposed"` // followed as far as the bounds of the approved one reach
	Bounds    models.SeasonBounds `json:"bounds"`
}

// SeasonClaimsResult counts what was done.
type SeasonClaimsResult struct {
	Placed   int `json:"placed"`
	Ended    int `json:"ended"`
	Standing int `json:"standing"`
}

// StepSeason brings the reservations to the plan: for each service a floor for the week
// that runs, and for the next. One that replaces another is placed before the other ends.
// A reservation that a person ended stays so until the plan moves.
func (s *Seasons) StepSeason(ctx context.Context, in SeasonClaimsInput) (SeasonClaimsResult, error) {
	res, err := s.stepSeason(ctx, in)
	return res, fail(err)
}

func (s *Seasons) stepSeason(ctx context.Context, in SeasonClaimsInput) (SeasonClaimsResult, error) {
	var res SeasonClaimsResult
	plan, err := s.effective(ctx, in)
	if err != nil {
		return res, err
	}
	now := s.Now().UTC()
	have, err := s.Claims.ReservationsOf(ctx, SeasonHolder(in.Season.ID), now)
	if err != nil {
		return res, err
	}
	keep := map[string]bool{}
	var fresh []models.Reservation
	for _, w := range season.Claims(plan, now) {
		if i := slices.IndexFunc(have, func(r models.Reservation) bool { return meets(r, w) }); i >= 0 {
			keep[have[i].ID] = true
			continue
		}
		fresh = append(fresh, s.claim(in, w, now))
	}
	for _, r := range fresh {
		err := s.Claims.CreateReservation(ctx, r)
		switch {
		case models.KindOf(err) == models.KindConflict: // placed before, and ended by a person
			continue
		case err != nil:
			return res, err
		}
		res.Placed++
		s.nudge(ctx, r, now)
	}
	res.Standing = res.Placed + len(keep)
	var gone []string
	for _, r := range have {
		if !keep[r.ID] {
			gone = append(gone, r.ID)
		}
	}
	res.Ended, err = s.Claims.EndReservations(ctx, gone, PlatformActor, now)
	return res, err
}

// effective is the plan that reservations follow.
func (s *Seasons) effective(ctx context.Context, in SeasonClaimsInput) (models.SeasonPlan, error) {
	plan, err := s.Plans.SeasonPlan(ctx, in.Season.ID, in.Effective)
	if err != nil || in.Proposed == 0 {
		return plan, err
	}
	approved, err := s.Plans.SeasonPlan(ctx, in.Season.ID, in.Approved)
	if err != nil {
		return plan, err
	}
	proposed, err := s.Plans.SeasonPlan(ctx, in.Season.ID, in.Proposed)
	if err != nil {
		return plan, err
	}
	return season.Clip(approved, proposed, in.Bounds), nil
}

func meets(r models.Reservation, w models.PlanWeek) bool {
	return r.Service == w.Service && r.Kind == models.ReservationFloor && r.Replicas == w.Floor && r.From.Equal(w.From) && r.Until.Equal(w.Until)
}

// claim is the reservation of one week. Its ID is made from the plan, so that a
// repetition places it once.
func (s *Seasons) claim(in SeasonClaimsInput, w models.PlanWeek, now time.Time) models.Reservation {
	holder := SeasonHolder(in.Season.ID)
	id := madeID(holder, string(w.Service), w.From.UTC().Format(time.RFC3339), fmt.Sprint(in.Effective, "/", in.Proposed, "/", w.Floor))
	return models.Reservation{
		ID: id, Service: w.Service, Kind: models.ReservationFloor, Replicas: w.Floor, From: w.From, Until: w.Until, Holder: holder,
		Reason:    fmt.Sprintf("season %s, week of %s: %d weddings, %d guests", in.Season.ID, w.From.UTC().Add(12*time.Hour).Format(time.DateOnly), w.Weddings, w.Guests), // from local midnight
		CreatedAt: now, CreatedBy: PlatformActor,
	}
}

// nudge wakes the autoscaler where the claim counts now. One that does not hear finds the
// claim at its next tick.
func (s *Seasons) nudge(ctx context.Context, r models.Reservation, now time.Time) {
	if s.Nudger != nil && r.ActiveAt(now) {
		_ = s.Nudger.NudgeAutoscale(ctx, r.Service, r.ID)
	}
}

// ReleaseSeason ends every reservation of a season.
func (s *Seasons) ReleaseSeason(ctx context.Context, in SeasonClaimsInput) (SeasonClaimsResult, error) {
	now := s.Now().UTC()
	have, err := s.Claims.ReservationsOf(ctx, SeasonHolder(in.Season.ID), now)
	if err != nil {
		return SeasonClaimsResult{}, fail(err)
	}
	ids := make([]string, len(have))
	for i, r := range have {
		ids[i] = r.ID
	}
	n, err := s.Claims.EndReservations(ctx, ids, PlatformActor, now)
	for _, r := range have {
		s.nudge(ctx, r, now)
	}
	return SeasonClaimsResult{Ended: n}, fail(err)
}

// SeasonReportInput is what the preparation itself knows of the season.
type SeasonReportInput struct {
	Season    models.Season       `json:"season"`
	Approved  int                 `json:"approved"`
	Effective int                 `json:"effective"`
	Report    models.SeasonReport `json:"report"`
}

// ReportSeason completes the report with what was promised and what was used.
func (s *Seasons) ReportSeason(ctx context.Context, in SeasonReportInput) (models.SeasonReport, error) {
	r := in.Report
	plan, err := s.Plans.SeasonPlan(ctx, in.Season.ID, in.Effective)
	if err != nil {
		return r, fail(err)
	}
	r.PlannedCost, r.PromisedPeak = plan.Cost, []models.PeakUse{}
	promised := map[models.ServiceName]int{}
	weeks := map[time.Time]bool{}
	for _, w := range plan.Weeks {
		promised[w.Service] = max(promised[w.Service], w.Peak)
		weeks[w.From] = true
	}
	r.Weeks = len(weeks)
	var over []string
	for _, name := range models.ServiceNames() {
		if promised[name] == 0 {
			continue
		}
		use := models.PeakUse{Service: name, Promised: promised[name]}
		if use.Used, err = s.Usage.MostReplicas(ctx, name, in.Season.From, in.Season.Until); err != nil {
			return r, fail(err)
		}
		if use.Used != nil && *use.Used > use.Promised {
			over = append(over, fmt.Sprintf("%s had %d replicas, %d were planned", name, *use.Used, use.Promised))
		}
		r.PromisedPeak = append(r.PromisedPeak, use)
	}
	r.Text = fmt.Sprintf("%d weeks were planned at a cost of %.2f; %d amendments, %d reservations, %d escalations", r.Weeks, r.PlannedCost, r.Amendments, r.Reservations, r.Escalations)
	if len(over) > 0 {
		r.Text += "; more was used than planned: " + strings.Join(over, ", ")
	}
	r.Text += "."
	return r, nil
}

// SeasonDefinition is a season that comes each year.
type SeasonDefinition struct {
	Name     string `json:"name"`
	First    string `json:"first"` // MM-DD
	Last     string `json:"last"`  // MM-DD; before First: of the next year
	TimeZone string `json:"timeZone"`
}

// SeasonDueAnswer says whether a season's preparation is to run now.
type SeasonDueAnswer struct {
	Now    bool          `json:"now"`
	Season models.Season `json:"season"`
	Text   string        `json:"text"`
}

// DefineSeason finds the season that is prepared for or runs at a time, if one does.
func (s *Seasons) DefineSeason(_ context.Context, d SeasonDefinition, now time.Time) (SeasonDueAnswer, error) {
	for year := now.Year() - 1; year <= now.Year()+1; year++ {
		end := year
		if d.Last < d.First {
			end++
		}
		id := fmt.Sprintf("%s-%d", d.Name, year)
		got, err := models.SeasonOf(id, fmt.Sprintf("%d-%s", year, d.First), fmt.Sprintf("%d-%s", end, d.Last), d.TimeZone, s.zone)
		if err != nil {
			return SeasonDueAnswer{}, fail(err)
		}
		if now.Before(got.From.Add(-season.PlanFrom)) || !now.Before(got.Until) {
			continue
		}
		got.Name, got.RequestedBy, got.CreatedAt = d.Name, PlatformActor, now
		return SeasonDueAnswer{Now: true, Season: got, Text: "the preparation of " + id + " begins"}, nil
	}
	return SeasonDueAnswer{Text: "no season of this name is due"}, nil
}

func (s *Seasons) zone(name string) (*time.Location, error) {
	if s.Zone == nil {
		return time.LoadLocation(name)
	}
	return s.Zone(name)
}
