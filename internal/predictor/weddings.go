package predictor

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/wedsync/scalability/models"
)

// refreshAhead is how far ahead the forecasts of weddings are kept.
const refreshAhead = 14 * 24 * time.Hour

// RefreshWeddings stores what each wedding of the next 14 days brings to the front door
// by itself, and gives how many were written. Repeating it with the same time writes
// the same rows. The cache is a convenience: while it is away the rows stand alone.
func (p *Predictor) RefreshWeddings(ctx context.Context, now time.Time) (int, error) {
	if !p.opts.Weddings {
		return 0, nil
	}
	ctx = asPlatform(ctx)
	service, err := p.opts.Catalogue.Service(ctx, models.ServiceAPI)
	if err != nil {
		return 0, fmt.Errorf("predictor.RefreshWeddings: %w", err)
	}
	v, err := p.view(ctx, service, now, true)
	if err != nil {
		return 0, fmt.Errorf("predictor.RefreshWeddings: %w", err)
	}
	coming, err := p.calendar(ctx, now, now.Add(refreshAhead))
	if err != nil {
		return 0, fmt.Errorf("predictor.RefreshWeddings: %w", err)
	}
	rows := v.alone(coming, now)
	for start := 0; start < len(rows); start += pageSize {
		if err := p.opts.Archive.SaveWeddingPredictions(ctx, rows[start:min(start+pageSize, len(rows))]); err != nil {
			return start, fmt.Errorf("predictor.RefreshWeddings: %w", err)
		}
	}
	for i, row := range rows {
		if err := p.opts.Cache.PutPrediction(ctx, row); err != nil {
			p.opts.Log.WarnContext(ctx, "forecasts of weddings are not cached", "stored", len(rows), "cached", i, "error", err)
			break
		}
	}
	return len(rows), nil
}

// alone is what each wedding brings by itself: its peak is at the ceremony, unless
// history has shown another course.
func (v *view) alone(weddings []models.Wedding, now time.Time) []models.WeddingPrediction {
	method, after, each := models.MethodCalendarOnly, time.Duration(0), v.simple.scale*peakPerGuest*share(v.service.Name)
	switch {
	case v.course != nil:
		method = v.at(v.running).method
		after, each = v.summit()
	case v.simple.fitted:
		method = v.simple.method
	}
	rows := make([]models.WeddingPrediction, 0, len(weddings))
	for _, w := range weddings {
		if !counts(w) {
			continue
		}
		top := each * float64(w.Guests)
		rows = append(rows, models.WeddingPrediction{
			ID:        uuid.NewSHA1(uuid.NameSpaceOID, []byte(w.ID+"/"+string(v.service.Name)+"/"+now.UTC().Format(time.RFC3339Nano))).String(),
			WeddingID: w.ID, WeddingDate: w.WeddingDate, Service: v.service.Name, CreatedAt: now.UTC(),
			PeakAt: w.StartsAt.Add(after).UTC(), PeakRPS: top, PeakReplicas: extra(v.service, top), Guests: w.Guests, Method: method,
		})
	}
	return rows
}

// summit is when after the ceremony, and how high, the load of one guest is highest.
func (v *view) summit() (after time.Duration, rps float64) {
	k := v.kernel()
	for i, x := range k.P50 {
		if x > rps {
			after, rps = time.Duration(k.FromMinutes+i*k.StepMinutes)*time.Minute, x
		}
	}
	return after, rps
}

// extra is how many replicas a load needs on top of what is there.
func extra(s models.Service, rps float64) int {
	s.MinReplicas = 0
	return replicas(s, rps)
}
