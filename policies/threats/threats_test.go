package threats

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/wedsync/scalability/models"
)

var noon = time.Date(2027, 6, 11, 12, 0, 0, 0, time.UTC) // a Friday

// feed gives entries of a trail, with IDs in their order.
type feed struct {
	d      *Detector
	n      int
	freeze bool
	found  []models.Threat
}

func newFeed() *feed { return &feed{d: New(Defaults())} }

func (f *feed) add(e models.AuditEntry) *feed {
	f.n++
	if e.ID == "" {
		e.ID = fmt.Sprintf("e%d", f.n)
	}
	f.found = append(f.found, f.d.Observe(e, Surroundings{ChangeFreeze: f.freeze})...)
	return f
}

func (f *feed) rules() []string {
	out := []string{}
	for _, t := range f.found {
		out = append(out, string(t.Rule)+"/"+t.Kind)
	}
	return out
}

func after(d time.Duration) time.Time { return noon.Add(d) }

func failed(at time.Time, who, from, reason string) models.AuditEntry {
	e := models.AuditEntry{At: at, Actor: anonymous, Action: "scalability:read", Decision: models.AuditDeny, Rule: reason, RemoteIP: from, Context: map[string]string{models.ContextRefusal: reason}}
	if who != "" {
		e.Context[models.ContextClaimedSubject] = who
	}
	return e
}

func allowed(at time.Time, who, from, token string, p models.Permission) models.AuditEntry {
	return models.AuditEntry{At: at, Actor: who, Action: string(p), Decision: models.AuditAllow, Rule: "role", RemoteIP: from, Context: map[string]string{models.ContextTokenID: token}}
}

func denied(at time.Time, who string, p models.Permission, rule string, roles ...models.Role) models.AuditEntry {
	e := allowed(at, who, "192.0.2.7", "t", p)
	e.Decision, e.Rule, e.Roles = models.AuditDeny, rule, roles
	return e
}

func TestTenFailuresInTenMinutesAreBruteForceOnceAWindow(t *testing.T) {
	f := newFeed()
	for i := range 9 {
		f.add(failed(after(time.Duration(i)*time.Minute), "user:anna", "203.0.113.9", "signature"))
	}
	assert.Empty(t, f.found)
	f.add(failed(after(9*time.Minute+59*time.Second), "user:anna", "203.0.113.200", "malformed"))
	require.Equal(t, []string{"brute_force/account"}, f.rules())
	got := f.found[0]
	assert.Equal(t, models.ThreatWarning, got.Severity)
	assert.Equal(t, "user:anna", got.Subject)
	assert.True(t, got.Claimed, "nothing vouches for the name")
	assert.Equal(t, models.RespondDelayAccount, got.Response)
	assert.Equal(t, got.At.Add(15*time.Minute), *got.RespondUntil)
	assert.Len(t, got.Evidence, 10)
	assert.Contains(t, got.Sentence, "10 credentials for user:anna")
	for i := range 60 {
		f.add(failed(after(10*time.Minute+time.Duration(i)*5*time.Second), "user:anna", "203.0.113.9", "signature"))
	}
	assert.Len(t, f.found, 1, "one for the window")
	f.add(failed(after(20*time.Minute), "user:anna", "203.0.113.9", "signature"))
	assert.Len(t, f.found, 2, "and another one where it goes on")
}

func TestWhatIsNoGuessIsNoBruteForce(t *testing.T) {
	for _, reason := range []string{"missing", "expired", "revoked", "not_yet_valid", "state", "provider"} {
		f := newFeed()
		for i := range 100 {
			f.add(failed(after(time.Duration(i)*time.Second), "user:anna", "203.0.113.9", reason))
		}
		assert.Empty(t, f.found, reason)
	}
	f := newFeed()
	for i := range 100 { // nine in any ten minutes
		f.add(failed(after(time.Duration(i)*67*time.Second), "user:anna", "203.0.113.9", "signature"))
	}
	assert.Empty(t, f.found)
}

