package simulate

import "math/rand/v2"

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
