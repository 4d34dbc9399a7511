package ingest

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// How long aggregates are kept.
const (
	// keptUnsaved is how long a second waits for a hot store that is away. A minute
	// lets the averages of decisions be whole again as soon as it is back.
	keptUnsaved = time.Minute
	// keptRecent is how long a second is kept at least, for the probe.
	keptRecent = 12 * time.Second
	// latestAge is how old a value may be to count as a service's latest.
	latestAge = 30 * time.Second
	// grace is how long after its end a ten-second window is closed. What arrives
	// later, but within MaxPast, makes a correction row of its own.
	grace = 2 * time.Second
)

// Ledger is the balance of all samples of accepted batches:
//
//	Received = Accepted + Late + Future
//	Accepted = Stored + Open + Spooled + Dropped
type Ledger struct {
	Received int64
	Accepted int64
	Late     int64
	Future   int64
	Stored   int64 // in rollups that the sink took
	Open     int64 // in windows that are not closed
	Spooled  int64 // in rollups that wait for the sink
	Dropped  int64 // in rollups that waited too long and had to make room
}

func (l *Ledger) count(r models.IngestResult) {
	l.Received += int64(r.Received)
	l.Accepted += int64(r.Accepted)
	l.Late += int64(r.Late)
	l.Future += int64(r.Future)
}

// book holds what is aggregated and not at rest yet. Its owner locks it.
type book struct {
	names   names
	seconds map[slot]*bucket // for the hot store
	windows map[slot]*bucket // of WindowSecs, for the rollups
	latest  []reading        // by series
	news    []bool           // by service: latest has changed since it was saved
	ledger  Ledger
}

// slot is one window of one series, by its start in seconds since 1970.
type slot struct {
	series int
	start  int64
}

// bucket aggregates the samples of one window. Times are nanoseconds since 1970.
type bucket struct {
	count           int64
	sum, min, max   float64
	last            float64 // value of the newest sample
	firstAt, lastAt int64   // oldest and newest sample
	dirty           bool    // changed since it was saved
}

// reading is the newest value of a series.
type reading struct {
	at    int64 // nanoseconds since 1970; 0 = none
	value float64
}

func newBook(n names) book {
	return book{
		names: n, seconds: map[slot]*bucket{}, windows: map[slot]*bucket{},
		latest: make([]reading, len(n.services)*len(n.metrics)), news: make([]bool, len(n.services)),
	}
}

// add enters one sample into its second, its window and the latest values.
func (b *book) add(series int, at int64, value float64) {
	second := at / int64(time.Second)
	enter(b.seconds, slot{series, second}, at, value)
	enter(b.windows, slot{series, second - second%WindowSecs}, at, value)
	if at >= b.latest[series].at {
		b.latest[series] = reading{at, value}
		b.news[series/len(b.names.metrics)] = true
	}
}

func enter(m map[slot]*bucket, s slot, at int64, value float64) {
	c, ok := m[s]
	if !ok {
		m[s] = &bucket{count: 1, sum: value, min: value, max: value, last: value, firstAt: at, lastAt: at, dirty: true}
		return
	}
	c.count++
	c.sum += value
	c.min, c.max = math.Min(c.min, value), math.Max(c.max, value)
	c.firstAt = min(c.firstAt, at)
	if at >= c.lastAt {
		c.last, c.lastAt = value, at
	}
	c.dirty = true
}

func (c *bucket) mean() float64 { return c.sum / float64(c.count) }

// unsaved takes the whole of each second that has changed, and the latest values of
// each service that has. only names one service, -1 all.
func (b *book) unsaved(now time.Time, only int) parcel {
	var p parcel
	for s, c := range b.seconds {
		service := s.series / len(b.names.metrics)
		if !c.dirty || (only >= 0 && service != only) {
			continue
		}
		c.dirty = false
		p.slots = append(p.slots, s)
	}
	slices.SortFunc(p.slots, bySlot)
	for _, s := range p.slots {
		p.cells = append(p.cells, b.cell(s, b.seconds[s]))
	}
	for service := range b.news {
		if b.news[service] && (only < 0 || service == only) {
			b.news[service] = false
			p.services = append(p.services, service)
			p.latest = append(p.latest, b.latestOf(service, now))
		}
	}
	return p
}

// parcel is what one write to the hot store carries.
type parcel struct {
	slots    []slot
	cells    []models.Cell
	services []int
	latest   []models.LatestMetrics
}

func (p parcel) empty() bool { return len(p.cells) == 0 && len(p.latest) == 0 }

// returned marks as unsaved again what could not be delivered.
func (b *book) returned(p parcel) {
	for _, s := range p.slots {
		if c, ok := b.seconds[s]; ok {
			c.dirty = true
		}
	}
	for _, service := range p.services {
		b.news[service] = true
	}
}

func (b *book) cell(s slot, c *bucket) models.Cell {
	service, metric := b.names.of(s.series)
	return models.Cell{
		Service: service, Metric: metric, Start: time.Unix(s.start, 0).UTC(),
		Count: c.count, Sum: c.sum, Min: c.min, Max: c.max, Last: c.last,
	}
}

// latestOf leaves out the metrics that stopped being reported: absent, not stale.
func (b *book) latestOf(service int, now time.Time) models.LatestMetrics {
	l := models.LatestMetrics{Service: b.names.services[service], Values: map[models.MetricName]float64{}}
	newest := int64(0)
	for i, m := range b.names.metrics {
		r := b.latest[service*len(b.names.metrics)+i]
		if r.at == 0 || now.UnixNano()-r.at > int64(latestAge) {
			continue
		}
		l.Values[m] = r.value
		newest = max(newest, r.at)
	}
	if newest > 0 {
		l.At = time.Unix(0, newest).UTC()
	}
	return l
}

// closed takes out the windows that ended at least wait ago; a negative wait takes all.
func (b *book) closed(now time.Time, wait time.Duration, source string) []models.MetricRollup {
	var done []slot
	for s := range b.windows {
		end := time.Unix(s.start+WindowSecs, 0)
		if wait < 0 || now.Sub(end) >= wait {
			done = append(done, s)
		}
	}
	slices.SortFunc(done, bySlot)
	rows := make([]models.MetricRollup, 0, len(done))
	for _, s := range done {
		c := b.windows[s]
		delete(b.windows, s)
		service, metric := b.names.of(s.series)
		rows = append(rows, models.MetricRollup{
			Timestamp: time.Unix(s.start, 0).UTC(), Service: service, Metric: metric, WindowSecs: WindowSecs,
			SampleCount: c.count, Sum: c.sum, Min: c.min, Max: c.max, Last: c.last, Source: source,
		})
	}
	return rows
}

// forget drops the seconds that nobody needs any more.
func (b *book) forget(now time.Time, kept time.Duration) {
	for s, c := range b.seconds {
		age := now.Sub(time.Unix(s.start, 0))
		if age > max(kept, keptUnsaved) || (!c.dirty && age > kept) {
			delete(b.seconds, s)
		}
	}
}

// open counts the samples in windows that are not closed.
func (b *book) open() int64 {
	n := int64(0)
	for _, c := range b.windows {
		n += c.count
	}
	return n
}

func bySlot(a, b slot) int {
	return cmp.Or(cmp.Compare(a.start, b.start), cmp.Compare(a.series, b.series))
}