func TestARateLimitedGuessIsOneStill(t *testing.T) {
	f := newFeed()
	for i := range 10 {
		e := failed(after(time.Duration(i)*time.Second), "user:anna", "203.0.113.9", "signature")
		e.Rule = "rate_limited"
		f.add(e)
	}
	assert.Equal(t, []string{"brute_force/account"}, f.rules())
}

func TestASuccessAfterFailures(t *testing.T) {
	const home, other, attacker = "81.2.3.4", "62.5.7.9", "203.0.113.9"
	cases := map[string]struct {
		before func(f *feed) // long ago
		fails  int
		from   string
		token  string
		wait   time.Duration
		want   bool
	}{
		"from where the failures came":                {nil, 5, attacker, "new", time.Minute, true},
		"from a neighbour":                            {nil, 5, "203.0.113.77", "new", time.Minute, true},
		"from where nobody ever was":                  {nil, 5, other, "new", time.Minute, true},
		"after four":                                  {nil, 4, attacker, "new", time.Minute, false},
		"a quarter of an hour later":                  {nil, 5, attacker, "new", 16 * time.Minute, false},
		"by the owner, who goes on":                   {func(f *feed) { f.add(allowed(after(-time.Hour), "user:anna", home, "old", "scalability:read")) }, 9, home, "old", time.Minute, false},
		"by the owner, who signs in again":            {func(f *feed) { f.add(allowed(after(-time.Hour), "user:anna", home, "old", "scalability:read")) }, 9, home, "new", time.Minute, false},
		"the owner's token from the attacker's place": {func(f *feed) { f.add(allowed(after(-time.Hour), "user:anna", home, "old", "scalability:read")) }, 9, attacker, "old", time.Minute, true},
		"the owner behind the attacker's proxy":       {func(f *feed) { f.add(allowed(after(-time.Hour), "user:anna", attacker, "old", "scalability:read")) }, 9, attacker, "old", time.Minute, false},
		"a new one behind the same proxy":             {func(f *feed) { f.add(allowed(after(-time.Hour), "user:anna", attacker, "old", "scalability:read")) }, 9, attacker, "new", time.Minute, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFeed()
			if c.before != nil {
				c.before(f)
			}
			for i := range c.fails {
				f.add(failed(after(time.Duration(i)*time.Second), "user:anna", attacker, "signature"))
			}
			f.add(allowed(after(time.Duration(c.fails)*time.Second+c.wait), "user:anna", c.from, c.token, "scalability:read"))
			if !c.want {
				assert.Empty(t, f.found)
				return
			}
			require.Equal(t, []string{"success_after_failures/account"}, f.rules())
			assert.Equal(t, models.ThreatCritical, f.found[0].Severity)
			assert.False(t, f.found[0].Claimed)
			assert.Equal(t, models.RespondNot, f.found[0].Response, "a person decides: the owner may have mistyped")
		})
	}
}

