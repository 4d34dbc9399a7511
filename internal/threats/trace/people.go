package trace

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/wedsync/scalability/models"
)

// person is somebody, or a program, with habits.
type person struct {
	subject string
	role    models.Role
	address []string // at home, in the office
	days    []time.Weekday
	from    int // hour of the day, UTC
	until   int
	perHour float64 // calls
	permits []models.Permission
	every   time.Duration // of a program: one call each
	joins   time.Time     // zero: was always there

	token string // of the day
	daily map[string]int
}

func weekdays() []time.Weekday {
	return []time.Weekday{time.Monday, time.Tuesday, time.Wednesday, time.Thursday, time.Friday}
}

// populate draws who uses the platform.
func (d *drawing) populate() {
	r := d.clean
	read := []models.Permission{models.PermissionRead, models.PermissionRead, models.PermissionRead, models.PermissionMonitor}
	staff := func(role models.Role, n int, more ...models.Permission) {
		for range n {
			p := d.someone(role, slices.Concat(read, more))
			p.days = weekdays()
			d.people = append(d.people, p)
		}
	}
	staff(models.RoleAdmin, between(r, 3, 5), models.PermissionManage, models.PermissionManage, models.PermissionAudit)
	staff(models.RoleOperator, between(r, 6, 12), models.PermissionScaleStandard)
	staff(models.RoleViewer, between(r, 10, 30))
	for range between(r, 30, 120) {
		p := d.someone(models.RoleCoordinator, read)
		p.days = []time.Weekday{time.Thursday, time.Friday, time.Saturday}
		if chance(r, 0.4) {
			p.days = append(weekdays(), time.Saturday)
		}
		d.people = append(d.people, p)
	}
	for range between(r, 10, 40) { // come for their first wedding
		p := d.someone(models.RoleCoordinator, read)
		p.joins = d.judged.Add(day)
		p.days = []time.Weekday{time.Saturday}
		d.people = append(d.people, p)
	}
	for i, every := range []time.Duration{time.Minute, 5 * time.Minute, 7 * time.Minute} {
		d.people = append(d.people, &person{
			subject: fmt.Sprintf("svc:writer-%d", i), role: models.RoleMetricsWriter, every: every,
			address: []string{fmt.Sprintf("10.9.0.%d", i+10)}, permits: []models.Permission{models.PermissionIngest}, token: fmt.Sprintf("key-%d", i),
		})
	}
}

// someone has an address of their own and, more often than not, one in the office.
func (d *drawing) someone(role models.Role, permits []models.Permission) *person {
	r, n := d.clean, len(d.people)
	p := &person{
		subject: fmt.Sprintf("user:%s-%d", role, n), role: role, permits: permits,
		from: between(r, 7, 10), until: between(r, 15, 19), perHour: float64(between(r, 3, 12)),
		address: []string{fmt.Sprintf("81.%d.%d.%d", n/200+1, n%200+1, between(r, 2, 250))}, daily: map[string]int{},
	}
	if chance(r, 0.6) {
		p.address = append(p.address, fmt.Sprintf("62.5.7.%d", between(r, 2, 250)))
	}
	return p
}

// live draws one clean day.
func (d *drawing) live(midnight time.Time) {
	r, surge := d.clean, d.isSurge(midnight)
	factor := 1.0
	if surge {
		factor = 3 + 5*r.Float64()
	}
	for _, p := range d.people {
		switch {
		case p.every > 0:
			for at := within(r, midnight, p.every); at.Before(midnight.Add(day)); at = at.Add(p.every) {
				d.add(r, p.call(at, p.permits[0]), 0)
			}
		case midnight.Before(p.joins.Truncate(day)):
		case slices.Contains(p.days, midnight.Weekday()) || surge && chance(r, 0.7):
			d.work(p, midnight, factor)
		}
	}
	d.noise(midnight, factor)
	if midnight.Equal(d.judged) {
		d.oddities(midnight)
	}
}

// work is a day of one person: a sign-in that may take some tries, and calls over hours.
func (d *drawing) work(p *person, midnight time.Time, factor float64) {
	r := d.clean
	from, until := p.from+between(r, 0, 1)-between(r, 0, 1), p.until+between(r, 0, 1)-between(r, 0, 1)
	mistypes := 0.06
	if factor > 1 { // the weddings last into the night
		from, until, mistypes = between(r, 6, 9), between(r, 21, 25), 0.10
	}
	p.token = fmt.Sprintf("%s/%s", p.subject, midnight.Format(time.DateOnly))
	home := pick(r, p.address)
	begin := within(r, midnight.Add(time.Duration(from)*time.Hour), time.Hour)
	if chance(r, mistypes) {
		at := begin
		for range between(r, 1, 4) {
			d.add(r, refused(at, home, p.subject, pick(r, []string{"signature", "malformed"})), 0)
			at = at.Add(time.Duration(between(r, 3, 20)) * time.Second)
		}
		begin = at
	}
	rate := p.perHour
	if factor > 1 {
		rate = min(rate*factor, 60)
	}
	for hour := begin; hour.Before(midnight.Add(time.Duration(until) * time.Hour)); hour = hour.Add(time.Hour) {
		for range poisson(r, rate) {
			e := p.call(within(r, hour, time.Hour), pick(r, p.permits))
			e.RemoteIP = home
			d.add(r, e, 0)
		}
	}
	d.stumble(p, within(r, begin, 6*time.Hour), home, factor)
}

