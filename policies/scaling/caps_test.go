package scaling_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/wedsync/scalability/models"
	"github.com/wedsync/scalability/policies/scaling"
)

func database(l models.DatabaseLimit) func(*scaling.Inputs) {
	return func(in *scaling.Inputs) { in.Observation.Limits.Database = &l }
}

func quota(n int) func(*scaling.Inputs) {
	return func(in *scaling.Inputs) { in.Observation.Limits.Quota = &n }
}

func most(n int) models.Reservation {
	return models.Reservation{Kind: models.ReservationCap, Replicas: n}
}

func TestCeilingsClampAndLeaveADeficit(t *testing.T) {
	small := models.DatabaseLimit{MaxConnections: 200, Reserved: 20, PerReplica: 10}
	full := models.DatabaseLimit{MaxConnections: 100, Reserved: 3, OtherUsers: 200, PerReplica: 10}
	cases := map[string]struct {
		in      scaling.Inputs
		want    int
		class   models.Class
		cap     string // that bound, "" for none
		deficit int
	}{
		"none binds":                             {with(serving(10, 780), database(small), quota(20)), 12, models.ClassReactive, "", 0},
		"the safety maximum":                     {with(serving(10, 100), reserve(floor(99)), func(in *scaling.Inputs) { in.Observation.Service.MaxReplicas = 60 }), 60, models.ClassFloor, "absolute_max", 39},
		"the maximum, under a floor":             {with(serving(10, 100), reserve(floor(40))), 30, models.ClassFloor, "max", 10},
		"the database":                           {with(serving(10, 100), reserve(floor(22)), database(small)), 18, models.ClassFloor, "database_connections", 4},
		"the database, with others on it":        {with(serving(10, 100), reserve(floor(22)), database(models.DatabaseLimit{MaxConnections: 200, Reserved: 20, OtherUsers: 45, PerReplica: 10})), 13, models.ClassFloor, "database_connections", 9},
		"a full database removes nothing":        {with(serving(10, 100), reserve(floor(22)), database(full)), 10, models.ClassHold, "database_connections", 12},
		"nor does it where less is needed":       {with(serving(10, 600), database(full)), 10, models.ClassHold, "", 0},
		"a database that gives none to replicas": {with(serving(10, 100), reserve(floor(22)), database(models.DatabaseLimit{MaxConnections: 10})), 22, models.ClassFloor, "", 0},
		"the quota":                              {with(serving(10, 100), reserve(floor(22)), quota(15)), 15, models.ClassFloor, "quota", 7},
		"a quota below what runs removes none":   {with(serving(10, 100), reserve(floor(22)), quota(5)), 10, models.ClassHold, "quota", 12},
		"a person's cap":                         {with(serving(10, 780), reserve(most(11))), 11, models.ClassReactive, "reservation:r1", 1},
		"a person's cap pulls down at once":      {with(serving(20, 1300), reserve(most(8))), 8, models.ClassCap, "reservation:r1", 12},
		"it needs no metrics":                    {with(serving(20, 1300), reserve(most(8)), func(in *scaling.Inputs) { in.Observation.Signals = nil }), 8, models.ClassCap, "reservation:r1", 12},
		"but not below the minimum":              {with(serving(20, 1300), reserve(most(1))), 2, models.ClassCap, "reservation:r1", 18},
		"of two caps the tighter":                {with(serving(20, 1300), reserve(most(12), most(8), most(10))), 8, models.ClassCap, "reservation:r2", 12},
		"a cap beats a floor":                    {with(serving(10, 100), reserve(floor(20), most(12))), 12, models.ClassFloor, "reservation:r2", 8},
		"what a lowered maximum takes away above the need is no deficit": {with(serving(20, 640), func(in *scaling.Inputs) { in.Observation.Service.MaxReplicas = 12 }), 12, models.ClassCap, "max", 0},
		"a deficit counts from the need, not from the step":              {with(serving(10, 2600), change(models.MetricCPU, nil), change(models.MetricThroughput, minutely), quota(15)), 15, models.ClassReactive, "quota", 25},
		"what only the step limit holds off is no deficit":               {with(serving(10, 2600), change(models.MetricCPU, nil), change(models.MetricThroughput, minutely)), 20, models.ClassReactive, "", 0},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			e, _ := scaling.Decide(c.in)
			assert.Equal(t, c.want, e.Desired, e.Text)
			assert.Equal(t, c.class, e.Class, e.Text)
			bound := ""
			for _, x := range e.Caps {
				if x.Bound {
					bound = x.Cap
				}
			}
			assert.Equal(t, c.cap, bound)
			if c.deficit == 0 {
				assert.Nil(t, e.Deficit)
				return
			}
			require.NotNil(t, e.Deficit)
			assert.Equal(t, c.deficit, e.Deficit.Replicas)
			assert.InDelta(t, float64(c.deficit)*65, e.Deficit.RPS, 0.5)
			assert.Equal(t, c.cap, e.Deficit.Cap)
			assert.NotEmpty(t, e.Deficit.Remedies)
		})
	}
}