func TestAListTriedFromOneNetworkIsStuffing(t *testing.T) {
	cases := map[string]struct {
		network func(i int) string
		fails   int
		works   int
		want    bool
	}{
		"from one /24":             {func(i int) string { return fmt.Sprintf("203.0.113.%d", i+1) }, 20, 0, true},
		"from one /64":             {func(i int) string { return fmt.Sprintf("2001:db8::%x", i+1) }, 20, 0, true},
		"of which two hit":         {func(int) string { return "203.0.113.9" }, 20, 2, true},
		"of which a tenth hits":    {func(int) string { return "203.0.113.9" }, 27, 3, false},
		"of nineteen":              {func(int) string { return "203.0.113.9" }, 19, 0, false},
		"from everywhere":          {func(i int) string { return fmt.Sprintf("203.0.%d.9", i) }, 20, 0, false},
		"in an office of fifty":    {func(int) string { return "62.5.7.9" }, 22, 50, false},
		"mapped into IPv6 is IPv4": {func(i int) string { return fmt.Sprintf("::ffff:203.0.113.%d", i+1) }, 20, 0, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFeed()
			f.add(failed(after(0), "", c.network(0), "malformed")) // the network is looked at from here on
			for i := range c.works {
				f.add(allowed(after(time.Second), fmt.Sprintf("user:works-%d", i), c.network(i), "t", "scalability:read"))
			}
			for i := range c.fails {
				f.add(failed(after(time.Duration(i+2)*time.Second), fmt.Sprintf("user:list-%d", i), c.network(i), "signature"))
			}
			stuffing := strings.Contains(strings.Join(f.rules(), " "), "credential_stuffing/network")
			assert.Equal(t, c.want, stuffing, f.rules())
			if stuffing {
				for _, x := range f.found {
					if x.Rule == models.ThreatStuffing {
						assert.Equal(t, models.RespondThrottleNetwork, x.Response)
						assert.Equal(t, models.NetworkOf(c.network(0)), x.Network)
					}
				}
			}
		})
	}
}

func TestASprayIsFarAboveWhatIsUsualAndASurgeIsNot(t *testing.T) {
	spray := func(f *feed, from time.Time, n int) {
		for i := range n {
			f.add(failed(from.Add(time.Duration(i)*2*time.Second), fmt.Sprintf("user:s%d", i), fmt.Sprintf("100.%d.%d.1", i/250, i%250), "signature"))
		}
	}
	f := newFeed()
	spray(f, noon, 11)
	assert.Empty(t, f.found, "eleven are never one")
	f = newFeed()
	spray(f, noon, 12)
	require.Equal(t, []string{"spray/platform"}, f.rules())
	assert.Equal(t, models.ThreatCritical, f.found[0].Severity)

	f = newFeed() // nine hundred people, of whom thirty mistype
	for i := range 900 {
		f.add(allowed(noon.Add(time.Duration(i)*100*time.Millisecond), fmt.Sprintf("user:p%d", i), "62.5.7.9", "t", "scalability:read"))
	}
	spray(f, noon.Add(90*time.Second), 30)
	assert.Empty(t, f.found)
	spray(f, noon.Add(150*time.Second), 120)
	assert.Equal(t, []string{"spray/platform"}, f.rules(), "and an attack among them is seen")
}

func TestWhatIsUsualOfAnHourIsLearnedAndAnAttackIsNot(t *testing.T) {
	f := newFeed()
	busy := func(week, n int) {
		at := noon.Add(time.Duration(week) * 7 * day)
		for i := range n {
			f.add(failed(at.Add(time.Duration(i)*time.Second), fmt.Sprintf("user:w%d-%d", week, i), fmt.Sprintf("100.%d.%d.1", week, i), "signature"))
		}
		f.add(allowed(at.Add(time.Hour), "user:clock", "10.0.0.1", "t", "scalability:read"))
	}
	mean := func() float64 { m, _ := f.d.baseline.expect(noon, 0); return m }
	for week := range 4 {
		busy(week, 9)
	}
	usual := mean()
	busy(4, 400)
	assert.Contains(t, f.rules(), "spray/platform")
	assert.Less(t, mean(), usual+10, "an attack makes the next one no more usual")
}

