package predictor

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/wedsync/scalability/models"
)

// Lengths, in hours.
const (
	week          = 168
	lookback      = 42 * 24 // of history that is read
	scoredHours   = 28 * 24 // of history on which the method is tried
	weeksBack     = 4       // to look for an hour that is missing last week
	enoughOfAWeek = week / 2
	levelHours    = 24 // of the recent level
	trustedAfter  = 14 * 24
)

const (
	fewestForGuests = 24  // hours with other weddings than the week before, to fit on
	largestScale    = 3.0 // of the assumed load of a guest
)

// model is all that the forecasts of one service are made from. It is not changed once
// it is built.
type model struct {
	service  models.ServiceName
	running  int64                    // the hour that is not over
	actual   map[int64]float64        // measured load by hour
	series   map[int64]float64        // without guests, where those are fitted, and without season
	weddings []models.Wedding         // those that count
	guests   map[int64][]guests       // assumed load of guests by hour
	season   func(hour int64) float64 // 1 where the multipliers are off
	scale    float64                  // of the load of guests, on the assumed one
	fitted   bool                     // scale comes from history
	method   models.PredictionMethod
	level    float64   // mean of series over the newest hours
	levelOf  int       // how many
	logs     []float64 // sorted log residuals of the method, nil where too few
	wape     *float64  // of the last 7 days, nil where too few hours could be scored
	scored   int       // hours behind wape
	seasonal bool      // the multipliers are on
}

// build makes a model of what was measured before and in the running hour.
func build(service models.ServiceName, running int64, actual map[int64]float64, weddings []models.Wedding, seasons bool) *model {
	m := &model{
		service: service, running: running, actual: actual, series: map[int64]float64{}, scale: 1,
		season: func(int64) float64 { return 1 }, seasonal: seasons,
	}
	if seasons {
		m.season = func(hour int64) float64 { return season(timeOf(hour)) }
	}
	for _, w := range weddings {
		if counts(w) {
			m.weddings = append(m.weddings, w)
		}
	}
	m.guests = guestHours(m.weddings, service)
	m.scale, m.fitted = m.guestScale()
	for hour, load := range actual {
		if m.fitted {
			load = math.Max(0, load-m.scale*total(m.guests[hour]))
		}
		m.series[hour] = load / m.season(hour)
	}
	m.level, m.levelOf = m.recentLevel()
	m.method = m.choose()
	if m.method == models.MethodSeasonalNaive {
		m.try()
	}
	return m
}

// choose takes the most informed method that the history carries: half of the last
// week's hours for the seasonal one, a single hour of it for the recent level.
func (m *model) choose() models.PredictionMethod {
	switch {
	case m.historyReaches(week) && m.closedSince(week) >= enoughOfAWeek:
		return models.MethodSeasonalNaive
	case m.levelOf > 0:
		return models.MethodRecentLevel
	default:
		return models.MethodNone
	}
}

// historyReaches says whether an hour as far back as that was measured.
func (m *model) historyReaches(hours int64) bool {
	for h := range m.actual {
		if h <= m.running-hours {
			return true
		}
	}
	return false
}

// closedSince counts the measured hours among the last ones that are over.
func (m *model) closedSince(hours int64) int {
	n := 0
	for h := m.running - hours; h < m.running; h++ {
		if _, ok := m.actual[h]; ok {
			n++
		}
	}
	return n
}

// recentLevel is the mean of the newest hours of the last week that were measured, the
// running one included.
func (m *model) recentLevel() (mean float64, n int) {
	sum := 0.0
	for h := m.running; h > m.running-week && n < levelHours; h-- {
		if v, ok := m.series[h]; ok {
			sum += v
			n++
		}
	}
	if n == 0 {
		return 0, 0
	}
	return sum / float64(n), n
}

// guestScale fits one factor on the assumed load of guests, by least squares over the
// changes from week to week, in which the platform's own load mostly cancels:
//
//	load(t) − load(t−168) ≈ scale · (guests(t) − guests(t−168))
//
// It takes the hours whose guests changed; with fewer than 24 of them nothing is
// fitted, the assumed load counts as it is, and the base keeps what last week's guests
// brought: too much is forecast rather than too little.
func (m *model) guestScale() (scale float64, fitted bool) {
	xy, xx, n := 0.0, 0.0, 0
	for h := m.running - lookback + week; h < m.running; h++ {
		now, ok := m.actual[h]
		before, known := m.actual[h-week]
		x := total(m.guests[h]) - total(m.guests[h-week])
		if !ok || !known || math.Abs(x) < 1e-9 {
			continue
		}
		xy += x * (now - before)
		xx += x * x
		n++
	}
	if n < fewestForGuests || !(xx > 0) {
		return 1, false
	}
	return math.Min(math.Max(xy/xx, 0), largestScale), true
}