func TestCeilingsAreRecordedInTheirOrderAlsoWhenTheyDoNotBind(t *testing.T) {
	e, _ := scaling.Decide(with(serving(10, 640), quota(40), reserve(most(25)), database(models.DatabaseLimit{MaxConnections: 200, Reserved: 20, PerReplica: 4})))
	var order []string
	for _, c := range e.Caps {
		order = append(order, c.Cap)
		assert.False(t, c.Bound)
		assert.NotEmpty(t, c.Calc)
	}
	assert.Equal(t, []string{"absolute_max", "database_connections", "quota", "max", "reservation:r1"}, order)
}

func TestTheDatabaseCeilingStaysBelowWhatIsJudgedHarmful(t *testing.T) {
	cases := map[string]struct {
		limit models.DatabaseLimit
		want  int
		calc  string
		ok    bool
	}{
		"what is reserved is left alone":        {models.DatabaseLimit{MaxConnections: 200, Reserved: 20, PerReplica: 10}, 18, "(200 − 20 − 0) ÷ 10", true},
		"with little reserved a share is":       {models.DatabaseLimit{MaxConnections: 200, Reserved: 3, OtherUsers: 8, PerReplica: 4}, 45, "(94 % of 200 − 8) ÷ 4", true},
		"others may hold more than there is":    {models.DatabaseLimit{MaxConnections: 100, Reserved: 3, OtherUsers: 300, PerReplica: 4}, 0, "(94 % of 100 − 300) ÷ 4", true},
		"a negative count of others adds none":  {models.DatabaseLimit{MaxConnections: 100, Reserved: 10, OtherUsers: -50, PerReplica: 10}, 9, "(100 − 10 − -50) ÷ 10", true},
		"no connections per replica, no limit":  {models.DatabaseLimit{MaxConnections: 100}, 0, "", false},
		"a database without connections at all": {models.DatabaseLimit{PerReplica: 4}, 0, "(0 − 0 − 0) ÷ 4", true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			n, calc, ok := scaling.DatabaseCeiling(c.limit)
			assert.Equal(t, c.want, n)
			assert.Equal(t, c.calc, calc)
			assert.Equal(t, c.ok, ok)
			if used := c.limit.OtherUsers + n*c.limit.PerReplica; n > 0 {
				assert.Less(t, float64(used), 0.95*float64(c.limit.MaxConnections))
			}
		})
	}
}

func TestEachCeilingHasItsRemedies(t *testing.T) {
	for name, c := range map[string]struct {
		in   scaling.Inputs
		want string
	}{
		"database": {with(serving(10, 100), reserve(floor(22)), database(models.DatabaseLimit{MaxConnections: 100, PerReplica: 10})), "put a connection pooler in front of the database"},
		"quota":    {with(serving(10, 100), reserve(floor(22)), quota(12)), "ask the provider for a higher quota"},
		"maximum":  {with(serving(10, 100), reserve(floor(40))), "raise the maximum in the catalogue"},
		"person":   {with(serving(10, 100), reserve(floor(22), most(12))), "end or raise the reservation that caps the service"},
	} {
		e, _ := scaling.Decide(c.in)
		require.NotNil(t, e.Deficit, name)
		assert.Contains(t, e.Deficit.Remedies, c.want, name)
	}
}
