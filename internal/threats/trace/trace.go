package trace

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// The shape of a trail: four weeks from which habits are learned, then an ordinary Friday and
// a Saturday full of weddings, on which detection is judged.
const (
	historyDays = 28
	judgedDays  = 2
	day         = 24 * time.Hour
)

// Event is one committed row, or a gap that the reader of the trail found.
type Event struct {
	Entry     models.AuditEntry
	Gap       *models.TrailGap
	Committed time.Time
	Freeze    bool
	Attack    int // 0: clean
}

// Attack is one that was drawn, with what must be said of it.
type Attack struct {
	ID         int
	Rule       models.ThreatRule
	Kind       string
	Severity   models.ThreatSeverity
	Detectable time.Time // of the entry that completes what the rule speaks of
}

// Trace is a drawn trail.
type Trace struct {
	Seed       uint64
	JudgedFrom time.Time
	Events     []Event // by the time of their commit
	Attacks    []Attack
	Owner      map[string]int // attack of an entry, by ID
}

// Options say what is drawn.
type Options struct {
	Seed    uint64
	Attacks bool // false: the same people and the same surge, and nobody attacks
}

// drawing is a trail that is being drawn. Attacks have a source of chance of their own, so that
// the clean rows are the same with and without them.
type drawing struct {
	clean  *rand.Rand
	evil   *rand.Rand
	people []*person
	start  time.Time // of the history
	judged time.Time // Friday, midnight
	events []Event
	out    Trace
	seq    int
	used   map[string]bool // people whom an attack is about
}

// Draw makes a trail.
func Draw(o Options) Trace {
	d := &drawing{
		clean: rand.New(rand.NewPCG(o.Seed, 0x7ea7)), //nolint:gosec // a trail has to be repeatable
		evil:  rand.New(rand.NewPCG(o.Seed, 0xbad)),  //nolint:gosec // as above
		used:  map[string]bool{},
	}
	d.judged = time.Date(2027, 6, 11, 0, 0, 0, 0, time.UTC) // a Friday
	d.start = d.judged.Add(-historyDays * day)
	d.out = Trace{Seed: o.Seed, JudgedFrom: d.judged, Owner: map[string]int{}}
	d.populate()
	for n := range historyDays + judgedDays {
		d.live(d.start.Add(time.Duration(n) * day))
	}
	if o.Attacks {
		d.attack()
	}
	slices.SortStableFunc(d.events, func(a, b Event) int { return a.Committed.Compare(b.Committed) })
	d.out.Events = d.events
	return d.out
}

// isSurge says whether a day is the Saturday of the judged weekend.
func (d *drawing) isSurge(midnight time.Time) bool { return midnight.Equal(d.judged.Add(day)) }

// frozen is from six on the surge's morning until two in the night after.
func (d *drawing) frozen(at time.Time) bool {
	return !at.Before(d.judged.Add(day+6*time.Hour)) && at.Before(d.judged.Add(2*day+2*time.Hour))
}

// add puts an entry into the trail; its commit is a little later, rarely up to a second.
func (d *drawing) add(r *rand.Rand, e models.AuditEntry, attack int) time.Time {
	d.seq++
	e.ID = fmt.Sprintf("e%07d", d.seq)
	if attack > 0 {
		e.ID = fmt.Sprintf("a%07d", d.seq)
		d.out.Owner[e.ID] = attack
	}
	lag := time.Duration(2+r.ExpFloat64()*8) * time.Millisecond
	if chance(r, 0.005) {
		lag += time.Duration(r.IntN(900)) * time.Millisecond
	}
	e.At = e.At.Truncate(time.Microsecond)
	d.events = append(d.events, Event{Entry: e, Committed: e.At.Add(lag), Freeze: d.frozen(e.At), Attack: attack})
	return e.At
}

func chance(r *rand.Rand, p float64) bool { return r.Float64() < p }

// between draws a whole number, both ends included.
func between(r *rand.Rand, least, most int) int { return least + r.IntN(most-least+1) }

// within draws a time in a span.
func within(r *rand.Rand, from time.Time, span time.Duration) time.Time {
	return from.Add(time.Duration(r.Int64N(max(1, int64(span)))))
}

// poisson draws a count.
func poisson(r *rand.Rand, mean float64) int {
	if mean > 50 {
		return max(0, int(math.Round(mean+math.Sqrt(mean)*r.NormFloat64())))
	}
	n, p, limit := 0, r.Float64(), math.Exp(-mean)
	for p > limit {
		n++
		p *= r.Float64()
	}
	return n
}

func pick[T any](r *rand.Rand, list []T) T { return list[r.IntN(len(list))] }
