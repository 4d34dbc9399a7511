package suite

import (
	"context"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/wedsync/scalability/internal/simulate"
	"github.com/wedsync/scalability/internal/simulate/season"
	"github.com/wedsync/scalability/models"
)

// requestsPerUser is what somebody who has the site open asks of the front door: a page
// every half minute, of six requests.
const requestsPerUser = 0.2

// FleetOptions say how large the platform is.
type FleetOptions struct {
	Users    float64                        // at the same time, at the peak
	Shares   map[models.ServiceName]float64 // requests of each service for one at the front door
	Seed     uint64
	Workers  int
	Progress Progress
}

// Fleet is a season's peak Saturday of all services.
type Fleet struct {
	Users    float64        `json:"users"` // at the busiest second
	Weddings int            `json:"weddings"`
	Services []FleetService `json:"services"`
}

// FleetService is how one service went through the day.
type FleetService struct {
	Service            models.ServiceName `json:"service"`
	PeakRPS            float64            `json:"peakRps"` // mean of the busiest minute
	PeakReplicas       int                `json:"peakReplicas"`
	ViolationMinutes   float64            `json:"violationMinutes"`
	ReplicaHours       float64            `json:"replicaHours"`
	StaticReplicaHours float64            `json:"staticReplicaHours"` // had the peak been ordered all day
	Decisions          int                `json:"decisions"`
	DecisionsPerSecond float64            `json:"decisionsPerSecond"` // of the whole simulation, plant included
}

// fleetMonday begins the two weeks before the Saturday that is played.
func fleetMonday() time.Time { return time.Date(2026, time.August, 31, 0, 0, 0, 0, time.UTC) }

// The days of the fleet's season: two weeks that are remembered, and the Saturday.
const (
	fleetRemembered = 19
	fleetDays       = fleetRemembered + 1
)

// RunFleet plays the busiest Saturday of a season with so many users over all services,
// each under our engine.
func RunFleet(ctx context.Context, o FleetOptions) (Fleet, error) {
	if !(o.Users >= 1000 && o.Users <= 2e7) {
		return Fleet{}, models.Invalid("fleet-users", o.Users, "must be from 1000 to 20000000")
	}
	s, err := sized(o.Users*requestsPerUser, o.Seed)
	if err != nil {
		return Fleet{}, err
	}
	begin := fleetRemembered * 86400
	out := Fleet{Users: top(s, begin) / requestsPerUser}
	for _, w := range s.Weddings {
		if day := s.Start.AddDate(0, 0, fleetRemembered); !w.Start.Before(day) && w.Start.Before(day.AddDate(0, 0, 1)) {
			out.Weddings++
		}
	}
	calendar := windows(s)
	var services []models.Service
	for _, svc := range models.DefaultServices("fleet") {
		if o.Shares[svc.Name] > 0 {
			services = append(services, svc)
		}
	}
	out.Services = make([]FleetService, len(services))
	b := newBench(o.Workers, len(services), o.Progress)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.workers)
	for i, svc := range services {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			out.Services[i] = playService(fleetScenario(s, svc, o.Shares[svc.Name], o.Seed+uint64(i)), calendar) //nolint:gosec // an index is not negative
			b.tell(string(svc.Name))
			return nil
		})
	}
	return out, group.Wait()
}

// sized generates the season whose Saturday has that peak at the front door. Weddings
// and the platform's own load grow alike; the sum of many weddings is smoother than
// that of a few, so the size is corrected once.
func sized(rps float64, seed uint64) (season.Season, error) {
	o := season.Options{Start: fleetMonday(), Days: fleetDays, Seed: seed, WeddingsPerYear: 1200, BaseRPS: 300, RPSPerGuest: 2.6}
	s, err := season.Generate(o)
	for range 2 {
		if err != nil {
			return s, err
		}
		by := rps / top(s, fleetRemembered*86400)
		o.WeddingsPerYear, o.BaseRPS = o.WeddingsPerYear*by, o.BaseRPS*by
		s, err = season.Generate(o)
	}
	return s, err
}

// top is the busiest second from one on.
func top(s season.Season, from int) float64 {
	most := 0.0
	for t := from; t < s.Seconds(); t++ {
		most = max(most, s.Expected(t))
	}
	return most
}

// fleetScenario is one service on the Saturday, its bounds wide enough for it.
func fleetScenario(s season.Season, svc models.Service, share float64, seed uint64) simulate.Scenario {
	begin := fleetRemembered * 86400
	warm := begin - lead
	src := rand.NewPCG(seed, 0xf1ee7)
	out := simulate.Scenario{Name: string(svc.Name), Start: s.Start.Add(time.Duration(warm) * time.Second), ReportFrom: lead, ReplicasPerNode: perNode, Seed: seed}
	out.History = make([]float64, warm/60)
	for i := range out.History {
		// The mean of a minute's draws: its sum is a Poisson draw too.
		out.History[i] = distuv.Poisson{Lambda: 60 * share * max(s.Expected(60*i+30), 1e-9), Src: src}.Rand() / 60
	}
	out.Load = make([]float64, s.Seconds()-warm)
	for i := range out.Load {
		out.Load[i] = distuv.Poisson{Lambda: share * max(s.Expected(warm+i), 1e-9), Src: src}.Rand()
	}
	need := int(share * top(s, begin) / svc.CapacityRPS)
	svc.MaxReplicas, svc.AbsoluteMaxReplicas = 4*need+20, 8*need+40
	svc.StartupP50Seconds, svc.StartupP95Seconds = 45, 90
	out.Service = svc
	return out
}

func playService(s simulate.Scenario, calendar []simulate.Window) FleetService {
	s.Calendar = calendar
	began := time.Now()
	r := simulate.Run(s, simulate.NewEngine(simulate.EngineOptions{Calendar: true}))
	took := time.Since(began).Seconds()
	out := FleetService{
		Service: s.Service.Name, ViolationMinutes: r.ViolationMinutes, ReplicaHours: r.ReplicaHours,
		Decisions: r.Evaluations, DecisionsPerSecond: float64(r.Evaluations) / max(took, 1e-9),
	}
	for _, m := range r.Minutes {
		out.PeakRPS = max(out.PeakRPS, m.Load)
		out.PeakReplicas = max(out.PeakReplicas, m.Spec)
	}
	out.StaticReplicaHours = float64(out.PeakReplicas) * 24 * r.Days
	return out
}
