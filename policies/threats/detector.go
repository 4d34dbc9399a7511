package threats

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

// Actors and actions of the trail that rules look at.
const (
	anonymous    = "anonymous"
	actionSignIn = "sign_in"
	actionVerify = "audit.verify"
	callPrefix   = "scalability:"

	verifiedSound      = "sound"
	verifiedUnanchored = "not anchored"
)

// Detector holds what is remembered between entries. It is for one goroutine.
type Detector struct {
	s   Settings
	now time.Time // of the newest entry

	accounts *recent[account]
	networks *recent[network]
	people   *recent[habits]
	raised   *recent[time.Time] // by group

	strangers *sliding // accounts that never got in, and that an alert is about

	failing  *sliding // accounts
	active   *sliding // accounts that got in
	awake    *sliding // people whose habits are known, in the last hour
	baseline seasonal
	sprayed  evidence

	surroundings Surroundings
	out          []models.Threat
}

// New makes a Detector that knows nothing yet.
func New(s Settings) *Detector {
	return &Detector{
		s:        s,
		accounts: newRecent[account](maxAccounts), networks: newRecent[network](maxNetworks),
		people: newRecent[habits](maxSubjects), raised: newRecent[time.Time](maxGroups),
		strangers: newSliding(s.BruteWindow, s.BruteWindow/20, maxStrangers), failing: newSliding(s.SprayWindow, 0, maxAccounts), active: newSliding(s.SprayWindow, s.SprayWindow/20, maxAccounts),
		awake: newSliding(time.Hour, 5*time.Minute, maxSubjects),
	}
}

// Observe takes one entry and gives the threats that it completes. Entries come in the order
// of their time, give or take the seconds that a commit may be late.
func (d *Detector) Observe(e models.AuditEntry, around Surroundings) []models.Threat {
	d.surroundings, d.out = around, nil
	if e.At.After(d.now) {
		d.baseline.pass(d.now, e.At, d.failing, d.active, d.s.SprayWindow)
		d.now = e.At
	}
	switch {
	case e.Action == actionVerify:
		d.verified(e)
	case e.Action == actionSignIn, strings.HasPrefix(e.Action, callPrefix), e.Action == "":
		d.call(e)
	}
	return d.out
}

// call is an answer of the API's guard, or a sign-in.
func (d *Detector) call(e models.AuditEntry) {
	if e.Actor == anonymous {
		d.refused(e)
		return
	}
	d.succeeded(e)
	d.reached(e)
	if strings.HasPrefix(e.Action, callPrefix) {
		d.judgeHabits(e)
	}
}

// refused is a credential that was not taken.
func (d *Detector) refused(e models.AuditEntry) {
	claimed, from := e.Context[models.ContextClaimedSubject], models.NetworkOf(e.RemoteIP)
	if abuse := e.Context[models.ContextAbuse]; abuse != "" {
		d.abused(e, claimed, from, abuse)
	}
	if !guessed(reason(e)) {
		return
	}
	d.failedFrom(e, claimed, from)
	if claimed == "" {
		return
	}
	d.failedAs(e, claimed, from)
	d.sprays(e, claimed)
}

// reason is why a credential was refused.
func reason(e models.AuditEntry) string {
	if r := e.Context[models.ContextRefusal]; r != "" {
		return r
	}
	return e.Rule
}

// guessed says whether a refusal may be that of somebody who tries. A credential that was
// good once, or none at all, is what a page does that was left open.
func guessed(reason string) bool {
	switch reason {
	case "signature", "algorithm", "malformed", "subject", "issuer", "audience", "oversized":
		return true
	default:
		return false
	}
}

// Raised tells the detector of an alert that was raised before it was made, so that it does
// not raise it again.
func (d *Detector) Raised(t models.Threat) { *d.raised.at(group(t)) = t.At }

// group is what there is one alert for within a window. What an attacker can make up as they
// like, such as a name for each token, does not make more alerts of one attack.
func group(t models.Threat) string {
	kind, subject, network := t.Kind, t.Subject, t.Network
	switch t.Rule {
	case models.ThreatStuffing, models.ThreatSpray:
		subject = ""
	case models.ThreatEscalation:
		if t.Claimed {
			subject = ""
		} else {
			kind, network = "", "" // the session ends with the first
		}
	case models.ThreatUnusual:
		network = ""
	default:
	}
	return strings.Join([]string{string(t.Rule), kind, subject, network}, "\x00")
}

// raise gives a threat unless the same was given within a window.
func (d *Detector) raise(t models.Threat, e models.AuditEntry, quiet time.Duration) {
	t.At = e.At
	key := group(t)
	if last := d.raised.find(key); last != nil && !last.IsZero() && t.At.Sub(*last) < quiet {
		return
	}
	*d.raised.at(key) = t.At
	if len(t.Evidence) == 0 && e.ID != "" {
		t.Evidence = []string{e.ID}
	}
	t.Evidence = append([]string{}, t.Evidence...)
	t.Entries = max(t.Entries, len(t.Evidence))
	t.ID = identify(key, e.ID, t.At)
	if t.Response == models.RespondDelayAccount || t.Response == models.RespondThrottleNetwork {
		until := t.At.Add(d.s.ThrottleFor)
		t.RespondUntil = &until
	}
	d.out = append(d.out, t)
}

// identify gives the same alert the same ID, whichever process finds it.
func identify(group, entry string, at time.Time) string {
	sum := sha256.Sum256([]byte(group + "\x00" + entry + "\x00" + at.UTC().Format(time.RFC3339Nano)))
	return hex.EncodeToString(sum[:16])
}