func TestWhoReachesForMoreLosesTheSession(t *testing.T) {
	five := func(p models.Permission, rule string, roles ...models.Role) func(f *feed) {
		return func(f *feed) {
			for i := range 5 {
				f.add(denied(after(time.Duration(i)*time.Minute), "user:vera", p, rule, roles...))
			}
		}
	}
	claim := denied(noon, "user:vera", models.PermissionRead, models.RuleRoleClaimMismatch, models.RoleViewer)
	claim.Context["claimedRole"] = "scalability_admin"
	grant := denied(noon, "user:vera", models.PermissionPolicy, models.RulePrivilegeEscalation, models.RoleAdmin)
	grant.Context["attempt"] = "give scalability_admin to user:vera"
	cases := map[string]struct {
		do   func(f *feed)
		want string // kind
	}{
		"a grant to oneself":                     {func(f *feed) { f.add(grant) }, "grant"},
		"a role that the token claims":           {func(f *feed) { f.add(claim) }, "role claim"},
		"five denials above the own tier":        {five(models.PermissionManage, "not granted", models.RoleViewer), "denials"},
		"an operator at the policy":              {five(models.PermissionPolicy, "not granted", models.RoleOperator), "denials"},
		"nobody's roles at the trail":            {five(models.PermissionAudit, "no role"), "denials"},
		"a newcomer who looks":                   {five(models.PermissionRead, "no role"), ""},
		"an operator in a freeze":                {five(models.PermissionScaleIn, "denied to role scalability_operator", models.RoleOperator), ""},
		"a coordinator before the day":           {five(models.PermissionWeddingPriority, "needs wedding_day", models.RoleCoordinator), ""},
		"an operator without that very right":    {five(models.PermissionScaleIn, "not granted", models.RoleOperator), ""},
		"an admin whose roles were not readable": {five(models.PermissionManage, "roles unavailable", models.RoleAdmin), ""},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := newFeed()
			c.do(f)
			if c.want == "" {
				assert.Empty(t, f.found)
				return
			}
			require.Equal(t, []string{"privilege_escalation/" + c.want}, f.rules())
			got := f.found[0]
			assert.Equal(t, models.ThreatCritical, got.Severity)
			assert.Equal(t, models.RespondRevokeSubject, got.Response)
			assert.Equal(t, "user:vera", got.Subject)
			assert.False(t, got.Claimed)
		})
	}
	f := newFeed()
	for i := range 4 {
		f.add(denied(after(time.Duration(i)*time.Second), "user:vera", models.PermissionManage, "not granted", models.RoleViewer))
	}
	f.add(denied(after(6*time.Minute), "user:vera", models.PermissionManage, "not granted", models.RoleViewer))
	assert.Empty(t, f.found, "five in more than five minutes")
}

func TestAForgedTokenHoldsItsNetworkBackAndNobodysSession(t *testing.T) {
	f := newFeed()
	for i, abuse := range []string{"algorithm", "own key", "key id", "something new"} {
		e := failed(after(time.Duration(i)*time.Second), fmt.Sprintf("user:name-%d", i), "203.0.113.9", "signature")
		e.Context[models.ContextAbuse] = abuse
		f.add(e)
	}
	require.Equal(t, []string{"privilege_escalation/token abuse"}, f.rules(), "one, whatever name each token says")
	got := f.found[0]
	assert.Equal(t, models.ThreatCritical, got.Severity)
	assert.True(t, got.Claimed)
	assert.Equal(t, models.RespondThrottleNetwork, got.Response)
	assert.Equal(t, "203.0.113.0/24", got.Network)
}

// settled is somebody who works from nine to five for four weeks, with others about.
func settled() *feed {
	f := newFeed()
	for d := range 28 {
		for hour := 9; hour < 17; hour++ {
			at := noon.Add(-28*day + time.Duration(d)*day + time.Duration(hour-12)*time.Hour)
			for i := range 6 {
				f.add(allowed(at.Add(time.Duration(i)*8*time.Minute), "user:olga", "62.5.7.9", "t", models.PermissionRead))
			}
			for i := range 4 {
				f.add(allowed(at.Add(time.Duration(i)*10*time.Minute), fmt.Sprintf("user:team-%d", i), "62.5.7.8", "t", models.PermissionRead))
			}
			f.add(allowed(at, "user:olga", "62.5.7.9", "t", models.PermissionScaleStandard))
		}
	}
	return f
}