// weekly finds the same hour one to four weeks back, among the hours before a limit.
// first says that it is the newest that could be asked for.
func (m *model) weekly(hour, limit int64) (v float64, first, ok bool) {
	first = true
	for lag := int64(week); lag <= weeksBack*week; lag += week {
		if hour-lag >= limit {
			continue
		}
		if v, ok := m.series[hour-lag]; ok {
			return v, first, true
		}
		first = false
	}
	return 0, false, false
}

// base is the load without guests that is expected in an hour; filled says that the
// hour it should come from is missing and another one stands for it: the same hour of
// an earlier week, else the mean of that hour over the last seven days, else the level.
func (m *model) base(hour int64) (rps float64, filled bool) {
	if m.method != models.MethodSeasonalNaive {
		return m.level * m.season(hour), false
	}
	v, first, ok := m.weekly(hour, m.running)
	if ok {
		return v * m.season(hour), !first
	}
	sum, n := 0.0, 0
	back := m.running - 1 - ((m.running-1-hour)%24+24)%24 // the newest closed hour at that time of day
	for h := back; h >= m.running-week; h -= 24 {
		if v, ok := m.series[h]; ok {
			sum += v
			n++
		}
	}
	if n == 0 {
		return m.level * m.season(hour), true
	}
	return sum / float64(n) * m.season(hour), true
}

// try lets the method forecast the hours of the past from those at least a week
// before them, and keeps how it did: the 7-day error, WAPE = Σ|actual − forecast| ÷
// Σ actual, and the log residuals of four weeks. The one factor of the guests is fitted
// on the same hours, and the calendar is today's: both flatter the method a little.
func (m *model) try() {
	var logs []float64
	missed, served, oldest := 0.0, 0.0, m.running
	for h := m.running - scoredHours; h < m.running; h++ {
		load, ok := m.actual[h]
		v, _, known := m.weekly(h, h)
		if !ok || !known {
			continue
		}
		forecast := v*m.season(h) + m.scale*total(m.guests[h])
		logs = append(logs, math.Log((load+1)/(forecast+1)))
		oldest = min(oldest, h)
		if h >= m.running-week {
			missed += math.Abs(load - forecast)
			served += load
			m.scored++
		}
	}
	if m.scored >= enoughOfAWeek && served > 0 {
		wape := missed / served
		m.wape = &wape
	}
	if m.running-oldest >= week && len(logs) >= enoughOfAWeek {
		slices.Sort(logs)
		m.logs = logs
	}
}

// quantile raises an expected load to one that is not passed with probability q, by the
// method's own residuals; never below the expected load. ok is false where there are
// under seven days of residuals.
func (m *model) quantile(p50, q float64) (rps float64, ok bool) {
	if m.logs == nil {
		return 0, false
	}
	r := math.Max(0, stat.Quantile(q, stat.LinInterp, m.logs, nil))
	return (p50+1)*math.Exp(r) - 1, true
}

// trust says whether decisions may be made on the forecasts, and why or why not.
func (m *model) trust() (bool, string) {
	switch {
	case m.method != models.MethodSeasonalNaive:
		return false, m.why()
	case !m.historyReaches(trustedAfter):
		return false, "not trusted: under 14 days of history"
	case m.wape == nil || m.logs == nil:
		return false, "not trusted: too few hours of the last 7 days could be scored"
	case *m.wape > trustedWAPE:
		return false, fmt.Sprintf("not trusted: an error of %.0f %% over the last 7 days, 35 %% is allowed", 100**m.wape)
	default:
		return true, fmt.Sprintf("trusted: an error of %.0f %% over %d hours of the last 7 days", 100**m.wape, m.scored)
	}
}

// why says in a sentence why the forecasts are made by the model's method.
func (m *model) why() string {
	switch m.method {
	case models.MethodSeasonalNaive:
		s := "the same hours of last week"
		if m.wape != nil {
			s += fmt.Sprintf(", which were off by %.0f %% over the last 7 days", 100**m.wape)
		}
		return s
	case models.MethodRecentLevel:
		if m.levelOf == 1 {
			return "under a week of history: the mean of the last hour"
		}
		return fmt.Sprintf("under a week of history: the mean of the last %d hours", m.levelOf)
	default:
	}
	return "no load was measured in the last week"
}

// shares are the parts of the coming weddings in an hour.
func (m *model) shares(hour int64) []models.WeddingShare {
	out := make([]models.WeddingShare, 0, len(m.guests[hour]))
	for _, g := range m.guests[hour] {
		out = append(out, models.WeddingShare{WeddingID: g.wedding, RPS: m.scale * g.rps})
	}
	slices.SortStableFunc(out, func(a, b models.WeddingShare) int { return cmp.Compare(b.RPS, a.RPS) })
	return out
}
