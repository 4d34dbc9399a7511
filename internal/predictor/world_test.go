package predictor_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/internal/predictor"
	"github.com/wedsync/scalability/models"
)

var (
	now     = time.Date(2027, 6, 12, 12, 20, 0, 0, time.UTC) // a Saturday
	errAway = errors.New("away")
)

// world is a platform with a history and a calendar, behind the predictor's ports.
type world struct {
	mu       sync.Mutex
	load     func(hour time.Time) (rps float64, ok bool)                 // nil: nothing was measured
	loads    map[models.ServiceName]func(hour time.Time) (float64, bool) // of single services; the others have load
	clock    time.Time                                                   // nothing is measured after it; zero: now
	weddings []models.Wedding
	service  models.Service
	rows     []models.WeddingPrediction
	cached   []models.WeddingPrediction
	reads    int // of history
	away     map[string]bool
	careless bool                      // the calendar ignores cursors and shows cancelled weddings
	scopes   map[models.ScopeRole]bool // in which history was read
}

func newWorld() *world {
	return &world{
		service: models.Service{Name: models.ServiceAPI, CapacityRPS: 100, MinReplicas: 2, Policy: models.DefaultScalingPolicy(models.TierCritical)},
		away:    map[string]bool{}, scopes: map[models.ScopeRole]bool{},
	}
}

func (w *world) HourlyLoad(ctx context.Context, service models.ServiceName, from, until time.Time) ([]models.HourlyLoad, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if service == models.ServiceAPI {
		w.reads++
	}
	w.scopes[models.ScopeFrom(ctx).Role] = true
	if w.away["history"] {
		return nil, errAway
	}
	load, newest := w.load, now
	if len(w.loads) > 0 && service != models.ServiceAPI {
		load = w.loads[service]
	}
	if !w.clock.IsZero() {
		newest = w.clock
	}
	var out []models.HourlyLoad
	for h := from.Truncate(time.Hour); load != nil && h.Before(until) && !h.After(newest); h = h.Add(time.Hour) {
		if rps, ok := load(h); ok {
			out = append(out, models.HourlyLoad{Hour: h, MeanRPS: rps, Samples: 3600})
		}
	}
	return out, nil
}

// Weddings shows a coordinator the own ones, as row level security does, in pages.
func (w *world) Weddings(ctx context.Context, f models.WeddingFilter) ([]models.Wedding, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.away["calendar"] {
		return nil, errAway
	}
	scope := models.ScopeFrom(ctx)
	all := slices.Clone(w.weddings)
	slices.SortFunc(all, func(a, b models.Wedding) int { return a.StartsAt.Compare(b.StartsAt) })
	var out []models.Wedding
	for _, x := range all {
		switch {
		case !w.careless && !f.IncludeCancelled && x.Status == models.WeddingCancelled:
		case !x.StartsAt.Before(f.Until) || !x.EndsAt.After(f.From):
		case scope.Role == models.ScopeCoordinator && x.Coordinator != scope.Subject:
		case !w.careless && f.After != nil && (x.StartsAt.Before(f.After.At) || (x.StartsAt.Equal(f.After.At) && x.ID <= f.After.ID)):
		case !w.careless && len(out) == 2: // pages are smaller than asked for
		default:
			out = append(out, x)
		}
	}
	return out, nil
}

func (w *world) Service(_ context.Context, name models.ServiceName) (models.Service, error) {
	if w.away["catalogue"] {
		return models.Service{}, errAway
	}
	s := w.service
	s.Name = name
	return s, nil
}

func (w *world) SaveWeddingPredictions(_ context.Context, rows []models.WeddingPrediction) error {
	if w.away["archive"] {
		return errAway
	}
	w.rows = append(w.rows, rows...)
	return nil
}

func (w *world) PutPrediction(_ context.Context, p models.WeddingPrediction) error {
	if w.away["cache"] {
		return errAway
	}
	w.cached = append(w.cached, p)
	return nil
}

func (w *world) predictor() *predictor.Predictor {
	return predictor.New(predictor.Options{
		History: w, Calendar: w, Catalogue: w, Archive: w, Cache: w, Weddings: true, Now: func() time.Time { return now },
	})
}

func (w *world) predict(t require.TestingT, hours int) models.Prediction {
	got, err := w.predictor().Predict(context.Background(), models.PredictionRequest{TimeHorizonHours: hours, IncludeWeddingContext: true}, now)
	require.NoError(t, err)
	return got
}

// since gives the days of a load that has been measured for so long.
func since(age time.Duration, load func(time.Time) float64) func(time.Time) (float64, bool) {
	return func(h time.Time) (float64, bool) { return load(h), !h.Before(now.Add(-age)) }
}

// platformDay is a load with a day and a week in it.
func platformDay(h time.Time) float64 {
	v := 200 + 100*math.Sin(2*math.Pi*float64(h.Hour()-14)/24)
	if h.Weekday() == time.Saturday || h.Weekday() == time.Sunday {
		v *= 1.5
	}
	return v
}

// noisy moves a load by up to share up and down, the same way each time it is asked.
func noisy(share float64, load func(time.Time) float64) func(time.Time) float64 {
	return func(h time.Time) float64 {
		rng := rand.New(rand.NewPCG(uint64(h.Unix()), 7))
		return load(h) * (1 + share*(2*rng.Float64()-1))
	}
}

func wedding(id string, ceremony time.Time, guests int) models.Wedding {
	return models.Wedding{
		ID: id, Reference: id, TimeZone: "UTC", StartsAt: ceremony, EndsAt: ceremony.Add(6 * time.Hour),
		WeddingDate: ceremony.Format(time.DateOnly), Guests: guests, Status: models.WeddingConfirmed,
	}
}

const days = 24 * time.Hour
