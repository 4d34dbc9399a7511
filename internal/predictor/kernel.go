package predictor

import (
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

// peakPerGuest is the load that one guest brings at the ceremony to a service that
// gets one request for each at the front door, in requests per second. It is assumed;
// where there is history enough, a factor on it is fitted (see guestScale).
const peakPerGuest = 2.6

// longestArrival is how long before the ceremony guests begin to come, in hours.
const longestArrival = 2.0

// share says how many requests a service gets for one at the front door: what one page
// of a wedding site asks of the services behind it.
func share(s models.ServiceName) float64 {
	switch s {
	case models.ServiceAPI:
		return 1
	case models.ServiceDatabase:
		return 1.5
	case models.ServiceRealtime:
		return 0.5
	case models.ServiceAuth:
		return 0.2
	case models.ServiceStorage:
		return 0.15
	case models.ServiceSearch:
		return 0.12
	case models.ServiceMedia, models.ServiceNotifications, models.ServiceAnalytics:
		return 0.1
	default:
		return 1
	}
}

// kernel is the course of one wedding's load over h, the hours since the ceremony, as a
// share of its peak. A wedding ends D hours after the ceremony, when the last guest
// leaves. With S = D/3, the time of ceremony and dinner, and L = min(2, S), the time
// over which guests arrive:
//
//	h < −L           0
//	−L ≤ h < 0       (1 + h/L)²                     they look up the way
//	0 ≤ h < S        1 − 0.3·h/S                    they share photographs
//	S ≤ h < D        0.7·(1 − (h−S)/(D−S))²         they leave
//	h ≥ D            0
//
// Its peak is 1 at h = 0, and it is below 1 everywhere else.
type kernel struct{ arrive, stay, end float64 } // L, S, D in hours

func kernelOf(w models.Wedding) kernel {
	end := w.EndsAt.Sub(w.StartsAt).Hours()
	return kernel{arrive: math.Min(longestArrival, end/3), stay: end / 3, end: end}
}

// at is the course at one moment.
func (k kernel) at(h float64) float64 {
	switch {
	case h < -k.arrive || h >= k.end:
		return 0
	case h < 0:
		return square(1 + h/k.arrive)
	case h < k.stay:
		return 1 - 0.3*h/k.stay
	default:
		return 0.7 * square(1-(h-k.stay)/(k.end-k.stay))
	}
}

func square(x float64) float64 { return x * x }

func cube(x float64) float64 { return x * x * x }

// until is the integral of the course from −L to h, in hours at the peak.
func (k kernel) until(h float64) float64 {
	arrived, stayed := k.arrive/3, 0.85*k.stay
	switch {
	case h < -k.arrive:
		return 0
	case h < 0:
		return k.arrive / 3 * cube(1+h/k.arrive)
	case h < k.stay:
		return arrived + h - 0.15*h*h/k.stay
	case h < k.end:
		leave := k.end - k.stay
		return arrived + stayed + 0.7*leave/3*(1-cube(1-(h-k.stay)/leave))
	default:
		return arrived + stayed + 0.7*(k.end-k.stay)/3
	}
}

// mean is the mean of the course over [from, from+1) hours, exactly. What rounding
// leaves below nothing is nothing.
func (k kernel) mean(from float64) float64 { return math.Max(0, k.until(from+1)-k.until(from)) }

// peak is what a wedding's guests bring to a service at the ceremony.
func peak(w models.Wedding, s models.ServiceName) float64 {
	return float64(w.Guests) * peakPerGuest * share(s)
}

// counts says whether a wedding brings guests. A tentative one counts in full: capacity
// that is missing harms more than capacity that is spare.
func counts(w models.Wedding) bool {
	return w.Status != models.WeddingCancelled && w.Guests > 0 && w.EndsAt.After(w.StartsAt)
}

// guestLoad is what the guests of one wedding bring at one moment.
func guestLoad(w models.Wedding, s models.ServiceName, at time.Time) float64 {
	return peak(w, s) * kernelOf(w).at(at.Sub(w.StartsAt).Hours())
}

// guests is the load of one wedding in one hour.
type guests struct {
	wedding string
	rps     float64
}

// guestHours gives the mean load that the guests of the weddings bring in each hour, in
// the order of the weddings.
func guestHours(weddings []models.Wedding, s models.ServiceName) map[int64][]guests {
	out := map[int64][]guests{}
	for _, w := range weddings {
		k, top := kernelOf(w), peak(w, s)
		first := hourOf(w.StartsAt.Add(-time.Duration(k.arrive * float64(time.Hour))))
		for h := first; !timeOf(h).After(w.EndsAt); h++ {
			if rps := top * k.mean(timeOf(h).Sub(w.StartsAt).Hours()); rps > 0 {
				out[h] = append(out[h], guests{w.ID, rps})
			}
		}
	}
	return out
}

func total(list []guests) float64 {
	sum := 0.0
	for _, g := range list {
		sum += g.rps
	}
	return sum
}

// hourOf numbers the hours since 1970.
func hourOf(t time.Time) int64 {
	s := t.Unix()
	if s < 0 {
		s -= 3599
	}
	return s / 3600
}

func timeOf(hour int64) time.Time { return time.Unix(hour*3600, 0).UTC() }
