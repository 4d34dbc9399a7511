package predictor

import (
	"context"
	"time"

	"github.com/wedsync/scalability/models"
)

// History reads the mean load of each hour in [from, until) that has samples.
type History interface {
	HourlyLoad(ctx context.Context, service models.ServiceName, from, until time.Time) ([]models.HourlyLoad, error)
}

// Minutes reads the mean load of each minute in [from, until) that has samples, earliest
// first.
type Minutes interface {
	MinuteLoad(ctx context.Context, service models.ServiceName, from, until time.Time) ([]models.MinuteLoad, error)
}

// Calendar reads weddings, earliest first.
type Calendar interface {
	Weddings(ctx context.Context, f models.WeddingFilter) ([]models.Wedding, error)
}

// Feeds say when the calendar feed that is most out of date was last read whole; now where
// there is none.
type Feeds interface {
	CalendarReadAt(ctx context.Context) (time.Time, error)
}

// Catalogue reads a service.
type Catalogue interface {
	Service(ctx context.Context, name models.ServiceName) (models.Service, error)
}

// Archive keeps the forecasts of weddings; a row that is there already is left as it is.
type Archive interface {
	SaveWeddingPredictions(ctx context.Context, predictions []models.WeddingPrediction) error
}

// Cache keeps the newest forecast of a wedding for a while.
type Cache interface {
	PutPrediction(ctx context.Context, p models.WeddingPrediction) error
}

// Rollups keeps the load of the hours that are over.
type Rollups interface {
	RollHours(ctx context.Context, now time.Time) (int, error)
}

// Ledger keeps forecasts with their origin, writes what came beside them, and reads those
// that were scored, by lead (0: all) and hour. A forecast that is kept already stays as
// it is.
type Ledger interface {
	SaveForecasts(ctx context.Context, forecasts []models.LoadForecast) (int, error)
	ScoreForecasts(ctx context.Context, now time.Time) (int, error)
	Forecasts(ctx context.Context, service models.ServiceName, lead int, from, until time.Time) ([]models.LoadForecast, error)
}
