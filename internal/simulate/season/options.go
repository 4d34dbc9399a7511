package season

import (
	"time"

	"github.com/wedsync/scalability/models"
)

// Options say which part of which season is generated. Zero values are the defaults.
type Options struct {
	Start time.Time // first second, UTC
	Days  int
	Seed  uint64

	WeddingsPerYear float64 // 1200: about 25 on a Saturday in September
	BaseRPS         float64 // 300: mean load of the platform without weddings, requests per second
	RPSPerGuest     float64 // 2.6: requests per second of one active guest at the busiest moment
}

// Bounds of a season: what a machine's memory holds as one count per second.
const maxDays = 200

func (o Options) withDefaults() Options {
	if o.WeddingsPerYear == 0 {
		o.WeddingsPerYear = 1200
	}
	if o.BaseRPS == 0 {
		o.BaseRPS = 300
	}
	if o.RPSPerGuest == 0 {
		o.RPSPerGuest = 2.6
	}
	return o
}

// validate uses negated forms, which also refuse NaN.
func (o Options) validate() error {
	switch {
	case o.Start.IsZero():
		return models.Invalid("start", o.Start, "must be set")
	case o.Days < 1 || o.Days > maxDays:
		return models.Invalid("days", o.Days, "must be from 1 to 200")
	case !(o.WeddingsPerYear >= 0 && o.WeddingsPerYear <= 2e6):
		return models.Invalid("weddingsPerYear", o.WeddingsPerYear, "must be from 0 to 2000000")
	case !(o.BaseRPS >= 0 && o.BaseRPS <= 1e7):
		return models.Invalid("baseRps", o.BaseRPS, "must be from 0 to 10000000")
	case !(o.RPSPerGuest >= 0 && o.RPSPerGuest <= 100):
		return models.Invalid("rpsPerGuest", o.RPSPerGuest, "must be from 0 to 100")
	}
	return nil
}
