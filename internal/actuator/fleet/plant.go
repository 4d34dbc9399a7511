package fleet

import (
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/wedsync/scalability/models"
)

// maxCatchUp bounds how much missed time Step makes up for: a process that slept
// longer goes on from there instead of replaying an hour.
const maxCatchUp = 60 * time.Second

// keptSeconds is how many closed seconds are kept for measurements.
const keptSeconds = 120

// Plant is the model of a fleet. It has no clock, no goroutine and no lock: the
// caller steps it and keeps calls apart. The same seed and calls give the same run.
type Plant struct {
	settings Settings
	now      time.Time
	pcg      *rand.PCG
	rng      *rand.Rand
	services []*service
	loads    []load // by source
}

// service is the state of one service.
type service struct {
	set        ServiceSettings
	spec       int
	generation int64
	nextID     int64
	replicas   []*replica // by creation
	retired    []*replica // removed within the kept seconds, for the service's own figures
	faults     faultSet
	keys       []usedKey
	orders     OrderCount
	front      float64 // requests that wait because no replica is ready
	current    second  // the second that is being filled
	seconds    []second
	totals     Totals
	stats      Stats
	probe      *probe     // synthetic requests that are under way
	deployedAt *time.Time // last change of the template; nil: none
}

// Totals counts the requests of a service since the plant began. Offered = Served +
// Failed + Queued, but for rounding.
type Totals struct {
	Offered float64 `json:"offered"`
	Served  float64 `json:"served"`
	Failed  float64 `json:"failed"` // errors, drops and time-outs
	Queued  float64 `json:"queued"`
}

// load is what one source offers until it expires.
type load struct {
	source string
	rates  map[models.ServiceName]float64
	until  time.Time
}

// NewPlant builds a fleet whose initial replicas are ready at now.
func NewPlant(s Settings, now time.Time) (*Plant, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	pcg := rand.NewPCG(s.Seed, 0x5eed)
	p := &Plant{settings: s, now: now.Truncate(s.tick()), pcg: pcg, rng: rand.New(pcg)} //nolint:gosec // a model needs a repeatable draw, not a secret one
	for _, set := range s.Services {
		svc := &service{set: set, spec: set.InitialReplicas, generation: 1}
		for range set.InitialReplicas {
			r := svc.newReplica(p.now)
			r.becomeReady(p.now)
		}
		p.services = append(p.services, svc)
	}
	p.connect()
	return p, nil
}

// Now is the time the plant was stepped to.
func (p *Plant) Now() time.Time { return p.now }

// Step advances the plant to now in fixed ticks; a now that is not later changes
// nothing.
func (p *Plant) Step(now time.Time) {
	tick := p.settings.tick()
	if now.Sub(p.now) > maxCatchUp {
		p.now = now.Add(-maxCatchUp).Truncate(tick)
	}
	for !p.now.Add(tick).After(now) {
		p.now = p.now.Add(tick)
		p.stepOnce(tick.Seconds())
	}
}

func (p *Plant) stepOnce(dt float64) {
	for _, svc := range p.services {
		svc.live(p.now)
	}
	p.connect()
	p.loads = slices.DeleteFunc(p.loads, func(l load) bool { return !p.now.Before(l.until) })
	for _, svc := range p.services {
		svc.serve(p.offered(svc.set.Service), p.now, dt)
	}
	if p.now.Equal(p.now.Truncate(time.Second)) {
		for _, svc := range p.services {
			svc.closeSecond(p.now)
		}
	}
}

// SetLoad replaces what a source offers, in requests per second per service, until a
// time. An empty map ends the source.
func (p *Plant) SetLoad(source string, rates map[models.ServiceName]float64, until time.Time) {
	p.loads = slices.DeleteFunc(p.loads, func(l load) bool { return l.source == source })
	if len(rates) == 0 {
		return
	}
	p.loads = append(p.loads, load{source: source, rates: rates, until: until})
	slices.SortFunc(p.loads, func(a, b load) int { return strings.Compare(a.source, b.source) })
}

// offered is the sum over the sources, in requests per second.
func (p *Plant) offered(name models.ServiceName) float64 {
	sum := 0.0
	for _, l := range p.loads {
		sum += l.rates[name]
	}
	return sum
}

// connect gives database connections to ready replicas, first come first served. Who
// finds none left stays ready and fails its requests, as a real service does.
func (p *Plant) connect() {
	free := p.settings.DatabaseConnections - p.settings.DatabaseReserved - p.connections()
	var waiting []*replica
	need := map[*replica]int{}
	for _, svc := range p.services {
		for _, r := range svc.replicas {
			if r.Phase == models.ReplicaReady && !r.Connected {
				waiting = append(waiting, r)
				need[r] = svc.set.ConnectionsPerReplica
			}
		}
	}
	slices.SortStableFunc(waiting, func(a, b *replica) int { return a.ReadyAt.Compare(*b.ReadyAt) })
	for _, r := range waiting {
		if n := need[r]; n <= free || n == 0 {
			r.Connected = true
			free -= n
		}
	}
}

// connections counts the database connections that are held.
func (p *Plant) connections() int {
	n := 0
	for _, svc := range p.services {
		n += svc.connections()
	}
	return n
}

func (s *service) connections() int {
	n := 0
	for _, r := range s.replicas {
		if r.Connected {
			n += s.set.ConnectionsPerReplica
		}
	}
	return n
}

// find gives a service of this fleet.
func (p *Plant) find(name models.ServiceName) (*service, error) {
	for _, svc := range p.services {
		if svc.set.Service == name {
			return svc, nil
		}
	}
	return nil, models.NotFound("service", name)
}

// Configure changes the settings of a service. Replicas that started keep their start-up
// time and what they were made from; capacity and queues change at once.
func (p *Plant) Configure(name models.ServiceName, c ServiceChange) error {
	svc, err := p.find(name)
	if err != nil {
		return err
	}
	next := svc.set.with(c)
	if err := next.Validate(); err != nil {
		return err
	}
	if next.Template != svc.set.Template {
		at := p.now
		svc.deployedAt = &at
	}
	svc.set = next
	return nil
}

// SetFaults replaces the faults of a service; none ends injection. Replicas that were
// marked keep their fault.
func (p *Plant) SetFaults(name models.ServiceName, faults []Fault) error {
	svc, err := p.find(name)
	if err != nil {
		return err
	}
	next := make(faultSet, 0, len(faults))
	for _, f := range faults {
		if err := f.Validate(); err != nil {
			return err
		}
		if f.TTLSeconds > 0 {
			f.Until = p.now.Add(time.Duration(f.TTLSeconds * float64(time.Second)))
		}
		next = append(next, f)
	}
	svc.faults = next
	return nil
}
