package threats

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

const (
	memoryDays = 28
	day        = 24 * time.Hour
	rateWindow = 5 * time.Minute
	rateGrain  = 10 * time.Second
	rateSlots  = int(rateWindow / rateGrain)
	peakHours  = memoryDays * 24
	// topRank finds the 99.9th percentile of the five-minute rates of 28 days, of which there
	// are 8,064: the eighth from the top. It is taken of the hours' peaks, which are fewer and
	// not lower, but for several peaks in one hour.
	topRank = 8
)

// habits are what a subject usually does, and the short memory of the rules about it.
type habits struct {
	first   time.Time
	lastDay int64                           // days since the epoch
	days    uint32                          // bit i: active i days before lastDay
	hours   [24]int64                       // day on which the hour of the day was last active; 0: never
	permits map[models.Permission]time.Time // last allowed use
	mature  bool

	calls [rateSlots]slotCount
	peaks []hourPeak // oldest first
	usual int        // the 99.9th percentile, as of the newest hour
	ids   evidence

	uses   []use
	denied denials
}

type slotCount struct {
	slot  int64
	count int
}

type hourPeak struct {
	hour int64
	peak int
}

func dayOf(t time.Time) int64 { return t.Unix() / int64(day/time.Second) }

// mark notes that the subject was active, for the days and hours.
func (h *habits) mark(at time.Time) {
	if h.first.IsZero() || at.Before(h.first) {
		h.first = at
	}
	today := dayOf(at)
	switch ahead := today - h.lastDay; {
	case h.lastDay == 0 || ahead >= 32:
		h.days, h.lastDay = 1, today
	case ahead > 0:
		h.days, h.lastDay = h.days<<uint(ahead)|1, today
	case ahead > -32:
		h.days |= 1 << uint(-ahead)
	}
	hour := at.UTC().Hour()
	h.hours[hour] = max(h.hours[hour], today)
}

// ripe says whether enough is known of a subject for anything to be unusual.
func (h *habits) ripe(now time.Time, s Settings) bool {
	return !h.first.IsZero() && now.Sub(h.first) >= s.HabitAge && bits.OnesCount32(h.days&(1<<memoryDays-1)) >= s.HabitDays
}

// rate counts a call and gives how many there were in five minutes.
func (h *habits) rate(at time.Time) int {
	slot := at.UnixNano() / int64(rateGrain)
	if c := &h.calls[slot%int64(rateSlots)]; c.slot == slot {
		c.count++
	} else if slot > c.slot {
		*c = slotCount{slot, 1}
	}
	n := 0
	for _, c := range h.calls {
		if slot-c.slot < int64(rateSlots) {
			n += c.count
		}
	}
	return n
}

// peaked keeps the highest rate of each hour, for 28 days.
func (h *habits) peaked(at time.Time, n int) {
	hour := at.Unix() / 3600
	last := len(h.peaks) - 1
	if last >= 0 && h.peaks[last].hour >= hour {
		h.peaks[last].peak = max(h.peaks[last].peak, n)
		return
	}
	h.peaks = append(h.peaks, hourPeak{hour, n})
	old := 0
	for old < len(h.peaks) && h.peaks[old].hour <= hour-int64(peakHours) {
		old++
	}
	h.peaks = append(h.peaks[:0], h.peaks[old:]...)
	h.usual = h.percentile()
}

// percentile does not count the hour that goes on.
func (h *habits) percentile() int {
	if len(h.peaks) == 0 {
		return 0
	}
	top := make([]int, 0, len(h.peaks))
	for _, p := range h.peaks[:len(h.peaks)-1] {
		top = append(top, p.peak)
	}
	slices.SortFunc(top, func(a, b int) int { return b - a })
	if len(top) == 0 {
		return 0
	}
	return top[min(len(top), topRank)-1]
}

// hoursAway is how far an hour of the day is from any at which the subject was active in the
// last 28 days.
func (h *habits) hoursAway(at time.Time) int {
	today, hour, nearest := dayOf(at), at.UTC().Hour(), 24
	for i, last := range h.hours {
		if last == 0 || today-last > memoryDays {
			continue
		}
		apart := (i - hour + 24) % 24
		nearest = min(nearest, apart, 24-apart)
	}
	return nearest
}

// judgeHabits looks for what a subject does for the first time, at an hour at which they never
// are here, or far more often than ever, and then learns it.
func (d *Detector) judgeHabits(e models.AuditEntry) {
	h := d.people.at(e.Actor)
	n := h.rate(e.At)
	h.ids.add(e.ID)
	ripe := h.ripe(e.At, d.s)
	h.mature = ripe
	if ripe {
		d.unusualUse(e, h)
		d.unusualHour(e, h)
		n = d.unusualRate(e, h, n)
	}
	if ripe && strings.HasPrefix(e.Actor, "user:") {
		d.awake.add(e.Actor, e.At)
	}
	h.mark(e.At)
	h.peaked(e.At, n)
	if e.Decision == models.AuditAllow {
		if h.permits == nil {
			h.permits = map[models.Permission]time.Time{}
		}
		h.permits[models.Permission(e.Action)] = e.At
	}
}