// stumble is what people do wrong without meaning harm.
func (d *drawing) stumble(p *person, at time.Time, home string, factor float64) {
	r := d.clean
	deny := func(n int, permission models.Permission, rule string) {
		for range n {
			e := p.call(at, permission)
			e.RemoteIP, e.Decision, e.Rule = home, models.AuditDeny, rule
			d.add(r, e, 0)
			at = at.Add(time.Duration(between(r, 2, 40)) * time.Second)
		}
	}
	if p.role == models.RoleViewer && chance(r, 0.03) {
		deny(between(r, 1, 3), models.PermissionScaleStandard, "not granted")
	}
	if p.role == models.RoleCoordinator {
		if chance(r, 0.05) {
			deny(between(r, 1, 8), models.PermissionWeddingPriority, "needs wedding_day")
		}
		if factor > 1 && chance(r, 0.5) {
			e := p.call(at, models.PermissionWeddingPriority)
			e.RemoteIP, e.Context[models.ContextWeddingDay] = home, "true"
			d.add(r, e, 0)
		}
	}
	if p.role == models.RoleOperator && factor > 1 {
		deny(between(r, 0, 6), models.PermissionScaleIn, "denied to role "+string(p.role))
	}
	if chance(r, 0.02*factor) { // a page that was left open with a token that ran out
		for range between(r, 20, 120) {
			d.add(r, refused(at, home, p.subject, "expired"), 0)
			at = at.Add(30 * time.Second)
		}
	}
}

// noise is what comes from the network: calls without a credential, and broken ones.
func (d *drawing) noise(midnight time.Time, factor float64) {
	r := d.clean
	for range poisson(r, 40*factor) {
		d.add(r, refused(within(r, midnight, day), stranger(r), "", "missing"), 0)
	}
	for range poisson(r, 5*factor) {
		d.add(r, refused(within(r, midnight, day), stranger(r), "", "malformed"), 0)
	}
}

// oddities are rare things on an ordinary day that look like an attack, and are none.
func (d *drawing) oddities(midnight time.Time) {
	r := d.clean
	if chance(r, 0.15) { // somebody cannot sleep
		p := d.people[between(r, 0, 5)]
		at := midnight.Add(2*time.Hour + time.Duration(between(r, 0, 3600))*time.Second)
		for range between(r, 2, 10) {
			d.add(r, p.call(at, models.PermissionRead), 0)
			at = at.Add(time.Duration(between(r, 5, 60)) * time.Second)
		}
	}
	if chance(r, 0.15) { // somebody has a new duty
		p := d.people[between(r, 0, 2)]
		d.add(r, p.call(midnight.Add(12*time.Hour), models.PermissionScaleStandard), 0)
	}
}

// call is an allowed call.
func (p *person) call(at time.Time, permission models.Permission) models.AuditEntry {
	return models.AuditEntry{
		At: at, Actor: p.subject, Action: string(permission), Object: "GET /api/scalability/status", Decision: models.AuditAllow,
		Rule: "role " + string(p.role), Roles: []models.Role{p.role}, RemoteIP: p.address[0],
		Context: map[string]string{models.ContextTokenID: p.token},
	}
}

// refused is a credential that was not taken.
func refused(at time.Time, address, claimed, reason string) models.AuditEntry {
	e := models.AuditEntry{
		At: at, Actor: "anonymous", Action: string(models.PermissionRead), Object: "GET /api/scalability/status", Decision: models.AuditDeny,
		Rule: reason, RemoteIP: address, Context: map[string]string{models.ContextRefusal: reason},
	}
	if claimed != "" {
		e.Context[models.ContextClaimedSubject] = claimed
	}
	return e
}

// stranger is an address from somewhere, IPv6 one time in five.
func stranger(r *rand.Rand) string {
	if chance(r, 0.2) {
		return fmt.Sprintf("2001:db8:%x:%x::%x", r.IntN(1<<16), r.IntN(1<<16), r.IntN(1<<16))
	}
	return fmt.Sprintf("%d.%d.%d.%d", between(r, 100, 200), r.IntN(256), r.IntN(256), between(r, 1, 254))
}

// neighbour is another address of the same /24 or /64.
func neighbour(r *rand.Rand, address string) string {
	prefix := models.NetworkOf(address)
	i := len(prefix) - len("0/24")
	if prefix[len(prefix)-3:] == "/24" {
		return prefix[:i] + fmt.Sprint(between(r, 1, 254))
	}
	return prefix[:len(prefix)-len("/64")] + fmt.Sprintf("%x", between(r, 1, 1<<16-1))
}
