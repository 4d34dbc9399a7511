package simulate

import (
	"math"
	"math/rand/v2"
	"slices"
)

const (
	retryShare   = 0.3 // of the failed requests that come again …
	retryAfter   = 5   // … this many seconds later
	crashBackOff = 20  // seconds between a failed start and the next try
	nodeWaitLow  = 60  // seconds until a new node is there
	nodeWaitHigh = 180
	startsKept   = 50
	startsFew    = 10
	nodeIdle     = 600 // seconds until a node that nobody needs is given back
)

// plant is the service: replicas that start, a queue and a database. Replicas are
// alike, so that it counts them instead of keeping each. One step is a second.
type plant struct {
	s        *Scenario
	rng      *rand.Rand
	second   int
	spec     int
	ready    int
	starting []start // by due
	crashing int     // of those that start
	starts   Starts
	nodes    nodes

	queue   []float64 // waiting requests by the seconds they have waited
	waiting float64   // their sum
	again   [retryAfter]float64

	totals totals
	last   flow
}

// start is replicas that are ready, or fail, at a second.
type start struct {
	due     int
	ordered int
	n       int
	fails   bool // crashes at due
	crashed bool // waits for its next try
}

// totals counts requests since the start: offered = served + failed + waiting.
type totals struct{ offered, served, failed, late, retried float64 }

// flow is what one second brought.
type flow struct {
	arrived, served, failed, late float64
	capacity                      float64   // requests that could be served
	queued                        bool      // some waited: waits says how long
	waits                         []float64 // served requests by the seconds they waited
}

func newPlant(s *Scenario) *plant {
	p := &plant{s: s, rng: rand.New(rand.NewPCG(s.Seed, 0x91a47)), spec: s.Replicas, ready: s.Replicas} //nolint:gosec // a model needs a repeatable draw, not a secret one
	p.nodes = newNodes(s.ReplicasPerNode, s.Replicas)
	p.queue = make([]float64, s.TimeoutSeconds+1)
	p.last.waits = make([]float64, s.TimeoutSeconds+1)
	return p
}

// pending counts the replicas on their way, without those that crashed.
func (p *plant) pending() int { return p.spec - p.ready - p.crashing }

// order changes the spec. What is not ready yet is removed first, the newest before the
// older.
func (p *plant) order(n int) {
	if n > p.spec {
		p.grow(n - p.spec)
	} else {
		p.shrink(p.spec - n)
	}
	p.spec = n
}

func (p *plant) grow(n int) {
	for _, wait := range p.nodes.place(p.rng, n, p.second) {
		p.begin(p.second+wait, p.second)
	}
}

// begin starts one replica at a second; its start-up time is log-normal with the
// service's percentiles.
func (p *plant) begin(from, ordered int) {
	p.insert(start{due: from + p.startup(), ordered: ordered, n: 1, fails: p.rng.Float64() < p.s.Faults.StartFailures})
}

func (p *plant) insert(x start) {
	i, _ := slices.BinarySearchFunc(p.starting, x.due+1, func(a start, due int) int { return a.due - due })
	if i > 0 && p.starting[i-1].due == x.due && p.starting[i-1].ordered == x.ordered && p.starting[i-1].fails == x.fails && p.starting[i-1].crashed == x.crashed {
		p.starting[i-1].n += x.n
		return
	}
	p.starting = slices.Insert(p.starting, i, x)
}

// p95 is 1.645 standard deviations above the median.
func (p *plant) startup() int {
	median, p95 := p.s.Service.StartupP50Seconds, p.s.Service.StartupP95Seconds
	if !(median > 0) {
		return 0
	}
	sigma := math.Log(math.Max(1, p95/median)) / 1.645
	return max(1, int(math.Round(median*math.Exp(sigma*p.rng.NormFloat64()))))
}

func (p *plant) shrink(n int) {
	p.nodes.free(n, p.second)
	for n > 0 && len(p.starting) > 0 {
		newest := 0
		for i, x := range p.starting {
			if x.ordered >= p.starting[newest].ordered {
				newest = i
			}
		}
		x := &p.starting[newest]
		take := min(n, x.n)
		if x.crashed {
			p.crashing -= take
		}
		x.n -= take
		n -= take
		if x.n == 0 {
			p.starting = slices.Delete(p.starting, newest, newest+1)
		}
	}
	p.ready -= n
}

// live brings replicas to their end of starting.
func (p *plant) live() {
	for len(p.starting) > 0 && p.starting[0].due <= p.second {
		x := p.starting[0]
		p.starting = slices.Delete(p.starting, 0, 1)
		switch {
		case x.crashed:
			p.crashing -= x.n
			for range x.n {
				p.begin(p.second, x.ordered)
			}
		case x.fails:
			p.crashing += x.n
			p.insert(start{due: p.second + crashBackOff, ordered: x.ordered, n: x.n, crashed: true})
		default:
			p.ready += x.n
			p.starts.took(p.second-x.ordered, x.n)
		}
	}
	p.nodes.live(p.second)
}

