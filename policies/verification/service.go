package verification

import (
	"fmt"

	"github.com/wedsync/scalability/models"
)

// serviceErrorGate wants the whole service no worse than before; better is the point of a
// scale-up and always passes.
func serviceErrorGate(in Inputs, m models.Measurement) models.Check {
	c := models.Check{Name: gateServiceErrors}
	now, measured := known(m.Service.ErrorRate)
	if in.Baseline == nil || !measured {
		c.Reason = "no comparison with the time before"
		return c
	}
	before, measured := known(in.Baseline.Service.ErrorRate)
	if !measured {
		c.Reason = "no comparison with the time before"
		return c
	}
	limit := max(before*serviceWorse, before+errorMargin)
	c.Value, c.Limit = &now, &limit
	c.Reason = fmt.Sprintf("the service fails %.2f %% of requests, %.2f %% before", now*100, before*100)
	switch {
	case now <= limit:
		c.Result = models.CheckPass
	case now*float64(m.Service.Requests) < enoughErrors-0.5:
		c.Reason += ", too few to judge"
	case moreLoad(*in.Baseline, m):
		// More load than before makes an old fleet fail too: without a difference between
		// new and old it is no evidence against the new replicas.
		c.Reason += ", under more load"
	default:
		c.Result = models.CheckFail
	}
	return c
}

// serviceResponseGate wants the whole service at most a tenth, or 10 ms, slower than before.
func serviceResponseGate(in Inputs, m models.Measurement) models.Check {
	c := models.Check{Name: gateServiceResponse, Reason: "no comparison with the time before"}
	now, measured := known(m.Service.P95MS)
	if in.Baseline == nil || !measured || min(m.Service.Requests, in.Baseline.Service.Requests) < enoughRequests {
		return c
	}
	before, measured := known(in.Baseline.Service.P95MS)
	if !measured {
		return c
	}
	limit := max(before*serviceWorse, before+responseMarginMS)
	c.Value, c.Limit = &now, &limit
	c.Reason = fmt.Sprintf("the service answers in %.0f ms at p95, %.0f ms before", now, before)
	switch {
	case now <= limit:
		c.Result = models.CheckPass
	case moreLoad(*in.Baseline, m):
		c.Reason += ", under more load"
	default:
		c.Result = models.CheckFail
	}
	return c
}

func moreLoad(before, now models.Measurement) bool {
	return before.OfferedRPS != nil && now.OfferedRPS != nil && *now.OfferedRPS > *before.OfferedRPS*serviceWorse
}

func databaseGate(m models.Measurement) models.Check {
	c := models.Check{Name: gateDatabase}
	if m.DatabaseConnections == nil || m.DatabaseMaxConnections == nil || *m.DatabaseMaxConnections <= 0 {
		c.Reason = "the database's connections are not known"
		return c
	}
	share := float64(*m.DatabaseConnections) / float64(*m.DatabaseMaxConnections)
	c.Value, c.Limit = &share, ptr(connectionsPass)
	c.Reason = fmt.Sprintf("%d of %d database connections are in use", *m.DatabaseConnections, *m.DatabaseMaxConnections)
	switch {
	case share >= connectionsLimit:
		c.Result = models.CheckCritical
	case share >= connectionsPass:
		c.Result = models.CheckInconclusive
	default:
		c.Result = models.CheckPass
	}
	return c
}