func (d *Detector) unusualUse(e models.AuditEntry, h *habits) {
	p := models.Permission(e.Action)
	last, before := h.permits[p]
	if e.Decision != models.AuditAllow || before && e.At.Sub(last) < memoryDays*day {
		return
	}
	// A coordinator's first wedding day is no news: the server itself says that it is one.
	if e.Context[models.ContextWeddingDay] == "true" {
		return
	}
	d.unusual(e, "first use", fmt.Sprintf("%s used %s, and did not in the %d days before.", e.Actor, p, memoryDays), d.s.UnusualQuiet)
}

func (d *Detector) unusualHour(e models.AuditEntry, h *habits) {
	away := h.hoursAway(e.At)
	if away < d.s.HoursAway || d.awake.count(e.At) >= d.s.TeamAwake || !d.quietHour(e.At) {
		return // when the team is up, or somebody always is, it is a wedding night or an early start, and no thief
	}
	d.unusual(e, "off hours", fmt.Sprintf("%s was here at %s UTC, %d hours from any at which they were in %d days, when nobody else is.",
		e.Actor, e.At.UTC().Format("15:04"), away, memoryDays), d.s.UnusualQuiet)
}

// quietHour says whether hardly anybody was active at this hour of the day in 28 days. It is
// asked only when somebody is far from their own hours, which is rare.
func (d *Detector) quietHour(at time.Time) bool {
	known, active, today, hour := 0, 0, dayOf(at), at.UTC().Hour()
	for subject, h := range d.people.all() {
		if !h.mature || !strings.HasPrefix(subject, "user:") {
			continue
		}
		known++
		if last := h.hours[hour]; last != 0 && last != today && today-last <= memoryDays {
			active++
		}
	}
	return float64(active) < d.s.QuietShare*float64(known)
}

// unusualRate gives what is learned of the rate: no more than the bound that it passed.
func (d *Detector) unusualRate(e models.AuditEntry, h *habits, n int) int {
	bound := max(d.s.RateFloor, int(d.s.RateFactor*float64(h.usual)))
	if n <= bound {
		return n
	}
	d.unusual(e, "rate", fmt.Sprintf("%s made %d calls in %s; %d were the most in %d days but for one five-minute span in a thousand.",
		e.Actor, n, told(rateWindow), h.usual, memoryDays), time.Hour)
	return bound
}

// unusual warns; while changes are frozen nobody has a reason to do what they never do.
func (d *Detector) unusual(e models.AuditEntry, kind, sentence string, quiet time.Duration) {
	severity := models.ThreatWarning
	if d.surroundings.ChangeFreeze {
		severity = models.ThreatCritical
		sentence += " Changes are frozen."
	}
	ids := []string{e.ID}
	if kind == "rate" {
		ids = d.people.at(e.Actor).ids
	}
	d.raise(models.Threat{
		Rule: models.ThreatUnusual, Kind: kind, Severity: severity, Subject: e.Actor, Network: models.NetworkOf(e.RemoteIP),
		Evidence: ids, Sentence: sentence,
	}, e, quiet)
}

// Learn takes in what the trail says of the weeks before. It raises nothing, and may be given
// what was observed as well: nothing is counted twice that would matter.
func (d *Detector) Learn(b models.Behaviour) {
	changed := map[*habits]bool{}
	for _, x := range b.Habits {
		h := d.people.at(x.Subject)
		changed[h] = true
		h.mark(x.Hour)
		if x.Allowed {
			if h.permits == nil {
				h.permits = map[models.Permission]time.Time{}
			}
			if x.Hour.After(h.permits[x.Permission]) {
				h.permits[x.Permission] = x.Hour
			}
		}
		h.remember(x.Hour, x.Peak)
	}
	for h := range changed {
		h.usual = h.percentile()
	}
	for _, u := range b.Uses {
		h, p := d.people.at(u.Subject), pair{u.TokenID, models.NetworkOf(u.RemoteIP)}
		if i := slices.IndexFunc(h.uses, func(have use) bool { return have.pair == p }); i >= 0 {
			if u.At.Before(h.uses[i].at) {
				h.uses[i].at = u.At
			}
		} else if len(h.uses) < maxPairs {
			h.uses = slices.Insert(h.uses, 0, use{p, u.At})
		}
	}
	for _, s := range b.Slots {
		d.baseline.learn(s.At, s.Failing, s.Active)
	}
}

// remember puts the peak of an hour where it belongs among those that are known.
func (h *habits) remember(at time.Time, peak int) {
	hour := at.Unix() / 3600
	i, there := slices.BinarySearchFunc(h.peaks, hour, func(p hourPeak, hour int64) int { return int(p.hour - hour) })
	if there {
		h.peaks[i].peak = max(h.peaks[i].peak, peak)
	} else {
		h.peaks = slices.Insert(h.peaks, i, hourPeak{hour, peak})
	}
}