// Starts is how long the last fifty replicas took from their order until they were ready,
// with the wait for a node and every failed try.
type Starts struct {
	seconds [startsKept]int
	n       int // in all
}

func (s *Starts) took(seconds, replicas int) {
	for range min(replicas, startsKept) {
		s.seconds[s.n%startsKept] = seconds
		s.n++
	}
}

// Percentiles of the starts; ok is false before there were ten.
func (s *Starts) Percentiles() (p50, p95 float64, ok bool) {
	n := min(s.n, startsKept)
	if n < startsFew {
		return 0, 0, false
	}
	sorted := slices.Clone(s.seconds[:n])
	slices.Sort(sorted)
	return float64(sorted[n/2]), float64(sorted[n*95/100]), true
}

// connected is how many of the ready replicas found database connections. The others
// take requests and fail them.
func (p *plant) connected() int {
	per := p.s.Service.ConnectionsPerReplica
	if p.s.DatabaseConnections <= 0 || per <= 0 {
		return p.ready
	}
	return min(p.ready, p.s.DatabaseConnections/per)
}

// step serves one second of load. Requests are served in the order in which they came;
// who waits longer than the time-out fails. errors is the share of what arrives that
// fails for another reason.
func (p *plant) step(load, errors float64) *flow {
	p.live()
	slot := p.second % retryAfter
	f := &p.last
	*f = flow{waits: f.waits}
	f.arrived = load + p.again[slot]
	p.totals.retried += p.again[slot]

	accepted := f.arrived
	connected := p.connected()
	if connected < p.ready {
		accepted *= float64(connected) / float64(p.ready)
	}
	accepted *= 1 - errors
	f.failed = f.arrived - accepted
	f.capacity = float64(connected) * p.s.Service.CapacityRPS

	if p.waiting == 0 && accepted <= f.capacity {
		f.served = accepted
	} else {
		p.drain(f, accepted)
	}
	p.totals.offered += f.arrived
	p.totals.served += f.served
	p.totals.failed += f.failed
	p.totals.late += f.late
	p.again[slot] = retryShare * f.failed
	p.second++
	return f
}

// drain serves the queue, the oldest first.
func (p *plant) drain(f *flow, accepted float64) {
	oldest := len(p.queue) - 1
	copy(p.queue[1:], p.queue[:oldest])
	p.queue[0] = accepted
	left := f.capacity
	f.queued = true
	p.waiting = 0
	for age := oldest; age >= 0; age-- {
		n := math.Min(left, p.queue[age])
		p.queue[age] -= n
		left -= n
		f.served += n
		f.waits[age] = n
		if float64(age)*1000 > p.s.Service.SLOResponseTimeMS {
			f.late += n
		}
		if age == oldest {
			f.failed += p.queue[age]
			p.queue[age] = 0
		}
		p.waiting += p.queue[age]
	}
}

// nodes is the layer below the replicas. Replicas fill the nodes that are there; what
// does not fit waits for new ones, each with its own delay. A node that has not been
// needed for ten minutes is given back, as cluster autoscalers do by default.
type nodes struct {
	per    int // replicas per node; 0 always has a place
	have   int
	used   int // replicas placed
	needed int // second at which all nodes were last needed
}

func newNodes(per, replicas int) nodes {
	n := nodes{per: per, used: replicas}
	n.have = n.want()
	return n
}

// want is how many nodes the replicas fill, packed.
func (n *nodes) want() int {
	if n.per <= 0 {
		return 0
	}
	return (n.used + n.per - 1) / n.per
}

// place finds a place for each of some replicas and gives the seconds that each waits
// for it.
func (n *nodes) place(rng *rand.Rand, replicas, second int) []int {
	waits := make([]int, replicas)
	if n.per <= 0 {
		return waits
	}
	free := max(0, n.have*n.per-n.used)
	for i := min(free, replicas); i < replicas; i += n.per {
		wait := nodeWaitLow + rng.IntN(nodeWaitHigh-nodeWaitLow+1)
		for j := i; j < min(i+n.per, replicas); j++ {
			waits[j] = wait
		}
		n.have++
	}
	n.used += replicas
	n.live(second)
	return waits
}

func (n *nodes) free(replicas, second int) {
	n.live(second)
	n.used -= replicas
}

// live gives nodes back.
func (n *nodes) live(second int) {
	if n.per <= 0 {
		return
	}
	switch want := n.want(); {
	case want >= n.have:
		n.needed = second
	case second-n.needed >= nodeIdle:
		n.have, n.needed = want, second
	}
}
