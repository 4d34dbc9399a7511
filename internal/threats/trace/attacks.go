package trace

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// attack draws some of each kind into the judged days. Those that touch many accounts are
// apart from each other by half an hour, so that each is one.
func (d *drawing) attack() {
	r := d.evil
	for range between(r, 1, 3) {
		d.bruteForce(d.anyTime())
	}
	for range between(r, 1, 3) {
		d.breakIn(d.anyTime())
	}
	slots := r.Perm(judgedDays * 46)
	slot := func() time.Time {
		s := slots[0]
		slots = slots[1:]
		return d.judged.Add(time.Duration(s)*31*time.Minute + time.Minute)
	}
	for range between(r, 1, 2) {
		d.stuffing(slot())
	}
	for range between(r, 1, 2) {
		d.spray(slot())
	}
	d.oneRow("grant", d.anyTime())
	d.oneRow("role claim", d.anyTime())
	d.forgery(d.anyTime())
	for range between(r, 1, 2) {
		d.reaching(d.anyTime())
	}
	d.firstUse(d.anyTime())
	d.atNight()
	d.crawl(d.anyTime())
	d.tampering(d.anyTime())
	d.gap(d.anyTime())
}

// anyTime leaves room for an attack to end before the trail does.
func (d *drawing) anyTime() time.Time { return within(d.evil, d.judged, judgedDays*day-time.Hour) }

// begun notes an attack; the caller says later when it became detectable.
func (d *drawing) begun(rule models.ThreatRule, kind string, severity models.ThreatSeverity) int {
	id := len(d.out.Attacks) + 1
	d.out.Attacks = append(d.out.Attacks, Attack{ID: id, Rule: rule, Kind: kind, Severity: severity})
	return id
}

func (d *drawing) detectable(id int, at time.Time) {
	if a := &d.out.Attacks[id-1]; a.Detectable.IsZero() {
		a.Detectable = at
	}
}

// victim is somebody whom no other attack is about, of one of some roles.
func (d *drawing) victim(fits func(*person) bool) *person {
	for range 1000 {
		p := pick(d.evil, d.people)
		if p.every == 0 && p.joins.IsZero() && !d.used[p.subject] && fits(p) {
			d.used[p.subject] = true
			return p
		}
	}
	return d.people[0]
}

func anyone(*person) bool { return true }

func hasRole(roles ...models.Role) func(*person) bool {
	return func(p *person) bool { return slices.Contains(roles, p.role) }
}

func (d *drawing) guess() string {
	return pick(d.evil, []string{"signature", "signature", "signature", "malformed", "algorithm", "issuer", "audience"})
}

// times draws n moments in a span, in order.
func (d *drawing) times(n int, from time.Time, span time.Duration) []time.Time {
	all := make([]time.Time, n)
	for i := range all {
		all[i] = within(d.evil, from, span)
	}
	slices.SortFunc(all, time.Time.Compare)
	return all
}

// bruteForce is ten to two hundred tries of one account in at most ten minutes.
func (d *drawing) bruteForce(from time.Time) {
	r, p := d.evil, d.victim(anyone)
	id := d.begun(models.ThreatBruteForce, "account", models.ThreatWarning)
	hosts := []string{stranger(r), stranger(r), stranger(r)}[:between(r, 1, 3)]
	for i, at := range d.times(between(r, 10, 200), from, time.Duration(between(r, 20, 590))*time.Second) {
		at = d.add(r, refused(at, pick(r, hosts), p.subject, d.guess()), id)
		if i == 9 {
			d.detectable(id, at)
		}
	}
}

// breakIn is five to forty tries, and then one that hits.
func (d *drawing) breakIn(from time.Time) {
	r, p := d.evil, d.victim(anyone)
	id := d.begun(models.ThreatSuccessAfterFailures, "account", models.ThreatCritical)
	host := stranger(r)
	tries := d.times(between(r, 5, 40), from, time.Duration(between(r, 5, 240))*time.Second)
	for _, at := range tries {
		d.add(r, refused(at, neighbour(r, host), p.subject, d.guess()), id)
	}
	at := tries[len(tries)-1].Add(time.Duration(between(r, 1, 600)) * time.Second)
	if chance(r, 0.3) {
		host = stranger(r) // what was found is used from elsewhere
	}
	for i := range between(r, 1, 12) {
		e := p.call(at, models.PermissionRead)
		e.RemoteIP, e.Context[models.ContextTokenID] = host, "found-"+p.subject
		at = d.add(r, e, id).Add(time.Duration(between(r, 1, 20)) * time.Second)
		if i == 0 {
			d.detectable(id, e.At.Truncate(time.Microsecond))
		}
	}
}

