package activities

import (
	"context"
	"time"

	"github.com/wedsync/scalability/models"
)

// WeddingCalendar reads the calendar.
type WeddingCalendar interface {
	Weddings(ctx context.Context, f models.WeddingFilter) ([]models.Wedding, error)
}

// GuestLoad says what guests bring and what is there without them.
type GuestLoad interface {
	// Calendar has what one guest brings, and when the calendar was last read whole.
	Calendar(ctx context.Context, service models.Service, now time.Time) (*models.Calendar, error)
	// Hours has the load without guests of each hour.
	Hours(ctx context.Context, service models.ServiceName, from, until time.Time) ([]models.PredictionPoint, error)
}

// DayClaims keeps the reservations of a day.
type DayClaims interface {
	HeldReservations(ctx context.Context, holder string) ([]models.Reservation, error)
	CreateReservation(ctx context.Context, r models.Reservation) error
	EndReservation(ctx context.Context, id, actor string, at time.Time) (models.Reservation, error)
}

// DayUsage measures what a day used.
type DayUsage interface {
	Savings(ctx context.Context, since, until time.Time) (models.Savings, error)
	// PeakLoad is a percentile, 0 to 1, of the load of [from, until); nil: not measured.
	PeakLoad(ctx context.Context, service models.ServiceName, from, until time.Time, percentile float64) (*float64, error)
	// ViolationMinutes counts the minutes with a window above a threshold.
	ViolationMinutes(ctx context.Context, service models.ServiceName, from, until time.Time, t models.ThresholdSet) (int, error)
}

// WeddingDayWriter keeps a day as it stands. A day that is not kept yet is KindNotFound.
type WeddingDayWriter interface {
	SaveWeddingDay(ctx context.Context, d models.WeddingDay) error
	WeddingDay(ctx context.Context, date, region string) (models.WeddingDay, error)
}

// DayEscalator has people hear of a note of a wedding day.
type DayEscalator interface {
	EscalateDay(ctx context.Context, d models.WeddingDay, n models.DayNote) error
}

// StatesReader reads the last evaluation of every service.
type StatesReader interface {
	ScalingStates(ctx context.Context) ([]models.ScalingState, error)
}

// Nudger wakes a service's autoscaler because a claim changed.
type Nudger interface {
	NudgeAutoscale(ctx context.Context, service models.ServiceName, reservationID string) error
}

// WeddingDayStarter starts the workflow of a day, unless it runs.
type WeddingDayStarter interface {
	EnsureWeddingDay(ctx context.Context, date, region string) (started bool, err error)
}

// FeedReader lists the feeds that the calendar is read from.
type FeedReader interface {
	CalendarFeeds(ctx context.Context) ([]models.CalendarFeed, error)
}