func TestNothingOfAnOrdinaryMonthIsUnusual(t *testing.T) {
	assert.Empty(t, settled().found)
}

func TestWhatSomebodyNeverDoesIsUnusual(t *testing.T) {
	night := noon.Add(15 * time.Hour) // three in the night
	cases := map[string]struct {
		do   func(f *feed)
		want []string
	}{
		"a permission for the first time": {func(f *feed) { f.add(allowed(noon, "user:olga", "62.5.7.9", "t", models.PermissionManage)) }, []string{"unusual_access/first use"}},
		"and the second": {func(f *feed) {
			f.add(allowed(noon, "user:olga", "62.5.7.9", "t", models.PermissionManage)).add(allowed(after(time.Second), "user:olga", "62.5.7.9", "t", models.PermissionManage))
		}, []string{"unusual_access/first use"}},
		"a first wedding day": {func(f *feed) {
			e := allowed(noon, "user:olga", "62.5.7.9", "t", models.PermissionWeddingPriority)
			e.Context[models.ContextWeddingDay] = "true"
			f.add(e)
		}, nil},
		"what was denied": {func(f *feed) {
			f.add(denied(noon, "user:olga", models.PermissionManage, "not granted", models.RoleOperator))
		}, nil},
		"at night": {func(f *feed) { f.add(allowed(night, "user:olga", "62.5.7.9", "t", models.PermissionRead)) }, []string{"unusual_access/off hours"}},
		"an hour late": {func(f *feed) {
			f.add(allowed(noon.Add(6*time.Hour), "user:olga", "62.5.7.9", "t", models.PermissionRead))
		}, nil},
		"at night with the team": {func(f *feed) {
			for i := range 4 {
				for h := 5; h <= 15; h++ { // a wedding that goes on
					f.d.awake.add(fmt.Sprintf("user:team-%d", i), noon.Add(time.Duration(h)*time.Hour-time.Minute))
				}
			}
			f.add(allowed(night, "user:olga", "62.5.7.9", "t", models.PermissionRead))
		}, nil},
		"everything at once": {func(f *feed) {
			for i := range 160 {
				f.add(allowed(after(time.Duration(i)*time.Second), "user:olga", "62.5.7.9", "t", models.PermissionRead))
			}
		}, []string{"unusual_access/rate"}},
		"a newcomer": {func(f *feed) {
			for i := range 300 {
				f.add(allowed(night.Add(time.Duration(i)*time.Second), "user:new", "62.5.7.9", "t", models.PermissionManage))
			}
		}, nil},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			f := settled()
			c.do(f)
			assert.ElementsMatch(t, c.want, f.rules())
			for _, x := range f.found {
				assert.Equal(t, models.ThreatWarning, x.Severity)
			}
			f = settled()
			f.freeze = true
			c.do(f)
			for _, x := range f.found {
				assert.Equal(t, models.ThreatCritical, x.Severity, "while changes are frozen")
			}
		})
	}
}

func TestATrailThatIsNotWholeIsCritical(t *testing.T) {
	verified := func(rule string) models.AuditEntry {
		return models.AuditEntry{At: noon, Actor: "svc:worker", Action: "audit.verify", Decision: models.AuditAllow, Rule: rule, Context: map[string]string{"first": "stream api-1, row 12"}}
	}
	for rule, want := range map[string]models.ThreatSeverity{"sound": "", "tampered": models.ThreatCritical, "gap": models.ThreatCritical, "not anchored": models.ThreatWarning} {
		f := newFeed().add(verified(rule))
		if want == "" {
			assert.Empty(t, f.found)
			continue
		}
		require.Len(t, f.found, 1)
		assert.Equal(t, want, f.found[0].Severity, rule)
	}
	d := New(Defaults())
	got := d.Missing(models.TrailGap{Stream: "api-7", After: 10, Before: 14, At: noon})
	require.Len(t, got, 1)
	assert.Equal(t, models.ThreatCritical, got[0].Severity)
	assert.Contains(t, got[0].Sentence, "rows 11 to 13 of the stream api-7")
	assert.Empty(t, d.Missing(models.TrailGap{Stream: "api-7", After: 20, Before: 22, At: noon.Add(time.Minute)}), "one for a stream and an hour")
}

