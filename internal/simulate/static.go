package simulate

import (
	"fmt"
	"time"
)

// static never changes: provisioning for the peak.
type static struct{ n int }

// NewStatic keeps n replicas.
func NewStatic(n int) Autoscaler { return static{n} }

func (s static) Name() string            { return fmt.Sprintf("static %d", s.n) }
func (s static) Interval() time.Duration { return time.Hour }
func (s static) Desired(View) int        { return s.n }
