package threats

import (
	"fmt"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// account is one that somebody failed to get into.
type account struct {
	failures []failure // oldest first
}

type failure struct {
	at   time.Time
	id   string
	from string
}

// within gives the failures of a window that ends now.
func (a *account) within(now time.Time, window time.Duration) []failure {
	n := 0
	for n < len(a.failures) && now.Sub(a.failures[n].at) >= window {
		n++
	}
	return a.failures[n:]
}

func idsOf(all []failure) []string {
	var e evidence
	for _, f := range all {
		e.add(f.id)
	}
	return e
}

// failedAs counts a failure of one account.
func (d *Detector) failedAs(e models.AuditEntry, claimed, from string) {
	a := d.accounts.at(claimed)
	if len(a.failures) >= maxFailures {
		a.failures = append(a.failures[:0], a.failures[1:]...)
	}
	a.failures = append(a.failures, failure{e.At, e.ID, from})
	found := a.within(e.At, d.s.BruteWindow)
	if len(found) < d.s.BruteFailures || !d.worthTelling(claimed, e.At) {
		return
	}
	d.raise(models.Threat{
		Rule: models.ThreatBruteForce, Kind: "account", Severity: models.ThreatWarning, Subject: claimed, Claimed: true,
		Entries: len(found), Evidence: idsOf(found), Response: models.RespondDelayAccount,
		Sentence: fmt.Sprintf("%d credentials for %s were refused in %s, the last from %s: somebody tries to get in. Refused calls for it are answered slowly now.",
			len(found), claimed, told(e.At.Sub(found[0].at)), orUnknown(e.RemoteIP)),
	}, e, d.s.BruteWindow)
}

// worthTelling says whether guesses at an account make an alert of their own. Names cost nothing
// to make up: of those that never got in, so many are told of in a window. More than that is a
// spray, which is told of as one; and who is known here is always told of.
func (d *Detector) worthTelling(claimed string, at time.Time) bool {
	if d.people.find(claimed) != nil {
		return true
	}
	full := d.strangers.count(at) >= maxStrangers
	if _, told := d.strangers.last[claimed]; full && !told {
		return false
	}
	d.strangers.add(claimed, at)
	return true
}

// pair is a token that worked from a network.
type pair struct{ token, from string }

// use is a pair with the first time that it worked.
type use struct {
	pair
	at time.Time
}

// succeeded looks at who got in: after failures that is news, unless it is somebody who goes
// on with what they had before.
func (d *Detector) succeeded(e models.AuditEntry) {
	d.active.add(e.Actor, e.At)
	from, token := models.NetworkOf(e.RemoteIP), e.Context[models.ContextTokenID]
	d.gotInFrom(e, from)
	h := d.people.at(e.Actor)
	if a := d.accounts.find(e.Actor); a != nil {
		found := a.within(e.At, d.s.SuccessWindow)
		if len(found) >= d.s.SuccessFailures && h.surprising(pair{token, from}, found) {
			d.raise(models.Threat{
				Rule: models.ThreatSuccessAfterFailures, Kind: "account", Severity: models.ThreatCritical, Subject: e.Actor, Network: from,
				Entries: len(found) + 1, Evidence: append(idsOf(found[max(0, len(found)-maxEvidence+1):]), e.ID),
				Sentence: fmt.Sprintf("After %d refused credentials in %s %s got in from %s: somebody may have guessed or found one. Ask them, and revoke if it was not they.",
					len(found), told(e.At.Sub(found[0].at)), e.Actor, orUnknown(e.RemoteIP)),
			}, e, d.s.SuccessWindow)
		}
	}
	h.used(pair{token, from}, e.At)
}

// surprising says whether a success after failures may be that of who failed. It is not
// where the same token worked from the same network before the first failure, and not where
// a new one is used from a network that is the subject's own and none of the failures'.
func (h *habits) surprising(p pair, failures []failure) bool {
	first := failures[0].at
	ownNetwork := false
	for _, u := range h.uses {
		if !u.at.Before(first) {
			continue
		}
		if u.pair == p {
			return false
		}
		ownNetwork = ownNetwork || u.from == p.from
	}
	fromThere := slices.ContainsFunc(failures, func(f failure) bool { return f.from == p.from })
	return fromThere || !ownNetwork
}

// used remembers a pair. The first time is what counts, so the one that was met least
// lately is forgotten.
func (h *habits) used(p pair, at time.Time) {
	if i := slices.IndexFunc(h.uses, func(u use) bool { return u.pair == p }); i >= 0 {
		if i < len(h.uses)-1 {
			known := h.uses[i]
			h.uses = append(slices.Delete(h.uses, i, i+1), known)
		}
		return
	}
	if len(h.uses) >= maxPairs {
		h.uses = slices.Delete(h.uses, 0, 1)
	}
	h.uses = append(h.uses, use{p, at})
}

// told writes a duration for people.
func told(d time.Duration) string {
	if d < time.Minute {
		return fmt.Sprintf("%d s", int(d/time.Second)+1)
	}
	return fmt.Sprintf("%d min", int((d+time.Minute-1)/time.Minute))
}

func orUnknown(s string) string {
	if s == "" {
		return "an unknown address"
	}
	return s
}