func TestAProcessThatTakesOverRaisesNothingAgain(t *testing.T) {
	first, second := newFeed(), newFeed()
	for i := range 12 {
		first.add(failed(after(time.Duration(i)*time.Second), "user:anna", "203.0.113.9", "signature"))
	}
	require.Len(t, first.found, 1)
	for _, x := range first.found {
		second.d.Raised(x)
	}
	for i := range 30 { // the same again, and what came meanwhile
		second.add(failed(after(time.Duration(i)*time.Second), "user:anna", "203.0.113.9", "signature"))
	}
	assert.Empty(t, second.found)

	same := newFeed()
	for i := range 12 {
		same.add(failed(after(time.Duration(i)*time.Second), "user:anna", "203.0.113.9", "signature"))
	}
	assert.Equal(t, first.found[0].ID, same.found[0].ID, "and what two find is one")
}

// What is summed up from the trail must do what reading all of it would.
func TestHabitsCanBeLearnedFromASummary(t *testing.T) {
	var b models.Behaviour
	for d := range 28 {
		for hour := 9; hour < 17; hour++ {
			at := noon.Add(-28*day + time.Duration(d)*day + time.Duration(hour-12)*time.Hour)
			for _, p := range []models.Permission{models.PermissionRead, models.PermissionScaleStandard} {
				b.Habits = append(b.Habits, models.Habit{Subject: "user:olga", Permission: p, Hour: at, Allowed: true, Peak: 3})
			}
		}
		b.Slots = append(b.Slots, models.FailingSlot{At: noon.Add(time.Duration(d-28) * day), Failing: 1, Active: 20})
	}
	b.Uses = []models.KnownUse{{Subject: "user:olga", TokenID: "t", RemoteIP: "62.5.7.9", At: noon.Add(-day)}}
	f := newFeed()
	f.d.Learn(b)
	f.add(allowed(noon, "user:olga", "62.5.7.9", "t", models.PermissionRead))
	f.add(allowed(noon, "user:olga", "62.5.7.9", "t", models.PermissionScaleStandard))
	assert.Empty(t, f.found)
	f.add(allowed(noon, "user:olga", "62.5.7.9", "t", models.PermissionManage))
	f.add(allowed(noon.Add(15*time.Hour), "user:olga", "62.5.7.9", "t", models.PermissionRead))
	assert.Equal(t, []string{"unusual_access/first use", "unusual_access/off hours"}, f.rules())

	for i := range 8 { // somebody else tries, and she goes on with what she had
		f.add(failed(noon.Add(20*time.Hour+time.Duration(i)*time.Second), "user:olga", "62.5.7.9", "signature"))
	}
	f.add(allowed(noon.Add(20*time.Hour+time.Minute), "user:olga", "62.5.7.9", "t", models.PermissionRead))
	assert.NotContains(t, f.rules(), "success_after_failures/account")
}

// Otherwise an attacker could bury one attack under alerts of accounts that nobody has.
func TestMadeUpNamesDoNotBuryAnAccountThatIsThere(t *testing.T) {
	f := newFeed()
	f.add(allowed(after(-time.Hour), "user:anna", "62.5.7.9", "t", models.PermissionRead))
	for i := range 3000 { // 300 names, ten guesses at each, in ten minutes
		f.add(failed(after(time.Duration(i)*200*time.Millisecond), fmt.Sprintf("user:f%d", i%300), fmt.Sprintf("9.%d.7.1", i%250), "signature"))
	}
	brute := func() (n int) {
		for _, x := range f.found {
			if x.Rule == models.ThreatBruteForce {
				n++
			}
		}
		return n
	}
	assert.Equal(t, maxStrangers, brute())
	assert.Contains(t, f.rules(), "spray/platform")
	for i := range 10 {
		f.add(failed(after(10*time.Minute+time.Duration(i)*time.Second), "user:anna", "9.9.7.1", "signature"))
	}
	assert.Equal(t, maxStrangers+1, brute())
	assert.Equal(t, "user:anna", f.found[len(f.found)-1].Subject)
}

