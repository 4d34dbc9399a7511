package scaling

import "github.com/wedsync/scalability/models"

func (c canon) service(s *models.Service) canon {
	c = c.str(string(s.Name))
	c = c.str(string(s.Tier))
	c = c.str(s.Actuator)
	c = c.floats(s.CapacityRPS, s.StartupP50Seconds, s.StartupP95Seconds, s.CostPerReplicaHour, s.SLOResponseTimeMS)
	c = c.ints(s.MinReplicas, s.MaxReplicas, s.AbsoluteMaxReplicas, s.Zones, s.ConnectionsPerReplica)
	p := &s.Policy
	c = c.str(p.Version)
	c = c.floats(p.TargetUtilisation, p.DeadBandUp, p.DeadBandDown, p.UpFactor, p.DownStepShare, p.PanicUtilisation)
	c = c.ints(p.UpStep, p.HoldAfterUpSeconds, p.DownStabilisationSeconds, p.DownPeriodSeconds, p.PanicSeconds, p.ReadyDeadlineSeconds,
		p.SoakSeconds, p.MeasurementIntervalSeconds, p.Measurements, p.OperationDeadlineSeconds)
	c = c.whole(p.MinimumRequests)
	if p.SuspectHoldSeconds != 0 { // records from before there was such a constant keep their bytes
		c = c.str("suspectHoldSeconds")
		c = c.ints(p.SuspectHoldSeconds)
	}
	c = c.whole(s.Revision)
	c = c.time(s.CreatedAt)
	c = c.time(s.UpdatedAt)
	return c
}

func (c canon) replicas(r *models.ReplicaSet) canon {
	c = c.str(string(r.Service))
	c = c.ints(r.Spec, r.Ready)
	c = c.whole(r.Generation)
	c = c.time(r.ObservedAt)
	c = c.length(len(r.Replicas))
	for i := range r.Replicas {
		x := &r.Replicas[i]
		c = c.str(x.ID)
		c = c.str(string(x.Phase))
		c = c.ints(x.Restarts)
		c = c.time(x.OrderedAt)
		c = c.maybeTime(x.ReadyAt)
	}
	c = c.strs(r.Writers)
	c = c.str(r.Rollout)
	return c.str(r.Template)
}

func (c canon) signal(s *models.Signal) canon {
	c = c.str(string(s.Metric))
	c = c.maybeFloat(s.Avg2)
	c = c.maybeFloat(s.Avg6)
	c = c.maybeFloat(s.Avg60)
	c = c.maybeFloat(s.Avg300)
	c = c.maybeFloat(s.Max60)
	c = c.floats(s.AgeSeconds, s.Completeness, s.IntervalSeconds)
	c = c.maybeFloat(s.Max7Days)
	c = c.length(len(s.Recent))
	c = c.floats(s.Recent...)
	c = c.bools(s.Snapshot)
	return c
}

func (c canon) forecast(f *models.ForecastPoint) canon {
	c = c.floats(f.P50, f.P95, f.P99, f.LookAheadP90, f.P70, f.VerifiedP70)
	c = c.time(f.IssuedAt)
	c = c.str(f.Model)
	c = c.bools(f.Trusted, f.Calendar)
	c = c.str(f.Reason)
	c = c.maybeFloat(f.WAPE7Days)
	c = c.maybeFloat(f.Coverage95)
	c = c.maybeFloat(f.HistoryDays)
	return c
}

func (c canon) reservation(r *models.Reservation) canon {
	c = c.str(r.ID)
	c = c.str(string(r.Service))
	c = c.str(string(r.Kind))
	c = c.ints(r.Replicas, r.Guests)
	c = c.time(r.From)
	c = c.time(r.Until)
	c = c.str(r.Holder)
	c = c.str(r.Reason)
	c = c.str(r.WeddingID)
	c = c.time(r.CreatedAt)
	c = c.str(r.CreatedBy)
	c = c.maybeTime(r.EndedAt)
	c = c.str(r.EndedBy)
	return c
}

func (c canon) limits(l *models.Limits) canon {
	c = c.some(l.Database != nil)
	if l.Database != nil {
		c = c.ints(l.Database.MaxConnections, l.Database.Reserved, l.Database.OtherUsers, l.Database.PerReplica)
	}
	c = c.maybeInt(l.Quota)
	c = c.maybeFloat(l.HourBudget)
	c = c.length(len(l.Downstream))
	for i := range l.Downstream {
		c = c.str(l.Downstream[i].Name)
		c = c.floats(l.Downstream[i].RPS, l.Downstream[i].Calls)
	}
	c = c.some(l.Budget != nil)
	if l.Budget != nil {
		c = c.floats(l.Budget.Hour, l.Budget.Day, l.Budget.Month, l.Budget.SpentDay, l.Budget.SpentMonth)
	}
	c = c.maybeInt(l.SchedulableHeadroom)
	return c
}

func (c canon) calendar(x *models.Calendar) canon {
	c = c.time(x.ReadAt)
	c = c.float(x.BaseRPS)
	c = c.length(len(x.Windows))
	for i := range x.Windows {
		w := &x.Windows[i]
		c = c.str(w.ID)
		c = c.time(w.Start)
		c = c.time(w.End)
		c = c.ints(w.Guests)
		c = c.bools(w.Confirmed, w.Cancelled)
		c = c.str(w.TimeZone)
	}
	c = c.some(x.Kernel != nil)
	if x.Kernel != nil {
		c = c.ints(x.Kernel.FromMinutes, x.Kernel.StepMinutes)
		c = c.length(len(x.Kernel.P90))
		c = c.floats(x.Kernel.P90...)
		c = c.length(len(x.Kernel.P50))
		c = c.floats(x.Kernel.P50...)
	}
	return c
}

func (c canon) spike(s *models.Spike) canon {
	c = c.str(string(s.Service))
	c = c.time(s.SeenAt)
	c = c.time(s.FirstSampleAt)
	c = c.float(s.RPS)
	c = c.str(s.Reason)
	return c
}

func (c canon) state(s *State) canon {
	c = c.recommendations(s.Ring)
	c = c.maybeTime(s.LastUpAt)
	c = c.maybeTime(s.LastDownAt)
	c = c.maybeTime(s.PanicUntil)
	c = c.ints(s.PanicMax)
	c = c.float(s.PanicRPS)
	c = c.maybeTime(s.BlindSince)
	c = c.maybeTime(s.SuspectAt)
	c = c.ints(s.SuspectNeed)
	c = c.maybeTime(s.UnreadSince)
	c = c.capacity(s.Seen)
	c = c.capacity(s.Grew)
	c = c.recommendations(s.Demand)
	c = c.some(s.Decay != nil)
	if s.Decay != nil {
		c = c.time(s.Decay.At)
		c = c.float(s.Decay.Share)
	}
	return c
}

func (c canon) capacity(x *Capacity) canon {
	c = c.some(x != nil)
	if x != nil {
		c = c.time(x.At)
		c = c.ints(x.Spec, x.Ready)
	}
	return c
}

func (c canon) recommendations(list []Recommendation) canon {
	c = c.length(len(list))
	for i := range list {
		c = c.time(list[i].At)
		c = c.ints(list[i].N)
	}
	return c
}