// stuffing is a list of names tried from one network; few of them hit.
func (d *drawing) stuffing(from time.Time) {
	r := d.evil
	id := d.begun(models.ThreatStuffing, "network", models.ThreatWarning)
	host, names := stranger(r), between(r, 24, 150)
	hits := r.Float64() * 0.04
	failed := 0
	for i, at := range d.times(names, from, time.Duration(between(r, 60, 540))*time.Second) {
		if chance(r, hits) {
			p := d.victim(anyone)
			e := p.call(at, models.PermissionRead)
			e.RemoteIP, e.Context[models.ContextTokenID] = neighbour(r, host), fmt.Sprintf("listed-%d", i)
			d.add(r, e, id)
			continue
		}
		at = d.add(r, refused(at, neighbour(r, host), d.listed(i), "signature"), id)
		// The share is more than nine in ten from here on: hits are fewer than one in 24.
		if failed++; failed >= 20 && float64(failed) > 0.9*float64(i+1) {
			d.detectable(id, at)
		}
	}
}

// listed is a name from a list: of somebody here, or of nobody.
func (d *drawing) listed(i int) string {
	if p := pick(d.evil, d.people); chance(d.evil, 0.3) && !d.used[p.subject] {
		return p.subject
	}
	return fmt.Sprintf("user:list-%d-%d", d.seq, i)
}

// spray tries many accounts once or twice from as many networks. How many fail by themselves
// is known from how the trail was drawn; six standard deviations more are detectable, with
// room for what no detector can know better.
func (d *drawing) spray(from time.Time) {
	r := d.evil
	id := d.begun(models.ThreatSpray, "platform", models.ThreatCritical)
	usual, n := 2.0, 0
	if d.frozen(from) {
		usual = 0.03 * float64(len(d.people))
	}
	enough := max(12, int(math.Ceil(usual+6*math.Sqrt(usual)))) + 3
	names := enough + between(r, 10, 120)
	for i, at := range d.times(names, from, time.Duration(between(r, 120, 560))*time.Second) {
		who := fmt.Sprintf("user:spray-%d-%d", id, i)
		for range between(r, 1, 2) {
			at = d.add(r, refused(at, stranger(r), who, "signature"), id)
		}
		if n++; n == enough {
			d.detectable(id, at)
		}
	}
}

// oneRow is an attempt that the guard itself tells in one row.
func (d *drawing) oneRow(kind string, at time.Time) {
	r := d.evil
	id := d.begun(models.ThreatEscalation, kind, models.ThreatCritical)
	p := d.victim(hasRole(models.RoleAdmin, models.RoleOperator, models.RoleViewer))
	e := p.call(at, models.PermissionRead)
	e.Decision, e.Rule = models.AuditDeny, models.RuleRoleClaimMismatch
	e.Context["claimedRole"] = string(models.RoleAdmin)
	if kind == "grant" {
		e.Action, e.Rule = string(models.PermissionPolicy), models.RulePrivilegeEscalation
		e.Context["attempt"] = "give scalability_admin to " + p.subject
	}
	d.detectable(id, d.add(r, e, id))
}

// forgery is a token that chooses how it is checked.
func (d *drawing) forgery(at time.Time) {
	r, p := d.evil, d.victim(anyone)
	id := d.begun(models.ThreatEscalation, "token abuse", models.ThreatCritical)
	host := stranger(r)
	for range between(r, 1, 4) {
		e := refused(at, host, p.subject, "signature")
		e.Context[models.ContextAbuse] = pick(r, []string{"algorithm", "own key", "key id"})
		at = d.add(r, e, id)
		d.detectable(id, at)
		at = at.Add(time.Duration(between(r, 1, 30)) * time.Second)
	}
}

