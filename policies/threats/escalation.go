package threats

import (
	"fmt"
	"time"

	"github.com/wedsync/scalability/models"
)

// denials are the calls of one subject that were denied above their own tier, newest last.
type denials struct {
	times []time.Time
	ids   evidence
}

// reached looks at what a known subject reached for and did not get.
func (d *Detector) reached(e models.AuditEntry) {
	if e.Decision != models.AuditDeny {
		return
	}
	switch e.Rule {
	case models.RulePrivilegeEscalation:
		d.escalated(e, "grant", fmt.Sprintf("%s tried to %s.", e.Actor, orElse(e.Context["attempt"], "gain more than they have")), nil)
	case models.RuleRoleClaimMismatch:
		d.escalated(e, "role claim", fmt.Sprintf("A token of %s claims the role %s, which %s does not hold.",
			e.Actor, orElse(e.Context["claimedRole"], "of somebody else"), e.Actor), nil)
	case ruleNotGranted, ruleNoRole:
		d.deniedAbove(e)
	}
}

// Rules of the access policy that deny for want of a right. Others depend on the day or on a
// freeze, and whoever meets them reaches for nothing that is not theirs.
const (
	ruleNotGranted = "not granted"
	ruleNoRole     = "no role"
)

func (d *Detector) deniedAbove(e models.AuditEntry) {
	p := models.Permission(e.Action)
	if tier(p) <= tierOf(e.Roles) {
		return
	}
	n := &d.people.at(e.Actor).denied
	kept := n.times[:0]
	for _, at := range n.times {
		if e.At.Sub(at) < d.s.DeniedWindow {
			kept = append(kept, at)
		}
	}
	if n.times = append(kept, e.At); len(n.times) > maxFailures {
		n.times = append(n.times[:0], n.times[1:]...)
	}
	n.ids.add(e.ID)
	if len(n.times) < d.s.DeniedCalls {
		return
	}
	found := n.ids[max(0, len(n.ids)-len(n.times)):]
	d.escalated(e, "denials", fmt.Sprintf("%s was denied %d times in %s what is above their own roles, the last time %s.",
		e.Actor, len(n.times), told(e.At.Sub(n.times[0])), p), found)
}

// escalated raises an attempt of somebody whose credential was good: it ends.
func (d *Detector) escalated(e models.AuditEntry, kind, what string, ids []string) {
	d.raise(models.Threat{
		Rule: models.ThreatEscalation, Kind: kind, Severity: models.ThreatCritical, Subject: e.Actor, Network: models.NetworkOf(e.RemoteIP),
		Evidence: ids, Response: models.RespondRevokeSubject,
		Sentence: what + " All tokens and sessions they were given until now end.",
	}, e, d.s.DeniedWindow)
}

// abused raises a token that tried to choose how it is checked. Whom it names is nobody's
// word: it is the network that is held back, and no session of that subject ends.
func (d *Detector) abused(e models.AuditEntry, claimed, from, abuse string) {
	what := map[string]string{
		"algorithm": "names an algorithm that is not allowed here",
		"own key":   "brings its own key along",
		"key id":    "has a key id that is no name",
	}[abuse]
	d.raise(models.Threat{
		Rule: models.ThreatEscalation, Kind: "token abuse", Severity: models.ThreatCritical, Subject: claimed, Claimed: true, Network: from,
		Response: models.RespondThrottleNetwork,
		Sentence: fmt.Sprintf("A token from %s that says it is of %s %s: somebody forges tokens. It was refused, and few refused calls from there are heard now.",
			orUnknown(e.RemoteIP), orElse(claimed, "nobody"), orElse(what, "tries "+abuse)),
	}, e, d.s.DeniedWindow)
}

// verified raises a verification of the trail that found something.
func (d *Detector) verified(e models.AuditEntry) {
	severity := models.ThreatCritical
	switch e.Rule {
	case verifiedSound:
		return
	case verifiedUnanchored: // nothing is wrong with the rows; nobody vouches for them
		severity = models.ThreatWarning
	}
	d.raise(models.Threat{
		Rule: models.ThreatAuditIntegrity, Kind: "verification", Severity: severity, Subject: e.Actor,
		Sentence: fmt.Sprintf("The audit trail was verified and is not sound (%s): %s.", e.Rule, orElse(e.Context["first"], "see the verification")),
	}, e, time.Hour)
}

// Missing raises rows that the trail lacks.
func (d *Detector) Missing(g models.TrailGap) []models.Threat {
	d.out = nil
	what := fmt.Sprintf("rows %d to %d of the stream %s are missing", g.After+1, g.Before-1, g.Stream)
	if g.Before == 0 {
		what = fmt.Sprintf("the stream %s should go on after row %d, and does not", g.Stream, g.After)
	}
	d.raise(models.Threat{
		Rule: models.ThreatAuditIntegrity, Kind: "gap " + g.Stream, Severity: models.ThreatCritical,
		Sentence: "The audit trail has a gap: " + what + ". Run wedsync audit verify.",
	}, models.AuditEntry{At: g.At}, time.Hour)
	return d.out
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
