package threats

import (
	"fmt"
	"math"
	"time"

	"github.com/wedsync/scalability/models"
)

// accountsOfNetwork bounds the accounts that are told apart for one network.
const accountsOfNetwork = 256

// network is a /24 or a /64 that credentials come from.
type network struct {
	failing map[string]time.Time // accounts, and when they last failed from here
	gotIn   map[string]time.Time
	ids     evidence
}

func (n *network) prune(now time.Time, window time.Duration) {
	for _, m := range []map[string]time.Time{n.failing, n.gotIn} {
		for k, at := range m {
			if now.Sub(at) >= window {
				delete(m, k)
			}
		}
	}
}

func note(m *map[string]time.Time, account string, at time.Time) {
	if *m == nil {
		*m = map[string]time.Time{}
	}
	if _, known := (*m)[account]; known || len(*m) < accountsOfNetwork {
		(*m)[account] = at
	}
}

// gotInFrom notes that an account works from a network. Most networks never see a failure,
// and of those nothing is kept.
func (d *Detector) gotInFrom(e models.AuditEntry, from string) {
	if n := d.networks.find(from); n != nil {
		note(&n.gotIn, e.Actor, e.At)
	}
}

// failedFrom counts a failure by whence it came.
func (d *Detector) failedFrom(e models.AuditEntry, claimed, from string) {
	if from == "" {
		return
	}
	n := d.networks.at(from)
	n.ids.add(e.ID)
	if claimed == "" {
		return
	}
	note(&n.failing, claimed, e.At)
	if len(n.failing) < d.s.StuffingAccounts {
		return
	}
	n.prune(e.At, d.s.StuffingWindow)
	failing, all := len(n.failing), len(n.gotIn)
	for a := range n.failing {
		if _, worked := n.gotIn[a]; worked {
			failing--
		} else {
			all++
		}
	}
	if failing < d.s.StuffingAccounts || float64(failing) <= d.s.StuffingShare*float64(all) {
		return
	}
	d.raise(models.Threat{
		Rule: models.ThreatStuffing, Kind: "network", Severity: models.ThreatWarning, Subject: claimed, Claimed: true, Network: from,
		Entries: failing, Evidence: n.ids, Response: models.RespondThrottleNetwork,
		Sentence: fmt.Sprintf("Credentials for %d accounts were refused from %s in %s, of %d that were tried there: somebody tries a list. Few refused calls from there are heard now.",
			failing, from, told(d.s.StuffingWindow), all),
	}, e, d.s.StuffingWindow)
}

// sprays compares how many accounts fail, from wherever, with what is usual.
func (d *Detector) sprays(e models.AuditEntry, claimed string) {
	d.failing.add(claimed, e.At)
	d.sprayed.add(e.ID)
	n := d.failing.count(e.At)
	if n < d.s.SprayAccounts {
		return
	}
	mean, sigma := d.baseline.expect(e.At, d.active.count(e.At))
	if float64(n) <= mean+d.s.SpraySigmas*sigma {
		return
	}
	d.raise(models.Threat{
		Rule: models.ThreatSpray, Kind: "platform", Severity: models.ThreatCritical, Subject: claimed, Claimed: true,
		Entries: n, Evidence: d.sprayed,
		Sentence: fmt.Sprintf("Credentials for %d accounts were refused in %s, where %.1f are usual at this hour of the week and with so many people here (%.0f σ): somebody tries all accounts.",
			n, told(d.s.SprayWindow), mean, (float64(n)-mean)/sigma),
	}, e, d.s.SprayWindow)
}

// seasonal is how many accounts usually fail in ten minutes, by hour of the week, and which
// part of those that are active. The part is what makes a surge no attack: with five times
// the people there are five times the typing errors.
type seasonal struct {
	hours [7 * 24]moments
	share moments // failing by active
}

// moments are a mean and a variance that forget slowly.
type moments struct {
	n              int
	mean, variance float64
}

const (
	slowest    = 0.1 // weight of a new value, once there are ten
	leastUsual = 2   // accounts: so many may always fail, and hours that are not known yet have it
	leastShare = 0.03
	mostPassed = 7 * 24 * 6 // slots that are learned for one silence
)

func (m *moments) learn(x float64) {
	m.n++
	w := max(1/float64(m.n), slowest)
	delta := x - m.mean
	m.mean += w * delta
	m.variance = (1 - w) * (m.variance + w*delta*delta)
}

func hourOfWeek(t time.Time) int { u := t.UTC(); return int(u.Weekday())*24 + u.Hour() }

// expect is the usual number of failing accounts and its standard deviation, at least that
// of independent events.
func (s *seasonal) expect(at time.Time, active int) (mean, sigma float64) {
	h := s.hours[hourOfWeek(at)]
	mean = max(leastUsual, h.mean, max(leastShare, s.share.mean)*float64(active))
	return mean, math.Sqrt(max(mean, h.variance))
}

// pass learns from the slots that ended between two entries. What is far above the usual is
// learned as no more than far: an attack must not make the next one usual.
func (s *seasonal) pass(from, to time.Time, failing, active *sliding, slot time.Duration) {
	if from.IsZero() {
		return
	}
	end := from.Truncate(slot).Add(slot)
	for i := 0; !end.After(to) && i < mostPassed; i++ {
		s.learn(end.Add(-time.Nanosecond), failing.count(end), active.count(end))
		end = end.Add(slot)
	}
}

func (s *seasonal) learn(at time.Time, failing, active int) {
	mean, sigma := s.expect(at, active)
	x := min(float64(failing), mean+3*sigma)
	s.hours[hourOfWeek(at)].learn(x)
	if active >= 10 {
		s.share.learn(x / float64(active))
	}
}