func TestAFloodCostsBoundedMemory(t *testing.T) {
	f := newFeed()
	for i := range 60_000 {
		at := noon.Add(time.Duration(i) * 5 * time.Millisecond)
		f.add(failed(at, fmt.Sprintf("user:f%d", i), fmt.Sprintf("%d.%d.%d.1", 1+i%200, i/200%250, i/50_000), "signature"))
		if i%7 == 0 {
			f.add(allowed(at, fmt.Sprintf("user:k%d", i), "62.5.7.9", "t", models.PermissionRead))
		}
	}
	assert.LessOrEqual(t, f.d.accounts.len(), maxAccounts)
	assert.LessOrEqual(t, f.d.networks.len(), maxNetworks)
	assert.LessOrEqual(t, f.d.people.len(), maxSubjects)
	assert.LessOrEqual(t, f.d.raised.len(), maxGroups)
	assert.LessOrEqual(t, len(f.d.failing.last), maxAccounts)
	assert.LessOrEqual(t, len(f.d.failing.queue), 5*maxAccounts)
	assert.Less(t, len(f.found), 40, "and few alerts")
}

// Whatever a trail holds, an alert is whole, and nobody loses a session on the word of a
// credential that was refused.
func TestEveryAlertIsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := New(Defaults())
		at := noon
		text := rapid.SampledFrom([]string{"", "user:anna", "svc:x", "anonymous", "signature", "not granted", "algorithm", "scalability:read", "scalability:policy", "sign_in", "audit.verify", "gap", models.RuleRoleClaimMismatch, "\x00"})
		for range rapid.IntRange(1, 200).Draw(t, "entries") {
			at = at.Add(time.Duration(rapid.Int64Range(-2e9, 60e9).Draw(t, "later")))
			e := models.AuditEntry{
				ID: text.Draw(t, "id"), At: at, Actor: text.Draw(t, "actor"), Action: text.Draw(t, "action"), Rule: text.Draw(t, "rule"),
				RemoteIP: rapid.SampledFrom([]string{"", "x", "192.0.2.1", "2001:db8::1%eth0", "fe80::1"}).Draw(t, "address"),
				Decision: models.AuditDeny, Context: map[string]string{models.ContextClaimedSubject: text.Draw(t, "claimed"), models.ContextAbuse: text.Draw(t, "abuse")},
			}
			for _, x := range d.Observe(e, Surroundings{ChangeFreeze: rapid.Bool().Draw(t, "freeze")}) {
				assert.NotEmpty(t, x.ID)
				assert.Contains(t, models.ThreatRules(), x.Rule)
				assert.NotEmpty(t, x.Severity)
				assert.NotEmpty(t, x.Sentence)
				assert.NotNil(t, x.Evidence)
				if x.Response == models.RespondRevokeSubject {
					assert.False(t, x.Claimed)
					assert.NotEqual(t, anonymous, x.Subject)
				}
			}
		}
	})
}

func BenchmarkObserve(b *testing.B) {
	d := New(Defaults())
	var entries []models.AuditEntry
	for i := range 4096 {
		entries = append(entries, allowed(noon, fmt.Sprintf("user:b%d", i%500), "62.5.7.9", "t", models.PermissionRead))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		e := entries[i%len(entries)]
		e.At = noon.Add(time.Duration(i) * time.Millisecond)
		d.Observe(e, Surroundings{})
		i++
	}
}