// reaching is somebody with a good token who looks how far it goes.
func (d *drawing) reaching(from time.Time) {
	r := d.evil
	p := d.victim(hasRole(models.RoleViewer, models.RoleOperator, models.RoleCoordinator))
	id := d.begun(models.ThreatEscalation, "denials", models.ThreatCritical)
	for i, at := range d.times(between(r, 5, 20), from, time.Duration(between(r, 5, 280))*time.Second) {
		e := p.call(at, pick(r, []models.Permission{models.PermissionManage, models.PermissionPolicy, models.PermissionAudit}))
		e.Decision, e.Rule = models.AuditDeny, "not granted"
		at = d.add(r, e, id)
		if i == 4 {
			d.detectable(id, at)
		}
	}
}

// severity of what is unusual: critical while changes are frozen.
func (d *drawing) severity(at time.Time) models.ThreatSeverity {
	if d.frozen(at) {
		return models.ThreatCritical
	}
	return models.ThreatWarning
}

// firstUse is a stolen session that does what its owner never did.
func (d *drawing) firstUse(at time.Time) {
	p := d.victim(hasRole(models.RoleAdmin))
	at = d.duringWork(p, at)
	id := d.begun(models.ThreatUnusual, "first use", d.severity(at))
	d.detectable(id, d.add(d.evil, p.call(at, models.PermissionPolicy), id))
}

// duringWork moves a time into the hours in which somebody is usually here.
func (d *drawing) duringWork(p *person, at time.Time) time.Time {
	return at.Truncate(day).Add(time.Duration(p.from)*time.Hour + time.Duration(at.UnixNano()%int64(time.Duration(p.until-p.from)*time.Hour)))
}

// atNight is a stolen session that is used while its owner and most others sleep.
func (d *drawing) atNight() {
	r := d.evil
	p := d.victim(hasRole(models.RoleAdmin, models.RoleOperator, models.RoleViewer))
	at := d.judged.Add(time.Duration(r.IntN(judgedDays))*day + time.Hour + time.Duration(between(r, 0, 2*3600))*time.Second)
	id := d.begun(models.ThreatUnusual, "off hours", d.severity(at))
	for range between(r, 1, 20) {
		at = d.add(r, p.call(at, models.PermissionRead), id)
		d.detectable(id, at)
		at = at.Add(time.Duration(between(r, 1, 40)) * time.Second)
	}
}

// crawl is a stolen session that reads everything there is: as much as the rate limit lets
// through. Three times what its owner ever did, and more than 150, is detectable.
func (d *drawing) crawl(at time.Time) {
	r := d.evil
	p := d.victim(hasRole(models.RoleOperator, models.RoleViewer))
	at = d.duringWork(p, at)
	id := d.begun(models.ThreatUnusual, "rate", d.severity(at))
	enough := max(150, 3*d.busiest(p)) + 1
	for i, at := range d.times(between(r, 380, 480), at, 5*time.Minute) {
		at = d.add(r, p.call(at, models.PermissionRead), id)
		if i == enough-1 {
			d.detectable(id, at)
		}
	}
	d.detectable(id, at.Add(5*time.Minute))
}

// busiest is the most calls of somebody in five minutes of the history.
func (d *drawing) busiest(p *person) (most int) {
	counts := map[int64]int{}
	for _, e := range d.events {
		if e.Entry.Actor == p.subject && e.Entry.At.Before(d.judged) {
			slot := e.Entry.At.Unix() / 300
			counts[slot]++
			most = max(most, counts[slot])
		}
	}
	return most
}

// tampering is a verification that found something.
func (d *drawing) tampering(at time.Time) {
	id := d.begun(models.ThreatAuditIntegrity, "verification", models.ThreatCritical)
	e := models.AuditEntry{
		At: at, Actor: "svc:worker", Action: "audit.verify", Object: "audit", Decision: models.AuditAllow,
		Rule: pick(d.evil, []string{"tampered", "gap"}), Context: map[string]string{"first": "tampered: stream api-1, row 12"},
	}
	d.detectable(id, d.add(d.evil, e, id))
}

// gap is rows that the reader of the trail misses.
func (d *drawing) gap(at time.Time) {
	id := d.begun(models.ThreatAuditIntegrity, "gap", models.ThreatCritical)
	d.events = append(d.events, Event{Gap: &models.TrailGap{Stream: "api-7", After: 100, Before: 104, At: at}, Committed: at, Attack: id})
	d.detectable(id, at)
}
