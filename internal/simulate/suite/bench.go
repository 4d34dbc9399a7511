package suite

import (
	"context"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/wedsync/scalability/internal/simulate"
)

// The parts of a load.
const (
	PartTune   = "tune"
	PartReport = "report"
)

// Row is one run: a policy at a target under a part of a load.
type Row struct {
	Load   string  `json:"load"`
	Part   string  `json:"part"`
	Seed   uint64  `json:"seed"`
	Policy string  `json:"policy"`
	Target float64 `json:"target"`
	simulate.Result
}

func (r Row) point() point { return point{r.ReplicaHours, r.ViolationMinutes} }

// Progress is told of each run that has ended.
type Progress func(done, total int, what string)

// job is one run that is to be done.
type job struct {
	part     string
	policy   string
	target   float64
	scenario *simulate.Scenario
	pictured bool // keep the course of the run
}

// bench does the runs, on all cores.
type bench struct {
	workers  int
	progress Progress
	done     int
	total    int
	mu       sync.Mutex
}

func newBench(workers, total int, progress Progress) *bench {
	if workers < 1 {
		workers = runtime.GOMAXPROCS(0)
	}
	return &bench{workers: workers, total: total, progress: progress}
}

// run does jobs side by side and gives their results in the jobs' order.
func (b *bench) run(ctx context.Context, jobs []job) ([]Row, error) {
	out := make([]Row, len(jobs))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(b.workers)
	for i, j := range jobs {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			policy, err := contender(j.policy, j.target, *j.scenario)
			if err != nil {
				return err
			}
			result := simulate.Run(*j.scenario, policy)
			if !j.pictured {
				result.Minutes = nil
			}
			out[i] = Row{Load: j.scenario.Name, Part: j.part, Seed: j.scenario.Seed, Policy: j.policy, Target: j.target, Result: result}
			b.tell(j.scenario.Name + " " + j.policy)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return out, nil
}

// planned corrects how many runs there are.
func (b *bench) planned(more int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.total += more
}

func (b *bench) tell(what string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done++
	if b.progress != nil {
		b.progress(b.done, max(b.total, b.done), what)
	}
}

// of picks the rows of one policy in one part of one seed's load.
func of(rows []Row, load, part, policy string, seed uint64) []Row {
	var out []Row
	for _, r := range rows {
		if r.Load == load && r.Part == part && r.Policy == policy && r.Seed == seed {
			out = append(out, r)
		}
	}
	return out
}

func points(rows []Row) []point {
	out := make([]point, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.point())
	}
	return out
}

// at picks the run at a target.
func at(rows []Row, target float64) (Row, bool) {
	i := slices.IndexFunc(rows, func(r Row) bool { return r.Target == target })
	if i < 0 {
		return Row{}, false
	}
	return rows[i], true
}
